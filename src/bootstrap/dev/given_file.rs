//! Files that we write for another account, into a folder of its own.
//!
//! We may be root and that account may not: whatever lies in its folder may be a link by which we would overwrite, or give
//! away, a file of somebody else. So no link below its folder is followed, and nothing that is there already is opened.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::fchown;
use std::path::Path;

use anyhow::Context;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::account::Account;

/// Writes `folder/inner/name` for `account`, in the place of whatever has that name. Nobody but us can have put anything at
/// `folder` itself.
pub fn write(account: &Account, folder: &Path, inner: &OsStr, name: &str, text: &str) -> anyhow::Result<()> {
    write_in(account, folder, inner, name, text).with_context(|| format!("writing {name} in {}", folder.display()))
}

fn write_in(account: &Account, folder: &Path, inner: &OsStr, name: &str, text: &str) -> anyhow::Result<()> {
    let is_folder = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_RDONLY;
    let folder = open(folder, is_folder, Mode::empty())?;
    let inner = openat(&folder, inner, is_folder, Mode::empty())?;
    let unfinished = format!("{name}.new");
    match unlinkat(&inner, unfinished.as_str(), UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let is_new = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_WRONLY;
    let mut file = File::from(openat(&inner, unfinished.as_str(), is_new, Mode::S_IRUSR | Mode::S_IWUSR)?);
    file.write_all(text.as_bytes())?;
    if let Some((uid, gid)) = account.to_become() {
        fchown(&file, Some(uid), Some(gid))?;
    }
    renameat(&inner, unfinished.as_str(), &inner, name)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    #[test]
    fn a_link_is_replaced_and_what_it_leads_to_is_left_alone() {
        let account = Account::for_postgres().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (victim, data) = (folder.path().join("victim"), folder.path().join("data"));
        fs::write(&victim, "precious").unwrap();
        let before = fs::metadata(&victim).unwrap();
        fs::create_dir(&data).unwrap();
        for planted in ["pg_hba.conf", "pg_hba.conf.new"] {
            symlink(&victim, data.join(planted)).unwrap();
        }
        write(&account, folder.path(), OsStr::new("data"), "pg_hba.conf", "local all\n").unwrap();
        let written = fs::symlink_metadata(data.join("pg_hba.conf")).unwrap();
        assert!(written.is_file() && written.uid() == account.uid() && written.mode() & 0o777 == 0o600);
        assert_eq!(fs::read_to_string(data.join("pg_hba.conf")).unwrap(), "local all\n");
        let after = fs::metadata(&victim).unwrap();
        assert_eq!((after.uid(), after.ino()), (before.uid(), before.ino()));
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(data.read_dir().unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_there_under_two_names_keeps_the_other() {
        let account = Account::for_postgres().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (victim, data) = (folder.path().join("victim"), folder.path().join("data"));
        fs::write(&victim, "precious").unwrap();
        fs::create_dir(&data).unwrap();
        fs::hard_link(&victim, data.join("pg_ident.conf")).unwrap();
        write(&account, folder.path(), OsStr::new("data"), "pg_ident.conf", "map\n").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(fs::read_to_string(data.join("pg_ident.conf")).unwrap(), "map\n");
    }

    #[test]
    fn a_folder_that_became_a_link_is_refused() {
        let account = Account::for_postgres().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = folder.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        symlink(&elsewhere, folder.path().join("data")).unwrap();
        let refused = write(&account, folder.path(), OsStr::new("data"), "pg_hba.conf", "x");
        assert!(refused.is_err());
        assert_eq!(elsewhere.read_dir().unwrap().count(), 0);
    }
}
