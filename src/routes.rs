//! Every path, method and handler, in one table.

use axum::Router;
use axum::routing::{get, post};

use crate::admin;
use crate::app::App;
use crate::bootstrap::health;
use crate::config::{Installation, RegistrationMode};
use crate::http::method::{self, without_head};
use crate::http::{cors, session};
use crate::oauth::{
    authorize, backchannel_authentication, device_authorization, discovery, introspection, jwks, logout, par, paths,
    protected_resource, registration, revocation, sample_resource, token, userinfo,
};
use crate::web;

/// What this server answers.
pub fn router(app: App) -> Router {
    // What clients and resource servers call: no cookies, open to the scripts of configured origins.
    let mut api = Router::new()
        .route(paths::PAR, post(par::post))
        .route(paths::DEVICE_AUTHORIZATION, post(device_authorization::post))
        .route(paths::BACKCHANNEL_AUTHENTICATION, post(backchannel_authentication::post))
        .route(paths::TOKEN, post(token::post))
        .route(paths::USERINFO, get(userinfo::get).post(userinfo::post))
        .route(paths::INTROSPECT, post(introspection::post))
        .route(paths::REVOKE, post(revocation::post))
        .route(paths::JWKS, get(jwks::get))
        .route(paths::OPENID_CONFIGURATION, get(discovery::get))
        .route(paths::OAUTH_AUTHORIZATION_SERVER, get(discovery::get))
        .route(paths::OAUTH_PROTECTED_RESOURCE, get(protected_resource::get))
        .route(paths::OAUTH_PROTECTED_RESOURCE_AT, get(protected_resource::get_at));
    let is_dev = app.config.installation == Installation::Dev;
    if is_dev || app.config.oidc.sample_resource {
        api = api.route(paths::RESOURCE, get(sample_resource::get));
    }
    // Before each layer, which has to see the preflight: its method is none of the above.
    let mut api = api.method_not_allowed_fallback(method::not_allowed).layer(cors::for_clients(&app.config.server));
    if app.config.registration.mode != RegistrationMode::Off {
        let one = get(registration::management::get)
            .put(registration::management::put)
            .delete(registration::management::delete);
        let registrations = Router::new()
            .route(paths::REGISTER, post(registration::post))
            .route(paths::REGISTRATION, one)
            .method_not_allowed_fallback(method::not_allowed);
        api = api.merge(registrations.layer(cors::for_registrations(&app.config.server)));
    }
    // What a browser opens: cookies, pages, redirects. Where a GET has effects there is no HEAD.
    let mut browser = Router::new()
        .route(paths::AUTHORIZE, without_head(get(authorize::get).post(authorize::post), "GET,POST"))
        .route(paths::AUTHORIZE_RESUME, without_head(get(authorize::resume), "GET"))
        .route(paths::LOGOUT, without_head(get(logout::rp_initiated::get).post(logout::rp_initiated::post), "GET,POST"))
        .route(paths::LOGGED_OUT, without_head(get(logout::pages::get), "GET"))
        .merge(web::routes(&app));
    if is_dev {
        browser = browser.merge(web::demo::routes());
    }
    Router::new()
        .merge(api)
        .merge(browser.layer(session::layer(&app)))
        .merge(admin::routes(&app))
        .merge(admin::console::routes(&app))
        .route("/health", get(health::alive))
        .route("/ready", get(health::ready))
        .fallback(method::not_found)
        .method_not_allowed_fallback(method::not_allowed)
        .with_state(app)
}
