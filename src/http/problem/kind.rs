//! The kinds of problems: one table from type to name, status and title.

/// What goes before the name of every type.
const PREFIX: &str = "urn:ostiary:problem:";

/// The kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProblemType {
    /// No access token and no session, or none that is good.
    Unauthenticated,
    /// Both a session cookie and an access token.
    TwoCredentials,
    /// The person signed in too long ago (RFC 9470).
    InsufficientUserAuthentication,
    /// The access token lacks a scope (RFC 6750 section 3.1).
    InsufficientScope,
    /// The caller may not do this to that.
    Forbidden,
    /// The CSRF token is missing or another browser's, or the request began elsewhere.
    Csrf,
    /// There is no such thing.
    NotFound,
    /// RFC 9110 section 15.5.6.
    MethodNotAllowed,
    /// A parameter in the path, the query or a header is not what it should be.
    InvalidParameter,
    /// The body is not JSON.
    InvalidJson,
    /// The body is JSON, but not what belongs here.
    InvalidBody,
    /// RFC 9110 section 15.5.14.
    BodyTooLarge,
    /// RFC 9110 section 15.5.16.
    UnsupportedMediaType,
    /// There is one with that identifier already.
    AlreadyExists,
    /// What is there does not allow the change.
    Conflict,
    /// `If-Match` is needed (RFC 6585 section 3).
    PreconditionRequired,
    /// It was changed meanwhile (RFC 9110 section 15.5.13).
    PreconditionFailed,
    /// The `Idempotency-Key` was used for another request.
    IdempotencyKeyReused,
    /// A store does not answer.
    Unavailable,
    /// Our fault.
    Internal,
}

impl ProblemType {
    /// Every type.
    pub const ALL: [Self; 20] = [
        Self::Unauthenticated,
        Self::TwoCredentials,
        Self::InsufficientUserAuthentication,
        Self::InsufficientScope,
        Self::Forbidden,
        Self::Csrf,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::InvalidParameter,
        Self::InvalidJson,
        Self::InvalidBody,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::AlreadyExists,
        Self::Conflict,
        Self::PreconditionRequired,
        Self::PreconditionFailed,
        Self::IdempotencyKeyReused,
        Self::Unavailable,
        Self::Internal,
    ];

    pub(super) fn entry(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::Unauthenticated => ("unauthenticated", 401, "An access token for the admin API is needed"),
            Self::TwoCredentials => ("two-credentials", 400, "A session cookie and an access token exclude each other"),
            Self::InsufficientUserAuthentication => {
                ("insufficient-user-authentication", 401, "The sign-in is too long ago")
            }
            Self::InsufficientScope => ("insufficient-scope", 403, "The access token lacks a scope"),
            Self::Forbidden => ("forbidden", 403, "The caller may not do this"),
            Self::Csrf => ("csrf", 403, "The CSRF token is missing or not the one of this browser"),
            Self::NotFound => ("not-found", 404, "There is no such thing"),
            Self::MethodNotAllowed => ("method-not-allowed", 405, "The method is not allowed here"),
            Self::InvalidParameter => ("invalid-parameter", 400, "A parameter is not what it should be"),
            Self::InvalidJson => ("invalid-json", 400, "The body is not JSON"),
            Self::InvalidBody => ("invalid-body", 422, "The body is not what belongs here"),
            Self::BodyTooLarge => ("body-too-large", 413, "The body is too large"),
            Self::UnsupportedMediaType => ("unsupported-media-type", 415, "The content type is not supported"),
            Self::AlreadyExists => ("already-exists", 409, "It exists already"),
            Self::Conflict => ("conflict", 409, "What is there does not allow the change"),
            Self::PreconditionRequired => ("precondition-required", 428, "If-Match is needed"),
            Self::PreconditionFailed => ("precondition-failed", 412, "It was changed meanwhile"),
            Self::IdempotencyKeyReused => {
                ("idempotency-key-reused", 422, "The Idempotency-Key was used for another request")
            }
            Self::Unavailable => ("unavailable", 503, "The server cannot reach its storage"),
            Self::Internal => ("internal", 500, "The server could not complete the request"),
        }
    }

    /// The URI that names it.
    pub fn uri(self) -> String {
        format!("{PREFIX}{}", self.entry().0)
    }

    /// The status it is sent with.
    pub fn status(self) -> u16 {
        self.entry().1
    }

    /// What it is called.
    pub fn title(self) -> &'static str {
        self.entry().2
    }
}
