//! The settings of a client as fields, in groups.

// What comes of a sign-in.
mod outcome;

use self::outcome::{elsewhere, lifetimes, logout, sign_in, tokens};
use super::encryption;
use crate::admin::catalog::RESERVED;
use crate::admin::console::field::{Choice, Field, Group, Kind};
use crate::model::catalog::Resource;
use crate::model::client::{ClientAuthMethod, GrantType};
use crate::model::signing_alg::SigningAlg;
use crate::storage::registry::Catalog;

/// Everything that can be changed of a client.
pub(super) fn groups(catalog: &Catalog) -> Vec<Group> {
    let access = [
        shown(),
        addresses(),
        software(),
        authentication(),
        keys(),
        requests(),
        rights(catalog),
        token_exchange(catalog),
    ];
    access.into_iter().chain([sign_in(), tokens(), encryption::group(), logout(), elsewhere(), lifetimes()]).collect()
}

fn shown() -> Group {
    let page = |name, label, hint| Field::new(name, label, hint, Kind::Line);
    Group {
        title: "What people see",
        hint: "On the sign-in and consent pages.",
        fields: vec![
            Field::new("client_name", "Name", "Without one people are shown the identifier.", Kind::Texts),
            page("client_uri", "Home page", ""),
            page(
                "logo_uri",
                "Logo",
                "It is fetched and served from here: people’s browsers never ask the application’s server.",
            ),
            page("policy_uri", "Privacy policy", ""),
            page("tos_uri", "Terms of service", ""),
            Field::new("contacts", "Contacts", "Addresses of those who look after it, one on each line.", Kind::Lines),
            Field::new(
                "consent",
                "Consent",
                "",
                Kind::Choice(vec![
                    Choice::new("remembered", "Ask once, and remember"),
                    Choice::new("always", "Ask every time"),
                    Choice::new("first_party", "Never ask: it is our own application"),
                ]),
            ),
        ],
    }
}

fn addresses() -> Group {
    Group {
        title: "Where browsers return to",
        hint: "",
        fields: vec![
            redirect_uris(),
            Field::new("post_logout_redirect_uris", "After signing out", "One on each line.", Kind::Lines),
            Field::new(
                "application_type",
                "Where it runs",
                "An installed application may use loopback addresses with any port, and schemes of its own.",
                Kind::Choice(vec![
                    Choice::new("web", "On a server or in a browser"),
                    Choice::new("native", "Installed on a device"),
                ]),
            ),
        ],
    }
}

/// Where authorization responses go.
pub(super) fn redirect_uris() -> Field {
    let hint = "One on each line. An answer goes to none but these, compared character by character.";
    Field::new("redirect_uris", "Redirect URIs", hint, Kind::Lines)
}

fn software() -> Group {
    let line = |name, label, hint| Field::new(name, label, hint, Kind::Line);
    Group {
        title: "What it is",
        hint: "",
        fields: vec![
            line(
                "initiate_login_uri",
                "Where a sign-in can be begun elsewhere",
                "An https address of the application.",
            ),
            line("software_id", "Software", "The same for every installation of it."),
            line("software_version", "Version", ""),
        ],
    }
}

fn authentication() -> Group {
    let method = |method: ClientAuthMethod| {
        Choice::new(
            method.as_str(),
            match method {
                ClientAuthMethod::ClientSecretBasic => "With a secret, in the Authorization header",
                ClientAuthMethod::ClientSecretPost => "With a secret, in the body",
                ClientAuthMethod::PrivateKeyJwt => "With an assertion that its own key signs",
                ClientAuthMethod::TlsClientAuth => "With a certificate that an authority vouches for",
                ClientAuthMethod::SelfSignedTlsClientAuth => "With a certificate whose key is registered",
                ClientAuthMethod::None => "Not at all: it cannot keep a secret",
            },
        )
    };
    let grant = |grant: GrantType| {
        Choice::new(
            grant.as_str(),
            match grant {
                GrantType::AuthorizationCode => "Sign people in (authorization_code)",
                GrantType::RefreshToken => "Renew tokens without the person (refresh_token)",
                GrantType::ClientCredentials => "Act for itself (client_credentials)",
                GrantType::DeviceCode => "Sign people in on a device without a keyboard (device_code)",
                GrantType::TokenExchange => "Exchange tokens that it was sent (token-exchange)",
                GrantType::Ciba => "Ask people who are elsewhere, on their own device (ciba)",
            },
        )
    };
    Group {
        title: "What it may do at the token endpoint",
        hint: "",
        fields: vec![
            Field::new("grant_types", "Grants", "", Kind::Several(GrantType::ALL.map(grant).into())),
            Field::new(
                "token_endpoint_auth_method",
                "How it authenticates",
                "",
                Kind::Choice(ClientAuthMethod::ALL.map(method).into()),
            ),
        ],
    }
}

