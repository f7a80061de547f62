//! What goes on, for whoever watches: one line for each migration.

use std::time::Duration;

use ostiary::storage::postgres::migrate::Progress;

/// Writes to standard error, and remembers what was done.
pub struct Reporter {
    done: Vec<(&'static str, Duration)>,
    is_line_open: bool,
}

impl Reporter {
    /// One that has seen nothing yet.
    pub fn new() -> Self {
        Self { done: Vec::new(), is_line_open: false }
    }

    /// Says what happens.
    pub fn report(&mut self, event: Progress) {
        match event {
            Progress::Waiting { holder, left } => self.remark(&format!(
                "another migration is at work ({holder}); waiting for it, {} more at most",
                seconds(left)
            )),
            Progress::Began(migration) => {
                eprint!("{migration} ... ");
                self.is_line_open = true;
            }
            Progress::Retrying { pause } => {
                self.remark(&format!("a table is in use; its users go first, trying again in {}", seconds(pause)))
            }
            Progress::Rebuilding { index } => {
                self.remark(&format!("the index {index} was left half-built and is built again"));
            }
            Progress::Done { migration, duration } => {
                let begin = if self.is_line_open { String::new() } else { format!("{migration} ... ") };
                eprintln!("{begin}done in {}", seconds(duration));
                self.is_line_open = false;
                self.done.push((migration, duration));
            }
        }
    }

    /// The migrations that are done, with the time each took.
    pub fn done(&self) -> &[(&'static str, Duration)] {
        &self.done
    }

    /// Ends a line that was begun.
    pub fn end(&mut self) {
        if std::mem::take(&mut self.is_line_open) {
            eprintln!();
        }
    }

    fn remark(&mut self, text: &str) {
        self.end();
        eprintln!("{text}");
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}
