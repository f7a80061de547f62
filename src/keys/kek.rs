//! The key-encryption key (KEK): it seals the private signing keys in the database, so that a copy of the database signs
//! nothing.
//!
//! Its text is that of a master key: one `id:key` per line, the first seals, all of them open. Nothing else is derived from
//! it. A file is read again whenever keys are, so a new line counts in running servers.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::master_key::{MasterKeyError, MasterKeys, Purpose, RootKey, SealError, fresh_line};
use super::private_file;
use super::problem::Problem;

/// Where the key-encryption keys come from.
#[derive(Clone)]
pub enum KekSource {
    /// A file that only its owner may read.
    File(PathBuf),
    /// The text itself, from a variable.
    Text(SecretString),
}

/// Every version of the key-encryption key.
pub struct KeyEncryptionKeys(MasterKeys);

impl KekSource {
    /// The keys as they are now. Blocks for a read.
    pub fn load(&self) -> Result<KeyEncryptionKeys, MasterKeyError> {
        match self {
            Self::File(path) => MasterKeys::load_as(RootKey::KeyEncryption, path),
            Self::Text(text) => MasterKeys::from_text_as(RootKey::KeyEncryption, text),
        }
        .map(KeyEncryptionKeys)
    }
}

/// Makes a file with one fresh key; an existing file is left alone and is an error.
pub fn generate_file(path: &Path) -> Result<(), Problem> {
    let text = Zeroizing::new(format!(
        "# Ostiary key-encryption key. Keep a copy in a safe place: without it the signing keys in the database are void.\n\
         # One `id:key` per line; the first seals, the others are only read with.\n\
         {}",
        fresh_line(1).as_str()
    ));
    private_file::create(path, text.as_bytes()).map_err(Problem::from)
}

/// Puts a fresh key in front of those in a file, and says its id: it seals from now on, the others are read with.
pub fn add_to_file(path: &Path) -> Result<u8, Problem> {
    let known = MasterKeys::load_as(RootKey::KeyEncryption, path).map_err(|error| error.problem().clone())?;
    let id = known.highest_id().checked_add(1).ok_or_else(|| {
        Problem::new("the ids of the key-encryption keys are used up", "begin a new file after `ostiary-keyctl rewrap`")
    })?;
    let text = private_file::read(path)?;
    // Comments stay at the top.
    let is_comment = |line: &&str| line.trim_start().starts_with('#');
    let comments: String = text.lines().take_while(is_comment).map(|line| format!("{line}\n")).collect();
    let mut next = Zeroizing::new(comments);
    next.push_str(&fresh_line(id));
    for line in text.lines().skip_while(is_comment) {
        next.push_str(line);
        next.push('\n');
    }
    private_file::replace(path, next.as_bytes())?;
    Ok(id)
}

impl KeyEncryptionKeys {
    /// The id of the key that seals.
    pub fn current(&self) -> u8 {
        self.0.current()
    }

    /// Seals the private key `kid` for the column that it will lie in.
    pub fn seal(&self, kid: &str, private_key: &[u8]) -> Result<Vec<u8>, SealError> {
        self.0.seal(Purpose::SigningKey, &place(kid), private_key)
    }

    /// Opens it. `None`: the key that sealed it is not here, or this is not what was sealed for that row.
    pub fn open(&self, kid: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.0.open(Purpose::SigningKey, &place(kid), sealed)
    }
}

/// The id of the key that sealed it.
pub fn sealed_by(sealed: &[u8]) -> Option<u8> {
    sealed.first().copied()
}

/// Table, column and row: a sealed key copied elsewhere is worthless there.
fn place(kid: &str) -> Vec<u8> {
    format!("signing_key.sealed.{kid}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    fn source(ids: &[u8], texts: &[String]) -> KeyEncryptionKeys {
        let lines: Vec<_> = ids.iter().zip(texts).map(|(id, text)| format!("{id}:{text}")).collect();
        KekSource::Text(SecretString::from(lines.join("\n"))).load().unwrap()
    }

    #[test]
    fn a_sealed_key_opens_in_its_row_alone_and_with_its_own_key_alone() {
        let (first, second) = (random::token(), random::token());
        let old = source(&[1], std::slice::from_ref(&first));
        let sealed = old.seal("kid", b"a private key").unwrap();
        assert_eq!(sealed_by(&sealed), Some(1));
        assert_eq!(old.open("kid", &sealed).unwrap().as_slice(), b"a private key");
        assert!(old.open("another", &sealed).is_none());
        assert!(source(&[2], std::slice::from_ref(&second)).open("kid", &sealed).is_none());
        assert!(source(&[1], std::slice::from_ref(&second)).open("kid", &sealed).is_none());
        // The old one stays for reading, the new one seals.
        let both = source(&[2, 1], &[second, first]);
        assert!(both.open("kid", &sealed).is_some());
        assert_eq!(sealed_by(&both.seal("kid", b"").unwrap()), Some(2));
    }

    #[test]
    fn a_new_key_in_a_file_seals_and_the_old_one_still_opens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kek");
        generate_file(&path).unwrap();
        let source = KekSource::File(path.clone());
        let sealed = source.load().unwrap().seal("kid", b"a private key").unwrap();
        assert_eq!(add_to_file(&path), Ok(2));
        assert_eq!(add_to_file(&path), Ok(3));
        let keys = source.load().unwrap();
        assert_eq!((keys.current(), sealed_by(&sealed)), (3, Some(1)));
        assert!(keys.open("kid", &sealed).is_some());
        assert!(generate_file(&path).unwrap_err().what.contains("exists already"));
    }

    #[test]
    fn a_bad_text_is_explained_as_what_it_is() {
        let refused = KekSource::Text(SecretString::from("1:short")).load().err().unwrap().to_string();
        assert!(refused.contains("key-encryption key") && refused.contains("ostiary-keyctl kek"), "{refused}");
        assert!(!refused.contains("short"));
    }
}