fn keys() -> Group {
    Group {
        title: "Its keys and certificate",
        hint: "For a client that authenticates with one, signs its requests, or has its tokens bound to one.",
        fields: vec![
            Field::new(
                "jwks_uri",
                "Where its public keys are",
                "The address of a JWK Set, for a client that signs or shows a certificate of its own.",
                Kind::Line,
            ),
            Field::new(
                "jwks",
                "Its public keys",
                "A JWK Set, as JSON, instead of an address. Without the private members.",
                Kind::Json,
            ),
            Field::new(
                "token_endpoint_auth_signing_alg",
                "Its assertions are signed with",
                "",
                Kind::Choice(algs_or("Whatever its rules allow")),
            ),
            Field::new(
                "tls_client_auth_subject_dn",
                "The subject of its certificate",
                "Such as CN=shop,O=Example. This or one of the next four names it.",
                Kind::Line,
            ),
            Field::new("tls_client_auth_san_dns", "A DNS name of its certificate", "", Kind::Line),
            Field::new("tls_client_auth_san_uri", "A URI of its certificate", "", Kind::Line),
            Field::new("tls_client_auth_san_ip", "An IP address of its certificate", "", Kind::Line),
            Field::new("tls_client_auth_san_email", "A mail address of its certificate", "", Kind::Line),
            Field::new(
                "tls_client_certificate_bound_access_tokens",
                "Its access tokens are bound to its certificate",
                "Then a stolen token is of no use without the key.",
                Kind::Switch,
            ),
            Field::new(
                "dpop_bound_access_tokens",
                "Its access tokens are bound to a key of its own",
                "Then it must prove that it has the key (DPoP), and a stolen token is of no use.",
                Kind::Switch,
            ),
        ],
    }
}

fn requests() -> Group {
    Group {
        title: "Its authorization requests",
        hint: "",
        fields: vec![
            Field::new(
                "pkce_required",
                "It must use PKCE",
                "Leave it on: it is off only for clients that predate it.",
                Kind::Switch,
            ),
            Field::new(
                "require_pushed_authorization_requests",
                "It must push its authorization requests",
                "Then nobody can change them in the browser.",
                Kind::Switch,
            ),
            Field::new(
                "require_signed_request_object",
                "It must sign its authorization requests",
                "With one of its keys.",
                Kind::Switch,
            ),
            Field::new(
                "request_object_signing_alg",
                "Its requests are signed with",
                "",
                Kind::Choice(algs_or("Whatever its rules allow")),
            ),
            Field::new(
                "request_uris",
                "Where its signed requests are",
                "One address on each line; only where this server fetches them at all (oidc.request_uri).",
                Kind::Lines,
            ),
        ],
    }
}

fn rights(catalog: &Catalog) -> Group {
    let resources = || Kind::Several(catalog.resources.iter().map(Choice::resource).collect());
    Group {
        title: "What it may ask for",
        hint: "What is taken away ends at once, also in what was issued before.",
        fields: vec![
            scopes(catalog),
            Field::new(
                "authorization_details_types",
                "Types of authorization details",
                "What it may ask for in particular, such as one payment (RFC 9396).",
                Kind::Several(catalog.authorization_details_types.iter().map(Choice::details_type).collect()),
            ),
            Field::new("resources", "Resources", "None: every resource that is not restricted.", resources()),
            Field::new(
                "serves",
                "Resources that it is",
                "It may ask about tokens for these (RFC 7662), and exchange them.",
                resources(),
            ),
        ],
    }
}

fn token_exchange(catalog: &Catalog) -> Group {
    let own = |resource: &&Resource| !resource.scopes.iter().any(|scope| scope.starts_with(RESERVED));
    let resources = catalog.resources.iter().filter(own).map(Choice::resource).collect();
    let switch = |name, label, hint| Field::new(name, label, hint, Kind::Switch);
    Group {
        title: "Exchanging tokens",
        hint: "For a service that calls another one on behalf of whoever called it (RFC 8693).",
        fields: vec![
            Field::new(
                "token_exchange/resources",
                "Resources that it may get tokens for",
                "",
                Kind::Several(resources),
            ),
            switch("token_exchange/delegation", "Its tokens name who acts", "So that the next service knows both."),
            switch("token_exchange/impersonation", "Its tokens may name the subject alone", ""),
            switch("token_exchange/client_subjects", "The subject may be a client that acts for itself", ""),
        ],
    }
}

/// The scopes it may ask for.
pub(super) fn scopes(catalog: &Catalog) -> Field {
    // What few clients need comes last.
    let (own, others): (Vec<_>, Vec<_>) = catalog.scopes.iter().partition(|scope| scope.name.starts_with(RESERVED));
    Field::new("scopes", "Scopes", "", Kind::Several(others.into_iter().chain(own).map(Choice::scope).collect()))
}

/// The algorithms, and the one word for none of them.
fn algs_or(none: &str) -> Vec<Choice> {
    let algs = SigningAlg::ALL.map(|alg| Choice::new(alg.as_str(), alg.as_str()));
    [Choice::new("", none)].into_iter().chain(algs).collect()
}
