//! What may be asked.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ostiary::keys::change::Kind;
use ostiary::keys::private_key::RsaBits;
use ostiary::model::key_alg::KeyAlg;
use ostiary::model::signing_key::KeyPurpose;

/// Looks at and changes the signing keys of an Ostiary server.
#[derive(Parser)]
#[command(name = "ostiary-keyctl", version)]
pub struct Arguments {
    /// The key directory: `keys.directory` of the server's settings
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "config")]
    pub dir: Option<PathBuf>,
    /// The server's settings file, which names the store; variables like DATABASE_URL count too
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Prints one JSON object instead of text
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Lists the keys and what each is for now
    List,
    /// Checks everything that a server checks, and explains every problem
    Validate,
    /// Makes the first keys (RS256 and ES256), or prepublishes new ones beside those in use
    Generate(Choice),
    /// Makes keys that are listed but do not sign yet
    Prepublish(Choice),
    /// Lets a prepublished key sign; the one before goes into its grace
    Activate(OneKey),
    /// Ends the listing of a key whose grace is over, or that never signed, and destroys it
    Retire(OneKey),
    /// In an emergency: ends a key at once. Without --yes it only tells what that breaks
    Revoke {
        /// The key
        #[arg(allow_hyphen_values = true)]
        kid: String,
        /// Why; it is kept with the key
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: String,
        /// Does it
        #[arg(long)]
        yes: bool,
    },
    /// Goes one step further in a rotation: makes keys, lets them sign once they were listed for long enough, retires old ones
    Rotate {
        #[command(flatten)]
        choice: Choice,
        /// Signs with the new keys at once: copies of the key set that lack them fail until they are fetched again
        #[arg(long, conflicts_with = "due")]
        force: bool,
        /// Waits until the new keys may sign, and lets them
        #[arg(long, conflicts_with_all = ["force", "due"])]
        wait: bool,
        /// Does only what the automatic life cycle would do now; for a scheduler
        #[arg(long, conflicts_with_all = ["algs", "bits", "purpose"])]
        due: bool,
    },
    /// Prints public keys
    ExportPublic {
        /// One key instead of all that are listed
        #[arg(long, value_name = "KID", allow_hyphen_values = true)]
        kid: Option<String>,
        /// The form
        #[arg(long, value_name = "FORM", default_value = "jwks")]
        format: PublicFormat,
    },
    /// Prepublishes a key that was made elsewhere
    Import {
        /// Its private key: PKCS#8 in PEM, not encrypted
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// Its algorithm: RS256, PS256, ES256 or EdDSA; ECDH-ES for encryption
        #[arg(long, value_name = "ALG", value_parser = parse_alg)]
        alg: KeyAlg,
        /// What it signs: tokens, logout or assertions; encryption if requests are encrypted to it
        #[arg(long, value_name = "PURPOSE", value_parser = parse_purpose, default_value = "tokens")]
        purpose: KeyPurpose,
    },
    /// Prepublishes a key whose private half is elsewhere: a program signs with it
    RegisterExternal(Offered),
    /// Answers requests for signatures, as the program of an external key does, with a private key in a file
    Sign {
        /// The private key: PKCS#8 in PEM, not encrypted, readable by this account only
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// Answers line by line until the input ends, instead of once
        #[arg(long)]
        kept: bool,
    },
    /// Seals the keys in Postgres anew, with the newest key-encryption key
    Rewrap,
    /// Tells what the next rotation does, and when, and who has not fetched the newest key
    Rehearse,
    /// Makes a master key file
    MasterKey {
        /// The file to make
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
    /// Makes a file with a key-encryption key, or adds a key to it
    Kek {
        /// The file
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// Puts a fresh key in front of those in the file
        #[arg(long)]
        add: bool,
    },
}

#[derive(Args)]
pub struct Choice {
    /// An algorithm: RS256, PS256, ES256 or EdDSA, or ECDH-ES for encryption; may be repeated
    #[arg(long = "alg", value_name = "ALG", value_parser = parse_alg)]
    pub algs: Vec<KeyAlg>,
    /// What the keys sign: tokens (the default), logout or assertions; encryption if requests are encrypted to them
    #[arg(long, value_name = "PURPOSE", value_parser = parse_purpose, requires = "algs")]
    pub purpose: Option<KeyPurpose>,
    /// The size of new RSA keys: 2048, 3072 or 4096; that of the key before if absent
    #[arg(long, value_name = "BITS", value_parser = parse_bits)]
    pub bits: Option<RsaBits>,
}

#[derive(Args)]
pub struct Offered {
    /// Its algorithm: RS256, PS256, ES256 or EdDSA
    #[arg(long, value_name = "ALG", value_parser = parse_alg)]
    pub alg: KeyAlg,
    /// What it signs: tokens, logout or assertions
    #[arg(long, value_name = "PURPOSE", value_parser = parse_purpose, default_value = "tokens")]
    pub purpose: KeyPurpose,
    /// What the program calls the key
    #[arg(long, value_name = "TEXT")]
    pub key_ref: String,
    /// Its public half as a JSON Web Key; the program is asked for it if absent
    #[arg(long, value_name = "FILE")]
    pub jwk: Option<PathBuf>,
    /// The program is started once and answers line by line, instead of being started for each signature
    #[arg(long)]
    pub kept: bool,
    /// The program, by its absolute path, and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    pub program: Vec<String>,
}

#[derive(Args)]
pub struct OneKey {
    /// The key
    #[arg(allow_hyphen_values = true)]
    pub kid: String,
    /// Does it before its time
    #[arg(long)]
    pub force: bool,
}

/// How a public key is written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PublicFormat {
    /// One JSON Web Key.
    Jwk,
    /// A JSON Web Key Set.
    Jwks,
    /// PEM.
    Pem,
}

impl Choice {
    /// The algorithms and purposes that were named.
    pub fn kinds(&self) -> Vec<Kind> {
        let purpose = self.purpose.unwrap_or_default();
        self.algs.iter().map(|alg| (*alg, purpose)).collect()
    }
}

fn parse_alg(name: &str) -> Result<KeyAlg, String> {
    KeyAlg::from_name(name).ok_or_else(|| {
        let known = KeyAlg::ALL.map(KeyAlg::as_str).join(", ");
        format!("not an algorithm that keys are made for; use one of {known}")
    })
}

fn parse_purpose(name: &str) -> Result<KeyPurpose, String> {
    KeyPurpose::from_name(name).ok_or_else(|| {
        let known = KeyPurpose::ALL.map(KeyPurpose::as_str).join(", ");
        format!("not a purpose of keys; use one of {known}")
    })
}

fn parse_bits(bits: &str) -> Result<RsaBits, String> {
    match bits {
        "2048" => Ok(RsaBits::Two048),
        "3072" => Ok(RsaBits::Three072),
        "4096" => Ok(RsaBits::Four096),
        _ => Err("use 2048, 3072 or 4096".to_owned()),
    }
}

fn reason(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() { Err("say why") } else { Ok(text.to_owned()) }
}
