//! What a client that nobody here has checked may not say of itself, because it would look like another (RFC 7591 section 5, OpenID
//! Connect Registration section 9.1).

use url::Url;

use super::Violation;
use crate::model::client::ClientSettings;
use crate::protocol::plain_text::is_deceptive;

/// What of the pages of a client is at places that are not its own: RFC 7591 section 5 has them on the host, and under the scheme, of
/// its redirect URIs, because those are where it proves to be.
pub fn page_violations(settings: &ClientSettings) -> Vec<Violation> {
    let own: Vec<_> = settings.redirect_uris.iter().filter_map(|uri| place(uri)).collect();
    let pages = [
        ("/client_uri", &settings.client_uri),
        ("/logo_uri", &settings.logo_uri),
        ("/policy_uri", &settings.policy_uri),
        ("/tos_uri", &settings.tos_uri),
    ];
    let is_elsewhere = |uri: &String| place(uri).is_none_or(|place| !own.contains(&place));
    let elsewhere = pages.into_iter().filter(|(_, uri)| uri.as_ref().is_some_and(is_elsewhere));
    let what = "a client that registers itself has its pages on a host of its redirect URIs";
    elsewhere.map(|(pointer, _)| (pointer.to_owned(), what.to_owned())).collect()
}

/// What of the texts of a client may look like another text.
pub fn text_violations(settings: &ClientSettings) -> Vec<Violation> {
    let names = settings.client_name.values().map(|name| ("/client_name".to_owned(), name));
    let contacts = settings.contacts.iter().enumerate();
    let contacts = contacts.map(|(index, contact)| (format!("/contacts/{index}"), contact));
    let software = [("/software_id", &settings.software_id), ("/software_version", &settings.software_version)];
    let software = software.into_iter().filter_map(|(at, text)| Some((at.to_owned(), text.as_ref()?)));
    let texts = names.chain(contacts).chain(software);
    let deceptive = texts.filter(|(_, text)| text.chars().any(is_deceptive));
    let what = "it has a character that is invisible, formats others or turns their order around";
    let mut found: Vec<Violation> = deceptive.map(|(pointer, _)| (pointer, what.to_owned())).collect();
    found.dedup();
    found
}

/// The scheme and the host of a web address; the port is another door of the same house.
fn place(uri: &str) -> Option<(String, String)> {
    let url = Url::parse(uri).ok().filter(|url| matches!(url.scheme(), "https" | "http"))?;
    Some((url.scheme().to_owned(), url.host_str()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(redirect_uris: &[&str], page: &str) -> Vec<String> {
        let settings = ClientSettings {
            redirect_uris: redirect_uris.iter().copied().map(ToOwned::to_owned).collect(),
            policy_uri: Some(page.to_owned()),
            ..ClientSettings::default()
        };
        page_violations(&settings).into_iter().map(|(pointer, _)| pointer).collect()
    }

    #[test]
    fn rfc_7591_section_5_pages_have_the_scheme_and_host_of_a_redirect_uri() {
        let own = ["https://a.example/callback", "https://B.example:8443/callback", "com.example.c:/callback"];
        for page in ["https://a.example/", "https://A.EXAMPLE:444/x", "https://b.example/"] {
            assert!(pages(&own, page).is_empty(), "{page}");
        }
        for page in
            ["https://c.example/", "https://www.a.example/", "https://a.example.evil.example/", "http://a.example/"]
        {
            assert_eq!(pages(&own, page), ["/policy_uri"], "{page}");
        }
        assert_eq!(pages(&[], "https://a.example/"), ["/policy_uri"], "it proves to be nowhere");
        assert!(pages(&["http://127.0.0.1/callback"], "http://127.0.0.1:8080/").is_empty());
    }

    #[test]
    fn each_text_with_a_character_that_hides_something_is_told_once() {
        let settings = ClientSettings {
            client_name: [("en", "Pay\u{200b}Bank"), ("de", "\u{202e}knaB"), ("fr", "Banque")]
                .map(|(tag, name)| (tag.to_owned(), name.to_owned()))
                .into(),
            contacts: vec!["ops@a.example".into(), "ops\u{2060}@a.example".into()],
            software_id: Some("a\u{feff}".into()),
            software_version: Some("2.1".into()),
            ..ClientSettings::default()
        };
        let found: Vec<String> = text_violations(&settings).into_iter().map(|(pointer, _)| pointer).collect();
        assert_eq!(found, ["/client_name", "/contacts/1", "/software_id"]);
    }
}
