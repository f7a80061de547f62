//! The browser that asks for a page: its cookies, its language, and how a page is sent to it.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, SET_COOKIE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use url::Url;

use super::client_ip::ClientIp;
use super::cookies::BrowserId;
use super::headers::{no_store, origin_source, page_csp, scheme_source};
use super::pages::locale::Locale;
use super::pages::view::Site;
use super::session::BrowserSession;
use crate::app::App;
use crate::flow::throttle::Network;
use crate::model::audit::Origin;

/// The header in which every answer carries the id that finds its log lines.
pub const REQUEST_ID: &str = "x-request-id";

/// A browser. Its cookie travels with whatever it is sent.
pub struct Browser {
    /// Which browser: attempts and forms are bound to it.
    pub id: BrowserId,
    /// Who is signed in.
    pub session: BrowserSession,
    /// Where it is, for limits.
    pub network: Network,
    /// Where it is, for the record.
    ip: IpAddr,
    /// What support needs to find this request in the log.
    pub support_id: String,
    /// Whether a form of ours is being answered.
    is_answering_form: bool,
    /// Present when the browser had no cookie yet, and would have sent it.
    set_cookie: Option<HeaderValue>,
    accept_language: Option<String>,
    default_locale: Locale,
    issuer: String,
}

/// What a page may do besides showing itself.
#[derive(Clone, Debug, Default)]
pub struct Csp {
    form_action: Vec<String>,
    frames: Vec<String>,
    has_script: bool,
}

impl Csp {
    /// A page whose form is answered with a [`Browser::redirect`] to `redirect_uri`, if it is an application's own: only
    /// those are redirected to in answer to a form (see `http::hand_over`).
    pub fn returning_to(redirect_uri: &str) -> Self {
        if is_web_address(redirect_uri) { Self::default() } else { Self::posting_to(redirect_uri) }
    }

    /// A page whose form is sent to `action`, somebody else's, who may send the browser on to wherever they like.
    pub fn posting_to(action: &str) -> Self {
        Self { form_action: scheme_source(action).into_iter().collect(), ..Self::default() }
    }

    /// The same, if its form may also end at `url`, which sends the browser nowhere else.
    pub fn or_to(mut self, url: &str) -> Self {
        self.form_action.extend(origin_source(url));
        self
    }

    /// A page that loads these addresses in frames.
    pub fn framing(frames: &[String]) -> Self {
        Self { frames: frames.to_vec(), ..Self::default() }
    }

    /// The same with our own script file allowed.
    pub fn with_script(mut self) -> Self {
        self.has_script = true;
        self
    }
}

impl Browser {
    /// The server as it speaks to this browser, in the first language that the request and the browser agree on.
    pub fn site(&self, ui_locales: &[String]) -> Site {
        let wanted = ui_locales.iter().map(String::as_str);
        let locale = Locale::negotiate(wanted, self.accept_language.as_deref(), self.default_locale);
        Site::new(locale, &self.issuer)
    }

    /// The same, asked by a form of another site: what that form may lead to is for that site to say.
    pub fn from_elsewhere(mut self) -> Self {
        self.is_answering_form = false;
        self
    }

    /// Whether a form of ours is being answered, whose policy is what the browser judges the answer by.
    pub fn is_answering_form(&self) -> bool {
        self.is_answering_form
    }

    /// Sends a page.
    pub fn page(&self, status: StatusCode, html: String, csp: &Csp) -> Response {
        self.with_cookie(page(status, html, csp))
    }

    /// Sends the browser elsewhere, by GET (RFC 9110 section 15.4.4).
    pub fn redirect(&self, location: &str) -> Response {
        match HeaderValue::from_str(location) {
            Ok(location) => {
                self.with_cookie((StatusCode::SEE_OTHER, no_store(), [(LOCATION, location)]).into_response())
            }
            Err(error) => {
                tracing::error!(%error, "an address could not be written into a header");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }

    /// Lets the cookie travel with an answer that is neither a page nor a redirect.
    pub fn with_cookie(&self, mut response: Response) -> Response {
        if let Some(cookie) = &self.set_cookie {
            response.headers_mut().append(SET_COOKIE, cookie.clone());
        }
        response
    }
}

/// A page for whoever asked.
pub(super) fn page(status: StatusCode, html: String, csp: &Csp) -> Response {
    let policy = page_csp(&csp.form_action, &csp.frames, csp.has_script);
    let headers =
        [(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")), (CONTENT_SECURITY_POLICY, policy)];
    (status, no_store(), headers, html).into_response()
}

/// Whether a browser shows what is at `uri`, rather than handing it to an application.
pub fn is_web_address(uri: &str) -> bool {
    Url::parse(uri).is_ok_and(|url| matches!(url.scheme(), "https" | "http"))
}

impl Browser {
    /// Where the request came from, for what is recorded of it.
    pub fn origin(&self) -> Origin {
        Origin { ip: Some(self.ip), request_id: Some(self.support_id.clone()) }
    }
}

impl FromRequestParts<App> for Browser {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, StatusCode> {
        let (id, set_cookie) = BrowserId::from_headers(&parts.headers, app.config.server.has_secure_cookies());
        // A form posted from another site comes without the cookie of a browser that has one (`SameSite=Lax`): giving it
        // another would let any site end the attempts that the person is in.
        let set_cookie = set_cookie.filter(|_| parts.method.is_safe());
        let Ok(session) = BrowserSession::from_request_parts(parts, app).await;
        let client_ip = ClientIp::from_request_parts(parts, app).await?;
        let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
        Ok(Self {
            id,
            session,
            network: client_ip.network(),
            ip: client_ip.0,
            is_answering_form: !parts.method.is_safe(),
            set_cookie,
            support_id: text(REQUEST_ID).unwrap_or_default(),
            accept_language: text(ACCEPT_LANGUAGE.as_str()),
            default_locale: Locale::from_tag(&app.config.pages.default_locale).unwrap_or_default(),
            issuer: app.issuer().to_owned(),
        })
    }
}
