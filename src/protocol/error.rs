//! One error type for every OAuth and OpenID Connect endpoint, with one table from code to status.
//!
//! Codes: RFC 6749 sections 4.1.2.1 and 5.2, RFC 6750 section 3.1, RFC 7009 section 2.2.1, RFC 8707 section 2, RFC 8628
//! section 3.5, RFC 7591 section 3.2.2, RFC 9449 sections 5 and 8, RFC 9470 section 3, RFC 9396 section 5, OpenID Connect CIBA section 13, OpenID Connect Core section 3.1.2.6 and Unmet Authentication Requirements 1.0. Descriptions are fixed printable ASCII without
//! `"` and `\` (RFC 6749 section 5.2): nothing that a caller sent is ever echoed in them.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// When to come again if nothing more is known: longer than a restart of a store takes, shorter than a person waits.
const RETRY: Duration = Duration::from_secs(5);

/// The longest detail, and the longest parameter of a challenge, in bytes: what is told must not grow with what was sent, and a header
/// that is too long is lost at a proxy.
const LONGEST_DETAIL: usize = 1024;
const LONGEST_PARAMETER: usize = 512;

/// What ends a detail that was cut.
const CUT: &str = " ...";

/// A registered error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// `invalid_request`
    InvalidRequest,
    /// `invalid_client`
    InvalidClient,
    /// `invalid_grant`
    InvalidGrant,
    /// `unauthorized_client`
    UnauthorizedClient,
    /// `unsupported_grant_type`
    UnsupportedGrantType,
    /// `invalid_scope`
    InvalidScope,
    /// `invalid_target`
    InvalidTarget,
    /// `access_denied`
    AccessDenied,
    /// `unsupported_response_type`
    UnsupportedResponseType,
    /// `unsupported_token_type`
    UnsupportedTokenType,
    /// `server_error`
    ServerError,
    /// `temporarily_unavailable`
    TemporarilyUnavailable,
    /// `login_required`
    LoginRequired,
    /// `interaction_required`
    InteractionRequired,
    /// `consent_required`
    ConsentRequired,
    /// `account_selection_required`
    AccountSelectionRequired,
    /// `request_not_supported`
    RequestNotSupported,
    /// `request_uri_not_supported`
    RequestUriNotSupported,
    /// `invalid_request_object`
    InvalidRequestObject,
    /// `invalid_request_uri`
    InvalidRequestUri,
    /// `registration_not_supported`
    RegistrationNotSupported,
    /// `unmet_authentication_requirements`
    UnmetAuthenticationRequirements,
    /// `invalid_token`
    InvalidToken,
    /// `insufficient_user_authentication`
    InsufficientUserAuthentication,
    /// `insufficient_scope`
    InsufficientScope,
    /// `invalid_dpop_proof`
    InvalidDpopProof,
    /// `use_dpop_nonce`
    UseDpopNonce,
    /// `authorization_pending`
    AuthorizationPending,
    /// `slow_down`
    SlowDown,
    /// `expired_token`
    ExpiredToken,
    /// `invalid_authorization_details`
    InvalidAuthorizationDetails,
    /// `invalid_redirect_uri`
    InvalidRedirectUri,
    /// `invalid_client_metadata`
    InvalidClientMetadata,
    /// `unknown_user_id`
    UnknownUserId,
    /// `invalid_binding_message`
    InvalidBindingMessage,
}

