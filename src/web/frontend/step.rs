//! What a frontend is told to do next.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use super::super::attempt;
use super::unknown;
use crate::app::App;
use crate::flow::authorization_request::AuthorizationRequest;
use crate::flow::authorization_response::AuthorizationResponse;
use crate::flow::interaction::{self, Interaction, Next};
use crate::http::browser::Browser;
use crate::http::pages::consent::DetailView;
use crate::http::pages::view::{ClientView, return_host};
use crate::protocol::authorization_response::{Delivery, deliver};
use crate::protocol::error::OAuthError;

/// What the frontend does next.
#[derive(Serialize)]
#[serde(tag = "next", rename_all = "snake_case")]
pub(super) enum Step {
    /// Show a sign-in, for `/auth/login`. `username` is what to fill in; it may be empty.
    Login { interaction: String, is_again: bool, username: String, client: Option<Asker> },
    /// Ask with which account to go on, for `/authorize/decision`.
    SelectAccount { interaction: String, client: Option<Asker>, account: String, person: Named },
    /// Ask for consent, for `/authorize/decision`.
    Consent { interaction: String, account: String, person: Named, question: Box<Question> },
    /// Send the browser there.
    Redirect { location: String },
    /// Let the browser post a form there (OAuth 2.0 Form Post Response Mode).
    FormPost { action: String, fields: Map<String, Value> },
    /// The sign-in is over; send the browser where the person came from.
    Account,
}

#[derive(Serialize)]
pub(super) struct Asker {
    client_id: String,
    name: String,
    uri: Option<String>,
    logo: Option<String>,
    policy_uri: Option<String>,
    tos_uri: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Named {
    name: String,
    username: String,
}

#[derive(Serialize)]
pub(super) struct Described {
    name: String,
    description: String,
}

/// Something that is asked for in particular (RFC 9396).
#[derive(Serialize)]
pub(super) struct Detail {
    name: String,
    /// In words; absent: say what the members say.
    #[serde(skip_serializing_if = "Option::is_none")]
    sentence: Option<String>,
    members: Vec<Described>,
}

#[derive(Serialize)]
pub(super) struct Question {
    client: Asker,
    /// The host that vouches for who the client is, where nobody registered it: the page has to say so, because name and logo are
    /// its own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    named_by: Option<String>,
    /// Whether it registered itself: the page has to say so too, for the same reason.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    registered_itself: bool,
    scopes: Vec<Described>,
    resources: Vec<Described>,
    /// A page that does not show them must not ask.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorization_details: Vec<Detail>,
    is_offline: bool,
    returns_to: String,
    /// Whether a device waits for the answer (RFC 8628): the page has to say so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_device: bool,
    /// Whether a client waits whose person is elsewhere (OpenID Connect CIBA): the page has to say so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_backchannel: bool,
    /// What the person has to compare with what that client shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    binding_message: Option<String>,
}

impl Detail {
    fn of(DetailView { name, sentence, members }: DetailView) -> Self {
        let members = members.into_iter().map(|(name, description)| Described { name, description });
        Self { name: name.text, sentence: sentence.map(|sentence| sentence.text), members: members.collect() }
    }
}

/// What a request needs next; the answer to the client, if nothing.
pub(super) async fn next_step(
    app: &App,
    browser: &Browser,
    request: AuthorizationRequest,
    attempt: Option<Interaction>,
    now: DateTime<Utc>,
) -> Result<Step, OAuthError> {
    let signed_in = browser.session.signed_in(now).await?;
    let to = request.return_address();
    let next = match interaction::next(app, &request, attempt.as_ref(), signed_in.as_ref(), now).await {
        Ok(next) => next,
        // An outage passes, and the frontend can ask again: nothing is decided that the client would have to know.
        Err(error) if error.status() >= 500 => return Err(error),
        // Nobody but the person can be told.
        Err(error) if to.is_decoupled => return Err(error),
        Err(error) => return Ok(delivered(AuthorizationResponse::error(app, to, &error, now).await?)),
    };
    if let Next::Ready(permitted) = next {
        let response = match attempt {
            Some(attempt) => interaction::finish(app, attempt, *permitted, now).await?,
            None => interaction::answer(app, &request, *permitted, now).await?,
        };
        return Ok(delivered(response));
    }
    let attempt = match attempt {
        Some(attempt) if !attempt.is_repeatable(now) => attempt,
        // None yet, or the person came back after they refused: it begins anew.
        _ => interaction::begin(app, request, Some(browser.id.hash()), &browser.network, now).await?,
    };
    let (site, client) = attempt::site_and_client(app, browser, &attempt, now).await?;
    let asker = client.map(|client| Asker::new(app, client));
    let account = signed_in.map(|signed_in| signed_in.subject.as_str().to_owned()).unwrap_or_default();
    Ok(match next {
        Next::Consent(asked) => {
            let described = |name: &str, description: String| Described { name: name.to_owned(), description };
            let question = Question {
                client: Asker::new(app, ClientView::of(&asked.client, site.locale)),
                named_by: asked.named_by,
                registered_itself: asked.registered_itself,
                scopes: asked
                    .scopes
                    .iter()
                    .map(|scope| described(&scope.name, attempt::scope_sentence(scope, site.locale).text))
                    .collect(),
                resources: asked
                    .resources
                    .iter()
                    .map(|resource| {
                        described(resource.uri.as_str(), attempt::resource_name(resource, site.locale).text)
                    })
                    .collect(),
                authorization_details: asked
                    .details
                    .iter()
                    .map(|(detail, known)| Detail::of(attempt::detail(detail, known, site.locale)))
                    .collect(),
                is_offline: asked.is_offline,
                returns_to: return_host(&attempt.request.redirect_uri),
                is_device: attempt.request.device.is_some(),
                is_backchannel: attempt.request.backchannel.is_some(),
                binding_message: attempt.request.binding_message.clone(),
            };
            let person = Named { name: asked.person.display_name, username: asked.person.username };
            Step::Consent { interaction: attempt.id, account, person, question: Box::new(question) }
        }
        Next::SelectAccount(person) => {
            let person = Named { name: person.display_name, username: person.username };
            Step::SelectAccount { interaction: attempt.id, client: asker, account, person }
        }
        Next::Login { reauthenticate } => {
            let again = reauthenticate.filter(|subject| subject.as_str() == account);
            let username = attempt::username(app, &attempt, again.as_ref()).await?;
            Step::Login { interaction: attempt.id, is_again: again.is_some(), username, client: asker }
        }
        Next::Ready(_) => return Err(unknown()),
    })
}

impl Asker {
    fn new(app: &App, view: ClientView) -> Self {
        Self {
            client_id: view.id,
            name: view.name,
            uri: view.uri,
            logo: view.logo.map(|path| app.url(&path)),
            policy_uri: view.policy_uri,
            tos_uri: view.tos_uri,
        }
    }
}

/// How an answer to the client leaves through the frontend.
pub(super) fn delivered(response: AuthorizationResponse) -> Step {
    match deliver(&response.redirect_uri, response.response_mode, response.parameters) {
        Delivery::Redirect(location) => Step::Redirect { location },
        Delivery::FormPost { action, fields } => Step::FormPost {
            action,
            fields: fields.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect(),
        },
    }
}
