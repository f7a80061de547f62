//! The `Authorization` header, as client credentials and as a bearer token, next to a form and a query. The lines of the input
//! are the query, the body and any number of headers.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ostiary::protocol::authorization_header::AuthorizationHeader;
use ostiary::protocol::bearer::PresentedToken;
use ostiary::protocol::client_auth::Presented;
use ostiary::protocol::form::Form;

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let (Some(query), Some(body)) = (lines.next(), lines.next()) else { return };
    let headers: Vec<_> = lines.collect();
    if let Ok(Some(header)) = AuthorizationHeader::collect(headers.iter().copied()) {
        let (basic, bearer) = (header.credentials("Basic"), header.credentials("Bearer"));
        assert!(basic.is_none() || bearer.is_none());
    }
    let (Ok(query), Ok(body)) = (Form::parse(query), Form::parse(body)) else { return };
    if let Ok(presented) = Presented::collect(headers.iter().copied(), &body) {
        assert!(!presented.client_id.as_str().is_empty());
        let in_body = body.one("client_id").expect("a repeated one was refused");
        assert!(in_body.is_none_or(|client_id| client_id == presented.client_id.as_str()), "one request, one client");
    }
    if let Ok(token) = PresentedToken::collect(headers.iter().copied(), &query, Some(&body)) {
        assert!(!token.as_str().is_empty() && token.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(!query.has("access_token") && (headers.is_empty() || !body.has("access_token")));
    }
});