impl ErrorCode {
    /// The registered name.
    pub fn as_str(self) -> &'static str {
        self.entry().0
    }

    /// The status of a direct (not redirected) answer.
    pub fn status(self) -> u16 {
        self.entry().1
    }

    fn entry(self) -> (&'static str, u16) {
        match self {
            Self::InvalidRequest => ("invalid_request", 400),
            Self::InvalidClient => ("invalid_client", 401),
            Self::InvalidGrant => ("invalid_grant", 400),
            Self::UnauthorizedClient => ("unauthorized_client", 400),
            Self::UnsupportedGrantType => ("unsupported_grant_type", 400),
            Self::InvalidScope => ("invalid_scope", 400),
            Self::InvalidTarget => ("invalid_target", 400),
            Self::AccessDenied => ("access_denied", 403),
            Self::UnsupportedResponseType => ("unsupported_response_type", 400),
            Self::UnsupportedTokenType => ("unsupported_token_type", 400),
            Self::ServerError => ("server_error", 500),
            Self::TemporarilyUnavailable => ("temporarily_unavailable", 503),
            Self::LoginRequired => ("login_required", 400),
            Self::InteractionRequired => ("interaction_required", 400),
            Self::ConsentRequired => ("consent_required", 400),
            Self::AccountSelectionRequired => ("account_selection_required", 400),
            Self::RequestNotSupported => ("request_not_supported", 400),
            Self::RequestUriNotSupported => ("request_uri_not_supported", 400),
            Self::InvalidRequestObject => ("invalid_request_object", 400),
            Self::InvalidRequestUri => ("invalid_request_uri", 400),
            Self::RegistrationNotSupported => ("registration_not_supported", 400),
            Self::UnmetAuthenticationRequirements => ("unmet_authentication_requirements", 400),
            Self::InvalidToken => ("invalid_token", 401),
            Self::InsufficientUserAuthentication => ("insufficient_user_authentication", 401),
            Self::InsufficientScope => ("insufficient_scope", 403),
            Self::InvalidDpopProof => ("invalid_dpop_proof", 400),
            Self::UseDpopNonce => ("use_dpop_nonce", 400),
            Self::AuthorizationPending => ("authorization_pending", 400),
            Self::SlowDown => ("slow_down", 400),
            Self::ExpiredToken => ("expired_token", 400),
            Self::InvalidAuthorizationDetails => ("invalid_authorization_details", 400),
            Self::InvalidRedirectUri => ("invalid_redirect_uri", 400),
            Self::InvalidClientMetadata => ("invalid_client_metadata", 400),
            Self::UnknownUserId => ("unknown_user_id", 400),
            Self::InvalidBindingMessage => ("invalid_binding_message", 400),
        }
    }
}

