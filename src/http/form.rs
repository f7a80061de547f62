//! Extractors of [`Form`]s: from the body and from the query.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, StatusCode};

use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;

/// The form in the body of a request. Answers 413 to a body over the limit and 400 `invalid_request` to anything that is not
/// a well-formed form.
#[derive(Clone, Debug)]
pub struct OAuthForm(pub Form);

/// The form in the body of a request from a page with lists to tick; refused like an [`OAuthForm`].
#[derive(Clone, Debug)]
pub struct TickedForm(pub Form);

/// The parameters in the query of a request; none if there is no query.
#[derive(Clone, Debug)]
pub struct OAuthQuery(pub Form);

impl<S: Send + Sync> FromRequest<S> for OAuthForm {
    type Rejection = OAuthError;

    async fn from_request(request: Request, state: &S) -> Result<Self, OAuthError> {
        Form::parse(&read(request, state).await?).map(Self)
    }
}

impl<S: Send + Sync> FromRequest<S> for TickedForm {
    type Rejection = OAuthError;

    async fn from_request(request: Request, state: &S) -> Result<Self, OAuthError> {
        Form::parse_ticked(&read(request, state).await?).map(Self)
    }
}

/// The body of a request, if it is said to be a form.
async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, OAuthError> {
    if !is_form(request.headers()) {
        return Err(OAuthError::invalid_request("the content type must be application/x-www-form-urlencoded"));
    }
    Bytes::from_request(request, state).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return OAuthError::invalid_request("the request body is too large")
                .with_status(StatusCode::PAYLOAD_TOO_LARGE.as_u16());
        }
        OAuthError::invalid_request("the request body could not be read")
    })
}

/// The form in the body of a request that need not have one: a body of another type is not looked at.
#[derive(Clone, Debug)]
pub struct OptionalOAuthForm(pub Option<Form>);

impl<S: Send + Sync> FromRequest<S> for OptionalOAuthForm {
    type Rejection = OAuthError;

    async fn from_request(request: Request, state: &S) -> Result<Self, OAuthError> {
        if !is_form(request.headers()) {
            return Ok(Self(None));
        }
        OAuthForm::from_request(request, state).await.map(|OAuthForm(form)| Self(Some(form)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OAuthQuery {
    type Rejection = OAuthError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, OAuthError> {
        Form::parse(parts.uri.query().unwrap_or_default().as_bytes()).map(Self)
    }
}

/// Whether the one `Content-Type` is that of a form, in any case and with any parameters: many clients add a charset, and
/// the text has to be UTF-8 whatever it says (RFC 6749 appendix B).
fn is_form(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    value.to_str().is_ok_and(|value| {
        let essence = value.split_once(';').map_or(value, |(essence, _)| essence);
        essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::extract::DefaultBodyLimit;
    use axum::routing::{get, post};
    use tower::ServiceExt;

    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";

    async fn answer(request: Request) -> (StatusCode, String) {
        let router = Router::new()
            .route("/form", post(|OAuthForm(form): OAuthForm| async move { echo(&form) }))
            .route(
                "/optional",
                post(|OptionalOAuthForm(form): OptionalOAuthForm| async move {
                    form.as_ref().map_or(Ok("none".into()), echo)
                }),
            )
            .route("/query", get(|OAuthQuery(form): OAuthQuery| async move { echo(&form) }))
            .layer(DefaultBodyLimit::max(64));
        let response = router.oneshot(request).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn echo(form: &Form) -> Result<String, OAuthError> {
        Ok(form.one("a")?.unwrap_or("absent").to_owned())
    }

    async fn posted(content_types: &[&str], body: impl Into<Body>) -> (StatusCode, String) {
        let mut request = Request::post("/form");
        for content_type in content_types {
            request = request.header(CONTENT_TYPE, *content_type);
        }
        answer(request.body(body.into()).unwrap()).await
    }

    async fn queried(query: &str) -> (StatusCode, String) {
        answer(Request::get(format!("/query{query}")).body(Body::empty()).unwrap()).await
    }

    #[tokio::test]
    async fn a_form_is_read_whatever_its_charset() {
        for content_type in
            [FORM, "Application/X-WWW-Form-Urlencoded; charset=UTF-8", "application/x-www-form-urlencoded ;x"]
        {
            assert_eq!(posted(&[content_type], "a=b+c").await, (StatusCode::OK, "b c".into()), "{content_type}");
        }
        assert_eq!(posted(&[FORM], "").await, (StatusCode::OK, "absent".into()));
    }

    #[tokio::test]
    async fn another_content_type_is_refused() {
        for content_types in
            [&[][..], &["application/json"], &["text/plain"], &["application/x-www-form-urlencodedx"], &[FORM, FORM]]
        {
            let (status, body) = posted(content_types, "a=b").await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{content_types:?}");
            assert!(body.contains(r#""error":"invalid_request""#), "{body}");
        }
    }

    #[tokio::test]
    async fn a_malformed_form_is_refused() {
        for encoded in ["a=%zz", "a=%ff", "a=%00", "a=1&a=2"] {
            let (status, body) = posted(&[FORM], encoded).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{encoded}");
            assert!(body.contains(r#""error":"invalid_request""#), "{body}");
            assert_eq!(queried(&format!("?{encoded}")).await.0, StatusCode::BAD_REQUEST, "{encoded}");
        }
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_answered_413() {
        let (status, body) = posted(&[FORM], format!("a={}", "b".repeat(64))).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(body.contains(r#""error":"invalid_request""#), "{body}");
    }

    #[tokio::test]
    async fn an_optional_form_may_be_absent_but_not_malformed() {
        let post = |content_type: &str, body: &'static str| {
            let request = Request::post("/optional").header(CONTENT_TYPE, content_type);
            answer(request.body(Body::from(body)).unwrap())
        };
        assert_eq!(post(FORM, "a=b").await, (StatusCode::OK, "b".into()));
        assert_eq!(post("application/json", "{}").await, (StatusCode::OK, "none".into()));
        assert_eq!(post(FORM, "a=%").await.0, StatusCode::BAD_REQUEST);
        let bare = Request::post("/optional").body(Body::empty()).unwrap();
        assert_eq!(answer(bare).await, (StatusCode::OK, "none".into()));
    }

    #[tokio::test]
    async fn a_query_is_read_and_may_be_absent() {
        assert_eq!(queried("?a=b%20c").await, (StatusCode::OK, "b c".into()));
        assert_eq!(queried("?").await, (StatusCode::OK, "absent".into()));
        assert_eq!(queried("").await, (StatusCode::OK, "absent".into()));
    }
}
