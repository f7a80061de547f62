//! What is wrong with a key directory, each with its mend, and all of it at once.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub mend: String,
}

/// Why a key directory cannot be used or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct KeysetError {
    directory: PathBuf,
    problems: Vec<Problem>,
}

impl Problem {
    /// Something wrong, and its mend.
    pub fn new(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { what: what.into(), mend: mend.into() }
    }

    pub(super) fn of_key(kid: &str, what: &str, mend: &str) -> Self {
        Self::new(format!("the key {kid} {what}"), mend)
    }
}

impl KeysetError {
    pub(super) fn new(directory: &Path, problems: Vec<Problem>) -> Self {
        Self { directory: directory.to_owned(), problems }
    }

    pub(super) fn one(directory: &Path, problem: Problem) -> Self {
        Self::new(directory, vec![problem])
    }

    /// Everything that is wrong.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; mend: {}", self.what, self.mend)
    }
}

impl fmt::Display for KeysetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the key directory {} cannot be used as it is:", self.directory.display())?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}
