//! What is wrong with a configuration: every finding names its key and the mend. Values are never repeated, some are secrets.

use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where: `section.key`, the variable or the file it came from.
    pub key: String,
    /// What is wrong there.
    pub problem: String,
    /// What to do about it.
    pub mend: String,
}

impl ConfigError {
    /// A finding.
    pub fn new(key: impl Into<String>, problem: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into(), mend: mend.into() }
    }
}

/// Everything that is wrong, at once; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0.len() == 1 { "error" } else { "errors" };
        write!(f, "the configuration has {} {plural}", self.0.len())?;
        for ConfigError { key, problem, mend } in &self.0 {
            write!(f, "\n  {key}: {problem}\n      mend: {mend}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
