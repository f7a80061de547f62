//! How an attempt ends: with a code, with a refusal, or without an answer of its own.

use chrono::{DateTime, Utc};
use futures_util::future::try_join;

use super::record::close;
use super::{Interaction, Permitted};
use crate::app::App;
use crate::flow::authorization_request::AuthorizationRequest;
use crate::flow::authorization_response::AuthorizationResponse;
use crate::flow::{code, decoupled, pushed_request};
use crate::protocol::error::OAuthError;
use crate::random;

/// Closes the attempt and makes its answer, a code. A repeated submit within [`REPEAT_WINDOW`](super::REPEAT_WINDOW)
/// gets a code of its own, so that a double click ends well and nothing is redeemed twice.
pub async fn finish(
    app: &App,
    interaction: Interaction,
    permitted: Permitted,
    now: DateTime<Utc>,
) -> Result<AuthorizationResponse, OAuthError> {
    // The code first: should closing fail, nobody has it, and the attempt is still there to be tried again.
    let response = answer_in(app, &interaction.request, &interaction.id, permitted, now).await?;
    close(app, interaction, now).await?;
    Ok(response)
}

/// The answer to a request that needed no page.
pub async fn answer(
    app: &App,
    request: &AuthorizationRequest,
    permitted: Permitted,
    now: DateTime<Utc>,
) -> Result<AuthorizationResponse, OAuthError> {
    answer_in(app, request, &random::id(), permitted, now).await
}

/// The answer that `attempt` gives. A pushed request has one; whoever is late keeps a code that nobody ever sees.
async fn answer_in(
    app: &App,
    request: &AuthorizationRequest,
    attempt: &str,
    permitted: Permitted,
    now: DateTime<Utc>,
) -> Result<AuthorizationResponse, OAuthError> {
    let Permitted { client, session, code_generation } = permitted;
    if let Some(waiter) = request.waiter() {
        let by = (&session, code_generation);
        decoupled::approve(app, waiter, attempt, (request, client.as_ref()), by, now).await?;
        return Ok(AuthorizationResponse::of_decoupled(app, waiter, attempt));
    }
    let envelope = AuthorizationResponse::find_envelope(app, &client, request.response_mode, now).await?;
    let code = code::authorization_code(app, request, &client, (&session, code_generation), now);
    let (code, is_first) = try_join(code, pushed_request::use_up(app, request, attempt, now)).await?;
    if !is_first {
        return Err(OAuthError::invalid_request_uri("the request_uri was used before"));
    }
    AuthorizationResponse::code(app, request.return_address(), code, envelope, now).await
}

/// Closes the attempt because the person refused (RFC 6749 section 4.1.2.1).
pub async fn deny(
    app: &App,
    interaction: Interaction,
    now: DateTime<Utc>,
) -> Result<AuthorizationResponse, OAuthError> {
    let interaction = close(app, interaction, now).await?;
    if let Some(waiter) = interaction.request.waiter() {
        decoupled::refuse(app, waiter, &interaction.id, now).await?;
        return Ok(AuthorizationResponse::of_decoupled(app, waiter, &interaction.id));
    }
    pushed_request::use_up(app, &interaction.request, &interaction.id, now).await?;
    let refusal = OAuthError::access_denied("the user refused the request");
    AuthorizationResponse::error(app, interaction.request.return_address(), &refusal, now).await
}

/// Closes the attempt without an answer of its own, such as where no page may be shown.
pub async fn end(app: &App, interaction: Interaction, now: DateTime<Utc>) -> Result<(), OAuthError> {
    close(app, interaction, now).await?;
    Ok(())
}
