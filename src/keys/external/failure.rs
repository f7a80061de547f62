//! Why the program of an external key gave no signature.

use std::fmt;

/// What went wrong, and what the program said to it on its standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalFailure {
    pub(super) kid: String,
    pub(super) reason: Reason,
    pub(super) said: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Reason {
    #[error("could not be started ({0})")]
    NotStarted(String),
    #[error("did not answer in time, and was ended")]
    TimedOut,
    #[error("ended without an answer ({0})")]
    Ended(String),
    #[error("answered at too great a length, and was ended")]
    TooLong,
    #[error("did not answer as docs/keys.md says")]
    NotAnAnswer,
    #[error("refused: {0:?}")]
    Refused(String),
    #[error("answered with {found} bytes instead of the {expected} of a JWS signature; DER is another form")]
    WrongLength { found: usize, expected: usize },
    #[error("answered with a signature that its public key does not verify")]
    WrongSignature,
    #[error("failed too often, and is not asked for a while")]
    Paused,
}

impl fmt::Display for ExternalFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the program of the key {} {}", self.kid, self.reason)?;
        // Escaped: whatever it prints stays one line of the log.
        if self.said.is_empty() { Ok(()) } else { write!(f, "; it said {:?}", self.said) }
    }
}

impl std::error::Error for ExternalFailure {}
