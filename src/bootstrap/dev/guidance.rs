//! What `ostiary dev` prints: where to go and what to try.

use std::path::Path;
use std::time::Duration;

use super::demo::Demo;
use super::seed::{API, API_SCOPES};
use crate::oauth::paths;

/// Files that look as if they were settings of the development server.
pub const UNREAD: [&str; 2] = [".env", ".env.yaml"];

/// The text; `took` is how long the start took, the token included.
pub fn text(demo: &Demo, file: &Path, took: Duration) -> String {
    let Demo { issuer, access_token, user, admin, clients } = demo;
    let machine = format!("{}:{}", clients.machine.client_id, clients.machine.client_secret);
    let (web, browser) = (&clients.web, &clients.browser);
    let [answers_at, demo_at] = [&web.redirect_uris, &browser.redirect_uris].map(|uris| uris.join(" "));
    let scope = API_SCOPES.first().copied().unwrap_or_default();
    let (token, introspect) = (paths::TOKEN, paths::INTROSPECT);
    format!(
        "
Ostiary is running for development, on this machine only.

  Issuer     {issuer}
  Open       {issuer}/   a small application: sign in, look at the tokens, sign out
             {issuer}/console   clients, people, keys: for the administrator
  Sign in    {} with the password {}
  or         {} with the password {}  (administrator)

An access token that this server just gave to {} over HTTP, good for 5 minutes:

  {access_token}

The next one:

  curl -s -u {machine} {issuer}{token} \\
    -d grant_type=client_credentials -d scope={scope} -d resource={API}

What the server says of a token:

  curl -s -u {machine} {issuer}{introspect} -d token={access_token}

Clients that people sign in to:

  {:width$}   public; answers go to {demo_at}
  {:width$}   secret {}   (client_secret_basic)
  {:width$}   answers go to {answers_at}

All of this for scripts: {}
Ready after {:.1} s. Stop with Ctrl-C. `ostiary dev --reset` starts over.

",
        user.username,
        user.password,
        admin.username,
        admin.password,
        clients.machine.client_id,
        browser.client_id,
        web.client_id,
        web.client_secret,
        "",
        file.display(),
        took.as_secs_f64(),
        width = browser.client_id.len().max(web.client_id.len()),
    )
}
