//! `ostiary-keyctl`: looks at and changes the signing keys, in a directory or in Postgres. Running servers take changes up
//! by themselves.
//!
//! Prints for people, or with `--json` one JSON object for programs; never a private key. Exits with
//!
//! | | |
//! |---|---|
//! | 0 | all is well |
//! | 1 | it did not work; each problem is told with its mend |
//! | 2 | it was called wrongly |
//! | 3 | `validate` found problems |
//! | 4 | nothing was done: the time has not come, or `--yes` is missing |

// What may be asked.
#[path = "keyctl/arguments.rs"]
mod arguments;
// What is said.
#[path = "keyctl/answer.rs"]
mod answer;
// Who has the newest key.
#[path = "keyctl/audience.rs"]
mod audience;
// The commands.
#[path = "keyctl/command.rs"]
mod command;
// Public keys as others want them.
#[path = "keyctl/export.rs"]
mod export;
// Keys that are elsewhere.
#[path = "keyctl/external.rs"]
mod external;
// Where the keys are.
#[path = "keyctl/place.rs"]
mod place;
// What an emergency breaks.
#[path = "keyctl/revocation.rs"]
mod revocation;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use ostiary::clock::Clock;
use tracing::Level;

use self::answer::{Answer, Outcome};
use self::arguments::Arguments;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // What is no answer, such as that a change could not be recorded.
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(Level::WARN)
        .without_time()
        .with_target(false)
        .init();
    let arguments = Arguments::parse();
    let answer = command::run(&arguments, &Clock::system()).await.unwrap_or_else(|problems| Answer::refused(&problems));
    let text = if arguments.json && !answer.json.is_null() { format!("{:#}\n", answer.json) } else { answer.text };
    let is_for_stdout = arguments.json || answer.outcome != Outcome::Failed;
    let written =
        if is_for_stdout { io::stdout().write_all(text.as_bytes()) } else { io::stderr().write_all(text.as_bytes()) };
    if written.is_ok() { answer.outcome.exit_code() } else { ExitCode::FAILURE }
}

#[cfg(test)]
#[path = "keyctl/tests.rs"]
mod tests;
