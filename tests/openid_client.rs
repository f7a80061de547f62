//! A client library that is not ours: discovery, code + PKCE, ID token verification, refresh, userinfo.

use openidconnect::core::{CoreClient, CoreProviderMetadata, CoreResponseType, CoreUserInfoClaims};
use openidconnect::{
    AuthenticationFlow, AuthorizationCode, ClientId, ClientSecret, CsrfToken, IssuerUrl, Nonce, OAuth2TokenResponse,
    PkceCodeChallenge, RedirectUrl, Scope, TokenResponse,
};

use crate::harness::{PASSWORD, TestApp};

#[tokio::test]
async fn an_independent_client_completes_the_whole_journey() {
    let app = TestApp::start().await;
    let (registered, alice) = (app.web_client().await, app.alice().await);
    let http = openidconnect::reqwest::ClientBuilder::new()
        .redirect(openidconnect::reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .expect("an HTTP client");

    let issuer = IssuerUrl::new(app.issuer().to_owned()).unwrap();
    let metadata = CoreProviderMetadata::discover_async(issuer, &http).await.expect("discovery and keys");
    let secret = ClientSecret::new(registered.secret().to_owned());
    let client = CoreClient::from_provider_metadata(metadata, ClientId::new(registered.id.clone()), Some(secret))
        .set_redirect_uri(RedirectUrl::new(registered.redirect_uri.clone()).unwrap());

    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
    let (url, state, nonce) = client
        .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
        .add_scope(Scope::new("email".to_owned()))
        .add_scope(Scope::new("offline_access".to_owned()))
        .set_pkce_challenge(challenge)
        .url();

    let mut browser = app.browser();
    let login = browser.open(url.as_str()).await;
    let typed = [("username", alice.username.as_str()), ("password", PASSWORD)];
    let page = browser.submit(&login, "login-submit", &typed).await;
    let mut answer = page.returned_to(&registered.redirect_uri);
    assert_eq!(answer.remove("state").as_ref(), Some(state.secret()));
    let code = AuthorizationCode::new(answer.remove("code").expect("a code"));

    let tokens = client
        .exchange_code(code)
        .expect("there is a token endpoint")
        .set_pkce_verifier(verifier)
        .request_async(&http)
        .await
        .expect("tokens");
    let id_token = tokens.id_token().expect("an ID token");
    let verifier = client.id_token_verifier();
    let claims = id_token.claims(&verifier, &nonce).expect("the ID token is verified");
    assert_eq!(claims.subject().as_str(), alice.sub());
    let algorithm = id_token.signing_alg().expect("an algorithm");
    let key = id_token.signing_key(&verifier).expect("a key");
    let hash = openidconnect::AccessTokenHash::from_token(tokens.access_token(), algorithm, key).expect("a hash");
    assert_eq!(claims.access_token_hash(), Some(&hash));

    let userinfo: CoreUserInfoClaims = client
        .user_info(tokens.access_token().clone(), Some(claims.subject().clone()))
        .expect("there is a userinfo endpoint")
        .request_async(&http)
        .await
        .expect("claims");
    assert_eq!(userinfo.email().map(|email| email.as_str()), Some("alice@people.example"));
    assert_eq!(userinfo.email_verified(), Some(true));

    let refreshed = client
        .exchange_refresh_token(tokens.refresh_token().expect("a refresh token"))
        .expect("there is a token endpoint")
        .request_async(&http)
        .await
        .expect("new tokens");
    let no_nonce = |nonce: Option<&Nonce>| if nonce.is_none() { Ok(()) } else { Err("a nonce".to_owned()) };
    let id_token = refreshed.id_token().expect("an ID token");
    let claims = id_token.claims(&verifier, no_nonce).expect("the ID token is verified");
    assert_eq!(claims.subject().as_str(), alice.sub());
    let old = tokens.refresh_token().map(|token| token.secret().clone());
    assert_ne!(refreshed.refresh_token().map(|token| token.secret().clone()), old, "it was rotated");
}
