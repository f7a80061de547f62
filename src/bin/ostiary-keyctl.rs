//! `ostiary-keyctl`: looks at and changes the directory of signing keys. Running servers take changes up by themselves.
//!
//! Prints for people, or with `--json` one JSON object for programs; never a private key. Exits with 0 if all is well, 1
//! if something is wrong (each problem with its mend), 2 if it was called wrongly.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use ostiary::clock::Clock;
use ostiary::keys::directory::{self, Rotation};
use ostiary::keys::keyset_file::KeyEntry;
use ostiary::keys::master_key::MasterKeys;
use ostiary::keys::private_key::RsaBits;
use ostiary::keys::problem::{KeysetError, Problem};
use ostiary::model::signing_alg::SigningAlg;
use serde_json::{Value, json};

/// Looks at and changes the signing keys of an Ostiary server.
#[derive(Parser)]
#[command(name = "ostiary-keyctl", version)]
struct Arguments {
    /// The key directory: `keys.directory` of the server's settings
    #[arg(long, global = true, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Prints one JSON object instead of text
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Lists the keys and what each is for now
    List,
    /// Checks everything that a server checks, and explains every problem
    Validate,
    /// Makes the first keys (RS256 and ES256), or prepublishes new ones beside those in use
    Generate(Choice),
    /// Lets a new key sign, and keeps the old one for verifying
    Rotate(Choice),
    /// Makes a master key file
    MasterKey {
        /// The file to make
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(clap::Args)]
struct Choice {
    /// An algorithm: RS256, PS256, ES256 or EdDSA; may be repeated
    #[arg(long = "alg", value_name = "ALG", value_parser = parse_alg)]
    algs: Vec<SigningAlg>,
    /// The size of new RSA keys: 2048, 3072 or 4096
    #[arg(long, value_name = "BITS", value_parser = parse_bits, default_value = "2048")]
    bits: RsaBits,
}

/// What a command says when it went well or found something out.
struct Answer {
    text: String,
    json: Value,
    is_good: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let needs_directory = !matches!(arguments.command, Command::MasterKey { .. });
    if needs_directory && arguments.dir.is_none() {
        let message = "the key directory is missing: add `--dir DIR`";
        Arguments::command().error(ErrorKind::MissingRequiredArgument, message).exit();
    }
    let answer = run(&arguments, Clock::system().now()).unwrap_or_else(|problems| refused(&problems));
    let text = if arguments.json { format!("{:#}\n", answer.json) } else { answer.text };
    let written = if answer.is_good || arguments.json {
        io::stdout().write_all(text.as_bytes())
    } else {
        io::stderr().write_all(text.as_bytes())
    };
    if answer.is_good && written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(arguments: &Arguments, now: DateTime<Utc>) -> Result<Answer, Vec<Problem>> {
    let directory = arguments.dir.as_deref().unwrap_or(Path::new(""));
    let all = |error: KeysetError| error.problems().to_vec();
    match &arguments.command {
        Command::List => {
            let (_, file) = directory::read_keyset_file(directory).map_err(all)?;
            Ok(Answer { text: table(&file.keys), json: json!({ "keys": file.keys }), is_good: true })
        }
        Command::Validate => Ok(validate(directory)),
        Command::Generate(choice) => {
            let is_first = !directory::has_keyset(directory);
            let make = if is_first { directory::generate_initial } else { directory::prepublish };
            Ok(generated(&make(directory, &choice.algs, choice.bits, now).map_err(all)?, is_first))
        }
        Command::Rotate(choice) => {
            Ok(rotated(&directory::rotate(directory, &choice.algs, choice.bits, now).map_err(all)?))
        }
        Command::MasterKey { file } => {
            MasterKeys::generate_file(file).map_err(|error| vec![error.problem().clone()])?;
            let text = format!(
                "Made {}. Keep a copy in a safe place: without it every client secret and refresh token is void.\n",
                file.display()
            );
            Ok(Answer { text, json: json!({ "file": file }), is_good: true })
        }
    }
}

fn validate(directory: &Path) -> Answer {
    let found = directory::inspect(directory);
    let is_good = found.problems.is_empty();
    let mut text = match found.problems.len() {
        0 => format!("{} is good.\n", directory.display()),
        1 => format!("{} has a problem:\n", directory.display()),
        count => format!("{} has {count} problems:\n", directory.display()),
    };
    text += &explain(&found.problems);
    if !found.warnings.is_empty() {
        text += "Worth a look:\n";
        text += &explain(&found.warnings);
    }
    Answer { text, json: json!({ "valid": is_good, "problems": found.problems, "warnings": found.warnings }), is_good }
}

fn generated(keys: &[KeyEntry], is_first: bool) -> Answer {
    let next = if is_first {
        "These keys sign from now on.\n"
    } else {
        "Listed from now on, but not signing yet. When everybody had time to fetch the key set (an hour is plenty), run \
         `ostiary-keyctl rotate`.\n"
    };
    Answer { text: table(keys) + next, json: json!({ "generated": keys }), is_good: true }
}

fn rotated(rotations: &[Rotation]) -> Answer {
    let mut text = String::new();
    for rotation in rotations {
        text += &format!("{}: {} signs from now on", rotation.alg.as_str(), rotation.activated);
        if let Some(superseded) = &rotation.superseded {
            text += &format!("; what {superseded} signed is still verified");
        }
        text.push('\n');
    }
    if rotations.iter().any(|rotation| !rotation.was_prepublished) {
        text += "A key was made just now. Whoever keeps a copy of the key set must fetch it again to know it; next time run \
                 `ostiary-keyctl generate` an hour before `rotate`.\n";
    }
    Answer { text, json: json!({ "rotated": rotations }), is_good: true }
}

fn refused(problems: &[Problem]) -> Answer {
    let text = format!("That did not work:\n{}", explain(problems));
    Answer { text, json: json!({ "problems": problems }), is_good: false }
}

fn explain(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("  - {}\n    mend: {}\n", problem.what, problem.mend)).collect()
}

fn table(keys: &[KeyEntry]) -> String {
    let mut text = format!("{:<43}  {:<5}  {:<12}  {:<20}  {}\n", "KID", "ALG", "STATE", "SINCE", "FILE");
    for key in keys {
        let since = key.retired_at.or(key.superseded_at).or(key.activated_at).unwrap_or(key.created_at);
        let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
        let (alg, state) = (key.alg.as_str(), key.state.as_str());
        text += &format!("{:<43}  {alg:<5}  {state:<12}  {since:<20}  {}\n", key.kid, key.file);
    }
    text
}

fn parse_alg(name: &str) -> Result<SigningAlg, String> {
    SigningAlg::from_name(name).ok_or_else(|| {
        let known = SigningAlg::ALL.map(SigningAlg::as_str).join(", ");
        format!("not an algorithm that keys are made for; use one of {known}")
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

#[cfg(test)]
#[path = "keyctl/tests.rs"]
mod tests;
