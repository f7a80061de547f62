//! What is wrong with stored keys, each with its mend, and all of it at once.

use std::fmt;

use serde::Serialize;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub mend: String,
}

/// Why stored keys cannot be used or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct KeysetError {
    place: String,
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
    pub(super) fn new(place: &str, problems: Vec<Problem>) -> Self {
        Self { place: place.to_owned(), problems }
    }

    pub(super) fn one(place: &str, problem: Problem) -> Self {
        Self::new(place, vec![problem])
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
        write!(f, "{} cannot be used as it is:", self.place)?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}
