use proptest::prelude::*;

use super::*;

fn matches(registered: &str, presented: &str, application_type: ApplicationType) -> bool {
    is_registered(&[registered.to_owned()], presented, application_type)
}

#[test]
fn a_presented_uri_must_be_equal_byte_for_byte() {
    let registered = "https://client.example/cb?a=b";
    assert!(matches(registered, registered, ApplicationType::Web));
    let near = [
        "https://client.example/cb",
        "https://client.example/cb?a=b&c=d",
        "https://client.example/cb?a=b#",
        "https://client.example/cb?a=B",
        "https://client.example/cb/?a=b",
        "https://client.example/CB?a=b",
        "https://client.example:443/cb?a=b",
        "https://CLIENT.example/cb?a=b",
        "HTTPS://client.example/cb?a=b",
        "https://client.example/./cb?a=b",
        "https://client.example/%63b?a=b",
        "https://client.example.evil.example/cb?a=b",
        "https://client.example@evil.example/cb?a=b",
        " https://client.example/cb?a=b",
        "",
    ];
    for presented in near {
        for application_type in [ApplicationType::Web, ApplicationType::Native] {
            assert!(!matches(registered, presented, application_type), "{presented}");
        }
    }
}

#[test]
fn every_registered_uri_counts() {
    let registered = ["https://a.example/".to_owned(), "https://b.example/".to_owned()];
    assert!(is_registered(&registered, "https://b.example/", ApplicationType::Web));
    assert!(!is_registered(&[], "https://b.example/", ApplicationType::Web));
}

#[test]
fn a_native_application_may_use_any_loopback_port() {
    let table = [
        ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb"),
        ("http://127.0.0.1:8000/cb", "http://127.0.0.1:51004/cb"),
        ("http://127.0.0.1:8000/cb", "http://127.0.0.1/cb"),
        ("http://[::1]/cb", "http://[::1]:61023/cb"),
        ("http://localhost/cb?x=y", "http://localhost:1/cb?x=y"),
        ("http://127.0.0.1", "http://127.0.0.1:65535"),
    ];
    for (registered, presented) in table {
        assert!(matches(registered, presented, ApplicationType::Native), "{registered} {presented}");
        assert!(!matches(registered, presented, ApplicationType::Web), "{registered} {presented}");
    }
}

