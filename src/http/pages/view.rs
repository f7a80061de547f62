//! What pages show of the server, a client and a person: plain values, safe to put on a page.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::catalogue::Messages;
use super::locale::Locale;
use crate::model::catalog::Localized;
use crate::model::client::Client;
use crate::protocol::display::Display;

/// Which server this is, and in which language it speaks.
#[derive(Clone)]
pub struct Site {
    /// The language of the page.
    pub locale: Locale,
    /// What people know the server by: its issuer without the scheme.
    pub host: String,
    /// What room there is for the page.
    pub display: Display,
    pub(crate) m: &'static Messages,
}

impl Site {
    /// The server with that issuer, speaking `locale`.
    pub fn new(locale: Locale, issuer: &str) -> Self {
        let host = issuer.split_once("://").map_or(issuer, |(_, host)| host);
        let host = host.trim_end_matches('/').to_owned();
        Self { locale, host, display: Display::Page, m: Messages::of(locale) }
    }

    /// The same in the room that a client makes for it.
    pub fn within(self, display: Display) -> Self {
        Self { display, ..self }
    }
}

/// A link with the name of where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its address.
    pub url: String,
    /// What people know the place by.
    pub name: String,
}

/// A text that an operator wrote, and its language where that is not the one of the page (WCAG 2.2 section 3.1.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The text.
    pub text: String,
    /// Its language.
    pub lang: Option<&'static str>,
}

impl Text {
    /// What `texts` say in `locale`, else in English; `name`, which is in no language, if they say nothing.
    pub fn of(texts: &Localized, locale: Locale, name: &str) -> Self {
        for spoken in [locale, Locale::En] {
            if let Some(text) = texts.get(spoken.tag()) {
                return Self { text: text.clone(), lang: (spoken != locale).then(|| spoken.tag()) };
            }
        }
        Self { text: name.to_owned(), lang: None }
    }
}

/// A client, as people see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientView {
    /// Its identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Shown where it has no logo.
    pub initial: String,
    /// Its home page.
    pub uri: Option<String>,
    /// The host of its home page.
    pub host: Option<String>,
    /// The address of its logo on this server: a browser never asks the client's own.
    pub logo: Option<String>,
    /// Its privacy policy.
    pub policy_uri: Option<String>,
    /// Its terms of service.
    pub tos_uri: Option<String>,
}

impl ClientView {
    /// What `locale` shows of `client`. Only web addresses become links: the client wrote them.
    pub fn of(client: &Client, locale: Locale) -> Self {
        let settings = &client.settings;
        let name = client.display_name(locale.tag()).to_owned();
        let logo = |_| format!("/client-logo?client_id={}", utf8_percent_encode(client.id.as_str(), NON_ALPHANUMERIC));
        Self {
            id: client.id.as_str().to_owned(),
            initial: initial(&name),
            name,
            host: settings.client_uri.as_deref().and_then(web_address).map(|url| return_host(url.as_str())),
            uri: settings.client_uri.as_deref().and_then(web_address).map(Into::into),
            logo: settings.logo_uri.as_deref().and_then(web_address).map(logo),
            policy_uri: settings.policy_uri.as_deref().and_then(web_address).map(Into::into),
            tos_uri: settings.tos_uri.as_deref().and_then(web_address).map(Into::into),
        }
    }
}

/// A person, as they see themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonView {
    /// What they are greeted by.
    pub name: String,
    /// What they sign in with.
    pub username: String,
    /// Shown where they have no picture.
    pub initial: String,
}

impl PersonView {
    /// A person with those names.
    pub fn new(display_name: &str, username: &str) -> Self {
        let name = if display_name.is_empty() { username } else { display_name };
        Self { name: name.to_owned(), username: username.to_owned(), initial: initial(name) }
    }
}

/// What a form carries besides what people type.
#[derive(Clone, Copy, Debug, Default)]
pub struct Guard<'a> {
    /// The attempt that the page belongs to.
    pub interaction: Option<&'a str>,
    /// The token that shows that the form came from us.
    pub csrf: &'a str,
}

/// Where an answer goes, in few words: the host of a web address, else the scheme of an application's own.
pub fn return_host(redirect_uri: &str) -> String {
    let Ok(url) = Url::parse(redirect_uri) else {
        return String::new();
    };
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => url.scheme().to_owned(),
    }
}

fn web_address(uri: &str) -> Option<Url> {
    Url::parse(uri).ok().filter(|url| matches!(url.scheme(), "https" | "http"))
}

fn initial(name: &str) -> String {
    name.chars().find(|c| c.is_alphanumeric()).map(|c| c.to_uppercase().collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::client::ClientSettings;
    use crate::model::id::ClientId;

    #[test]
    fn a_clients_script_never_becomes_a_link() {
        let settings = ClientSettings {
            policy_uri: Some("javascript:alert(1)".into()),
            tos_uri: Some("https://app.example/terms".into()),
            logo_uri: Some("https://app.example/logo.png".into()),
            client_uri: Some("https://app.example:8443/about".into()),
            ..ClientSettings::default()
        };
        let id = ClientId::new("https://app.example/?a&b");
        let view = ClientView::of(
            &Client { id, enabled: true, settings, secrets: Vec::new(), generation: 0, registered_through: None },
            Locale::De,
        );
        assert_eq!(view.policy_uri, None);
        assert_eq!(view.tos_uri.as_deref(), Some("https://app.example/terms"));
        assert_eq!(view.host.as_deref(), Some("app.example:8443"));
        assert_eq!(view.logo.as_deref(), Some("/client-logo?client_id=https%3A%2F%2Fapp%2Eexample%2F%3Fa%26b"));
        assert_eq!((view.name.as_str(), view.initial.as_str()), ("https://app.example/?a&b", "H"));
    }

    #[test]
    fn a_text_in_another_language_than_the_page_says_so() {
        let both: Localized = [("en".into(), "Photos".into()), ("de".into(), "Fotos".into())].into();
        let english: Localized = [("en".into(), "Photos".into())].into();
        let text = |texts: &Localized, locale| {
            let text = Text::of(texts, locale, "photos.read");
            (text.text, text.lang)
        };
        assert_eq!(text(&both, Locale::De), ("Fotos".into(), None));
        assert_eq!(text(&english, Locale::De), ("Photos".into(), Some("en")));
        assert_eq!(text(&english, Locale::En), ("Photos".into(), None));
        assert_eq!(text(&Localized::new(), Locale::De), ("photos.read".into(), None));
    }

    #[test]
    fn the_place_of_return_is_named_shortly() {
        assert_eq!(return_host("http://127.0.0.1:8765/callback?x=1"), "127.0.0.1:8765");
        assert_eq!(return_host("https://app.example/cb"), "app.example");
        assert_eq!(return_host("com.example.app:/cb"), "com.example.app");
    }

    #[test]
    fn the_server_is_known_by_its_issuer() {
        assert_eq!(Site::new(Locale::En, "https://id.example/").host, "id.example");
        assert_eq!(Site::new(Locale::En, "http://localhost:8000").host, "localhost:8000");
    }
}