/// What a 401 or 403 says about how to authenticate (RFC 9110 section 11.6.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Challenge {
    /// No `WWW-Authenticate`.
    #[default]
    None,
    /// The client tried HTTP Basic (RFC 6749 section 5.2).
    Basic,
    /// A protected resource (RFC 6750 section 3); the code and description are repeated in the header.
    Bearer,
    /// The same, with the scope that the resource needs (RFC 6750 section 3).
    BearerScope(&'static str),
    /// A protected resource called without any token: the header carries no error code (RFC 6750 section 3.1).
    BearerMissing,
    /// The same where tokens are never bound to a key: those with which clients register (RFC 7591 section 3).
    PlainBearerMissing,
    /// A token that is bound to a key was sent as if it were not (RFC 9449 section 7.2).
    BearerBound,
    /// A protected resource that was shown a proof (RFC 9449 section 7.1).
    Dpop,
    /// The same, with the scope that the resource needs.
    DpopScope(&'static str),
}

/// An error of an OAuth endpoint.
#[derive(Clone, Debug)]
pub struct OAuthError {
    code: ErrorCode,
    description: &'static str,
    challenge: Challenge,
    status: Option<u16>,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn Error + Send + Sync>>,
    more: Option<Box<More>>,
}

/// What few errors say besides: apart, so that the others stay small.
#[derive(Clone, Debug, Default)]
struct More {
    detail: Option<Box<str>>,
    challenge_parameters: Vec<(&'static str, String)>,
    dpop_nonce: Option<Box<str>>,
}

macro_rules! constructors {
    ($($name:ident => $code:ident),* $(,)?) => {
        $(
            #[doc = concat!("`", stringify!($name), "`")]
            pub fn $name(description: &'static str) -> Self {
                Self::new(ErrorCode::$code, description)
            }
        )*
    };
}

impl OAuthError {
    /// An error with a fixed description in printable ASCII without `"` and `\`.
    pub fn new(code: ErrorCode, description: &'static str) -> Self {
        Self {
            code,
            description,
            challenge: Challenge::None,
            status: None,
            retry_after: None,
            more: None,
            source: None,
        }
    }

    constructors! {
        invalid_request => InvalidRequest,
        invalid_client => InvalidClient,
        invalid_grant => InvalidGrant,
        unauthorized_client => UnauthorizedClient,
        unsupported_grant_type => UnsupportedGrantType,
        invalid_scope => InvalidScope,
        invalid_target => InvalidTarget,
        access_denied => AccessDenied,
        unsupported_response_type => UnsupportedResponseType,
        unsupported_token_type => UnsupportedTokenType,
        server_error => ServerError,
        temporarily_unavailable => TemporarilyUnavailable,
        login_required => LoginRequired,
        interaction_required => InteractionRequired,
        consent_required => ConsentRequired,
        account_selection_required => AccountSelectionRequired,
        request_not_supported => RequestNotSupported,
        request_uri_not_supported => RequestUriNotSupported,
        invalid_request_object => InvalidRequestObject,
        invalid_request_uri => InvalidRequestUri,
        registration_not_supported => RegistrationNotSupported,
        unmet_authentication_requirements => UnmetAuthenticationRequirements,
        invalid_token => InvalidToken,
        insufficient_user_authentication => InsufficientUserAuthentication,
        insufficient_scope => InsufficientScope,
        invalid_dpop_proof => InvalidDpopProof,
        use_dpop_nonce => UseDpopNonce,
        authorization_pending => AuthorizationPending,
        slow_down => SlowDown,
        expired_token => ExpiredToken,
        invalid_authorization_details => InvalidAuthorizationDetails,
        invalid_redirect_uri => InvalidRedirectUri,
        invalid_client_metadata => InvalidClientMetadata,
        unknown_user_id => UnknownUserId,
        invalid_binding_message => InvalidBindingMessage,
    }

    /// The same error with what caused it, for the log only.
    pub fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// The same error with a challenge.
    pub fn with_challenge(mut self, challenge: Challenge) -> Self {
        self.challenge = challenge;
        self
    }

    /// The same error with a parameter for each of its challenges (RFC 9110 section 11.2). One whose value a quoted string
    /// could not hold as it is, or that is longer than a header should be, is left out.
    pub fn with_challenge_parameter(mut self, name: &'static str, value: &str) -> Self {
        if value.len() <= LONGEST_PARAMETER
            && value.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\')
        {
            self.more().challenge_parameters.push((name, value.to_owned()));
        }
        self
    }

    /// What each of its challenges says besides.
    pub fn challenge_parameters(&self) -> &[(&'static str, String)] {
        self.more.as_ref().map_or(&[], |more| &more.challenge_parameters)
    }

    /// The same error with a status that HTTP, not OAuth, asks for: 405, 413, 415, 429.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The same error for whoever asked too often: with 429, and when to come again.
    pub fn with_wait(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self.with_status(429)
    }

    /// The same error with the nonce that the next proof must have (RFC 9449 section 8).
    pub fn with_dpop_nonce(mut self, nonce: &str) -> Self {
        self.more().dpop_nonce = Some(nonce.into());
        self
    }

    /// The same error that says in the body, in place of its description, what exactly is wrong. In our own words: what a
    /// description cannot hold is left out (RFC 6749 section 5.2), and one that is too long is cut.
    pub fn with_detail(mut self, detail: &str) -> Self {
        let is_allowed = |c: &char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
        let mut told: String = detail.chars().filter(is_allowed).take(LONGEST_DETAIL + 1).collect();
        if told.len() > LONGEST_DETAIL {
            told.truncate(LONGEST_DETAIL - CUT.len());
            told.push_str(CUT);
        }
        self.more().detail = Some(told.into());
        self
    }

    /// What the body says.
    pub fn detail(&self) -> &str {
        self.more.as_ref().and_then(|more| more.detail.as_deref()).unwrap_or(self.description)
    }

    /// The nonce that the next proof must have.
    pub fn dpop_nonce(&self) -> Option<&str> {
        self.more.as_ref()?.dpop_nonce.as_deref()
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// The code.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// The description.
    pub fn description(&self) -> &'static str {
        self.description
    }

    /// The challenge.
    pub fn challenge(&self) -> Challenge {
        self.challenge
    }

    /// When to come again, for a direct answer that says so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after.or(matches!(self.status(), 429 | 503).then_some(RETRY))
    }

    /// The status of a direct answer.
    pub fn status(&self) -> u16 {
        if let Some(status) = self.status {
            return status;
        }
        match (self.code, self.challenge) {
            // RFC 9110 section 15.5.2: a 401 must carry a challenge, and only who tried Basic is given one (RFC 6749
            // section 5.2).
            (ErrorCode::InvalidClient, Challenge::None) => 400,
            // RFC 9449 sections 7.1 and 9: at a resource a proof is a credential.
            (ErrorCode::InvalidDpopProof | ErrorCode::UseDpopNonce, Challenge::Dpop | Challenge::DpopScope(_)) => 401,
            (code, _) => code.status(),
        }
    }
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.description)
    }
}

impl Error for OAuthError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}