#[test]
fn only_the_port_of_a_loopback_uri_is_free() {
    let table = [
        ("http://127.0.0.1/cb", "http://127.0.0.1:1/other"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:1/cb?x=y"),
        ("http://127.0.0.1/cb", "http://localhost:1/cb"),
        ("http://127.0.0.1/cb", "http://[::1]:1/cb"),
        ("http://localhost/cb", "http://127.0.0.1:1/cb"),
        ("http://127.0.0.1/cb", "https://127.0.0.1:1/cb"),
        ("http://127.0.0.1/cb", "HTTP://127.0.0.1:1/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.2:1/cb"),
        ("http://127.0.0.1/cb", "http://127.1:1/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:80@evil.example/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.1@evil.example/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:1\\@evil.example/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:0/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:+1/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:65536/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:1:2/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:1/cb#"),
        ("http://127.0.0.1", "http://127.0.0.1:1/"),
        ("http://localhost/cb", "http://localhost.evil.example:1/cb"),
        ("https://localhost/cb", "https://localhost:1/cb"),
        ("http://client.example/cb", "http://client.example:1/cb"),
    ];
    for (registered, presented) in table {
        assert!(!matches(registered, presented, ApplicationType::Native), "{registered} {presented}");
    }
}

#[test]
fn what_may_be_registered() {
    let table = [
        ("https://client.example/cb", ApplicationType::Web),
        ("https://client.example", ApplicationType::Web),
        ("https://client.example/cb?dummy1=lorem&dummy2=ipsum", ApplicationType::Web),
        ("https://[2001:db8::1]:8443/cb", ApplicationType::Web),
        ("http://localhost:8000/demo/callback", ApplicationType::Web),
        ("http://127.0.0.1/cb", ApplicationType::Native),
        ("http://[::1]:0/cb", ApplicationType::Native),
        ("https://app.example/claimed", ApplicationType::Native),
        ("com.example.app:/oauth2redirect/example-provider", ApplicationType::Native),
        ("com.example.app://callback", ApplicationType::Native),
    ];
    for (uri, application_type) in table {
        assert_eq!(validate_for_registration(uri, application_type), Ok(()), "{uri}");
    }
}

#[test]
fn what_must_not_be_registered() {
    use ApplicationType::{Native, Web};
    let table = [
        ("https://client.example/cb#", Web, InvalidRedirectUri::Fragment),
        ("https://client.example/cb#f", Web, InvalidRedirectUri::Fragment),
        ("com.example.app:/cb#f", Native, InvalidRedirectUri::Fragment),
        ("/cb", Web, InvalidRedirectUri::NotAbsolute),
        ("client.example/cb", Web, InvalidRedirectUri::NotAbsolute),
        ("https:client.example/cb", Web, InvalidRedirectUri::NotAbsolute),
        ("https:///cb", Web, InvalidRedirectUri::NotAbsolute),
        ("https://", Web, InvalidRedirectUri::NotAbsolute),
        ("https://client.example:99999/cb", Web, InvalidRedirectUri::NotAbsolute),
        ("https://client.example/c b", Web, InvalidRedirectUri::NotAbsolute),
        ("https://client.example\\@evil.example/", Web, InvalidRedirectUri::NotAbsolute),
        ("https://client.example@evil.example/", Web, InvalidRedirectUri::UserInformation),
        ("https://@evil.example/", Web, InvalidRedirectUri::UserInformation),
        ("http://client.example/cb", Web, InvalidRedirectUri::NotHttps),
        ("http://127.0.0.1.evil.example/cb", Native, InvalidRedirectUri::NotHttps),
        ("com.example.app:/cb", Web, InvalidRedirectUri::SchemeOfWebApplication),
        ("javascript:alert(1)", Web, InvalidRedirectUri::SchemeOfWebApplication),
        ("javascript:alert(1)", Native, InvalidRedirectUri::PrivateUseScheme),
        ("data:text/html,x", Native, InvalidRedirectUri::PrivateUseScheme),
        ("file:///etc/passwd", Native, InvalidRedirectUri::PrivateUseScheme),
        ("myapp:/cb", Native, InvalidRedirectUri::PrivateUseScheme),
    ];
    for (uri, application_type, error) in table {
        assert_eq!(validate_for_registration(uri, application_type), Err(error), "{uri}");
    }
}

proptest! {
    #[test]
    fn never_panics(registered in any::<String>(), presented in any::<String>()) {
        let _ = matches(&registered, &presented, ApplicationType::Native);
        let _ = validate_for_registration(&presented, ApplicationType::Native);
    }

    #[test]
    fn a_match_never_leads_to_another_host(
        tail in "[:@/?\\\\a-z0-9.%\\[\\]#]{0,16}",
        application_type in prop_oneof![Just(ApplicationType::Web), Just(ApplicationType::Native)],
    ) {
        let presented = format!("http://127.0.0.1{tail}");
        if matches("http://127.0.0.1/cb", &presented, application_type) {
            let url = Url::parse(&presented).unwrap();
            prop_assert_eq!(url.host_str(), Some("127.0.0.1"));
            prop_assert_eq!(url.path(), "/cb");
            prop_assert_eq!(url.username(), "");
        }
    }

    #[test]
    fn every_port_matches_for_a_native_application(port in 1..=u16::MAX) {
        let presented = format!("http://[::1]:{port}/cb");
        prop_assert!(matches("http://[::1]/cb", &presented, ApplicationType::Native));
    }
}
