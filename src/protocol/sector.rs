//! The sector of a client (OpenID Connect Core section 8.1, Dynamic Registration section 5): the clients of one sector call people
//! by the same pairwise identifiers, those of another by others.
//!
//! A sector is the host that the client proved to be at home on, because its authorization responses go there. A loopback or private
//! address is everybody's, and a scheme of its own is whoever's that takes it: neither is a sector, or the applications of strangers would
//! share one. Clients with such addresses, or without any, need a `sector_identifier_uri`.

use std::net::IpAddr;

use serde_json::Value;
use url::{Host, Url};

use super::strict_json;
use crate::model::client::ClientSettings;

/// The sector: the host of the `sector_identifier_uri`, else the one host of all redirect URIs. `None`: there is no such one.
pub fn sector(settings: &ClientSettings) -> Option<String> {
    if let Some(uri) = &settings.sector_identifier_uri {
        return https_host(uri);
    }
    let mut hosts = settings.redirect_uris.iter().map(|uri| own_host(uri));
    let first = hosts.next()??;
    hosts.all(|host| host.as_ref() == Some(&first)).then_some(first)
}

/// The host of an https address, in the form in which two that mean the same are the same.
pub fn https_host(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok().filter(|url| url.scheme() == "https")?;
    url.host_str().filter(|host| !host.is_empty()).map(ToOwned::to_owned)
}

/// The same, unless it is on this machine or in a private network, of which there are many.
pub fn own_host(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok()?;
    let is_anybodys = match url.host()? {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Host::Ipv4(ip) => is_local(ip.into()),
        Host::Ipv6(ip) => is_local(IpAddr::V6(ip).to_canonical()),
    };
    https_host(uri).filter(|_| !is_anybodys)
}

fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_unspecified(),
    }
}

/// Whether what is at a `sector_identifier_uri` is a JSON array that has all of `redirect_uris`, byte for byte (Dynamic
/// Registration section 5); else what is wrong with it.
pub fn check_document(document: &[u8], redirect_uris: &[String]) -> Result<(), &'static str> {
    let Ok(Value::Array(listed)) = strict_json::parse(document) else {
        return Err("what is there is not a JSON array");
    };
    if !listed.iter().all(Value::is_string) {
        return Err("what is there is not an array of texts");
    }
    if redirect_uris.iter().all(|uri| listed.iter().any(|one| one == uri)) {
        Ok(())
    } else {
        Err("the array that is there does not have all of the redirect URIs")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn of(redirect_uris: &[&str], sector_identifier_uri: Option<&str>) -> Option<String> {
        sector(&ClientSettings {
            redirect_uris: redirect_uris.iter().copied().map(ToOwned::to_owned).collect(),
            sector_identifier_uri: sector_identifier_uri.map(ToOwned::to_owned),
            ..ClientSettings::default()
        })
    }

    #[test]
    fn section_8_1_the_sector_is_the_host_of_all_redirect_uris_or_of_the_sector_identifier_uri() {
        let host = Some("a.example".to_owned());
        assert_eq!(of(&["https://a.example/one", "https://A.example:8443/two"], None), host);
        assert_eq!(of(&["https://b.example/", "com.example.app:/"], Some("https://a.example/uris.json")), host);
        assert_eq!(of(&[], Some("https://a.example/uris.json")), host);
        assert_eq!(of(&["https://a.example/", "https://b.example/"], None), None);
        assert_eq!(of(&[], None), None);
    }

    #[test]
    fn what_anybody_could_have_is_no_sector() {
        for uri in [
            "http://127.0.0.1/callback",
            "https://127.0.0.1/callback",
            "http://localhost:8080/",
            "https://localhost/",
            "https://[::1]/",
            "https://127.1/",
            "https://127.9.9.9/",
            "https://localhost./",
            "https://app.localhost/",
            "https://192.168.0.1/",
            "https://[fd00::1]/",
            "https://[::ffff:10.0.0.1]/",
            "com.example.app:/callback",
            "com.example.app://a.example/callback",
        ] {
            assert_eq!(of(&[uri], None), None, "{uri}");
        }
        assert_eq!(of(&["https://a.example/", "http://127.0.0.1/"], None), None);
    }

    #[test]
    fn registration_section_5_the_array_has_every_redirect_uri() {
        let uris = ["https://a.example/one".to_owned(), "com.example.app:/two".to_owned()];
        let check = |document: &str| check_document(document.as_bytes(), &uris);
        assert_eq!(check(r#"["https://b.example/", "com.example.app:/two", "https://a.example/one"]"#), Ok(()));
        for (document, says) in [
            (r#"["https://a.example/one"]"#, "all of the redirect URIs"),
            (r#"["https://a.example/one", "https://a.example/two/"]"#, "all of the redirect URIs"),
            ("[]", "all of the redirect URIs"),
            (r#"["https://a.example/one", "com.example.app:/two", 1]"#, "an array of texts"),
            (r#"{"redirect_uris": []}"#, "a JSON array"),
            ("not JSON", "a JSON array"),
            ("", "a JSON array"),
        ] {
            assert!(check(document).unwrap_err().contains(says), "{document}");
        }
        assert_eq!(check_document(b"[]", &[]), Ok(()));
    }

    proptest! {
        #[test]
        fn an_array_is_accepted_exactly_if_it_has_them_all(
            listed in prop::collection::vec("[ab]:/[cd]{0,2}", 0..6),
            wanted in prop::collection::vec("[ab]:/[cd]{0,2}", 0..3),
        ) {
            let is_accepted = check_document(json!(listed).to_string().as_bytes(), &wanted).is_ok();
            prop_assert_eq!(is_accepted, wanted.iter().all(|uri| listed.contains(uri)));
        }

        #[test]
        fn a_sector_is_the_host_of_each_address(uris in prop::collection::vec("(https|http|com\\.a)://(a|b|localhost|127\\.0\\.0\\.1)(:1)?/", 0..4)) {
            let settings = ClientSettings { redirect_uris: uris.clone(), ..ClientSettings::default() };
            let is_one = |host: &str| !uris.is_empty() && uris.iter().all(|uri| uri.starts_with(&format!("https://{host}")));
            let expected = ["a", "b"].into_iter().find(|host| is_one(host)).map(ToOwned::to_owned);
            prop_assert_eq!(sector(&settings), expected);
        }
    }
}
