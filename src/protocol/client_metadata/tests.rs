use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::id::ResourceUri;

fn pointers(change: impl FnOnce(&mut ClientSettings)) -> Vec<String> {
    let mut settings =
        ClientSettings { redirect_uris: vec!["https://a.example/callback".into()], ..ClientSettings::default() };
    change(&mut settings);
    violations(&settings).into_iter().map(|(pointer, _)| pointer).collect()
}

#[test]
fn good_settings_have_no_violations() {
    assert!(pointers(|_| {}).is_empty());
    let television = pointers(|s| {
        s.grant_types = vec![GrantType::DeviceCode, GrantType::RefreshToken];
        s.redirect_uris.clear();
    });
    assert!(television.is_empty());
    let machine = pointers(|s| {
        s.grant_types = vec![GrantType::ClientCredentials];
        s.redirect_uris.clear();
    });
    assert!(machine.is_empty());
}

#[test]
fn rfc_8705_section_2_1_2_exactly_one_name_of_the_certificate() {
    let named = |change: fn(&mut ClientSettings)| {
        pointers(|s| {
            s.token_endpoint_auth_method = ClientAuthMethod::TlsClientAuth;
            change(s);
        })
    };
    assert_eq!(named(|_| {}), ["/token_endpoint_auth_method"]);
    assert!(named(|s| s.tls_client_auth_subject_dn = Some("CN=a,O=B".into())).is_empty());
    assert!(named(|s| s.tls_client_auth_san_dns = Some("a.example".into())).is_empty());
    assert!(named(|s| s.tls_client_auth_san_uri = Some("spiffe://a.example/b".into())).is_empty());
    assert!(named(|s| s.tls_client_auth_san_ip = Some("2001:db8::1".into())).is_empty());
    assert!(named(|s| s.tls_client_auth_san_email = Some("a@a.example".into())).is_empty());
    let both = |s: &mut ClientSettings| {
        s.tls_client_auth_san_dns = Some("a.example".into());
        s.tls_client_auth_san_ip = Some("192.0.2.1".into());
    };
    assert_eq!(named(both), ["/tls_client_auth_san_ip"]);
    assert_eq!(named(|s| s.tls_client_auth_subject_dn = Some("nobody".into())), ["/tls_client_auth_subject_dn"]);
    assert_eq!(named(|s| s.tls_client_auth_san_ip = Some("a.example".into())), ["/tls_client_auth_san_ip"]);
    assert_eq!(named(|s| s.tls_client_auth_san_dns = Some(String::new())), ["/tls_client_auth_san_dns"]);
    assert_eq!(pointers(|s| s.tls_client_auth_san_dns = Some("a.example".into())), ["/tls_client_auth_san_dns"]);
}

#[test]
fn each_rule_is_told_with_its_pointer() {
    assert_eq!(pointers(|s| s.redirect_uris.clear()), ["/redirect_uris"]);
    assert_eq!(pointers(|s| s.redirect_uris.push("http://a.example/".into())), ["/redirect_uris/1"]);
    assert_eq!(pointers(|s| s.grant_types = vec![GrantType::RefreshToken]), ["/grant_types"]);
    assert_eq!(pointers(|s| s.grant_types.push(GrantType::AuthorizationCode)), ["/grant_types"]);
    assert_eq!(
        pointers(|s| {
            s.token_endpoint_auth_method = ClientAuthMethod::None;
            s.grant_types.push(GrantType::ClientCredentials);
            s.pkce_required = false;
        }),
        ["/grant_types", "/pkce_required"]
    );
    assert_eq!(pointers(|s| s.require_signed_request_object = true), ["/require_signed_request_object"]);
    let objects = ["https://a.example/r.jwt#hash".to_owned(), "http://a.example/".to_owned()];
    assert_eq!(pointers(|s| s.request_uris = objects.into()), ["/request_uris/1"]);
    let signs = |s: &mut ClientSettings| s.token_endpoint_auth_method = ClientAuthMethod::PrivateKeyJwt;
    assert_eq!(pointers(signs), ["/token_endpoint_auth_method"]);
    assert_eq!(pointers(|s| s.jwks_uri = Some("http://a.example/keys".into())), ["/jwks_uri"]);
    let self_signed = |s: &mut ClientSettings| s.token_endpoint_auth_method = ClientAuthMethod::SelfSignedTlsClientAuth;
    assert_eq!(pointers(self_signed), ["/token_endpoint_auth_method"]);
    let jwks = |jwks: Value| pointers(|s| s.jwks = Some(jwks));
    assert!(jwks(json!({"keys": [{"kty": "EC"}]})).is_empty());
    assert_eq!(jwks(json!([])), ["/jwks"]);
    assert_eq!(jwks(json!({"keys": []})), ["/jwks/keys"]);
    assert_eq!(jwks(json!({"keys": [{"kty": "EC"}, {"kty": "oct", "k": "AA"}, 1]})), ["/jwks/keys/1", "/jwks/keys/2"]);
    let both = |s: &mut ClientSettings| {
        s.jwks = Some(json!({"keys": [{"kty": "EC"}]}));
        s.jwks_uri = Some("https://a.example/keys".into());
        s.token_endpoint_auth_method = ClientAuthMethod::PrivateKeyJwt;
    };
    assert_eq!(pointers(both), ["/jwks_uri"]);
    assert_eq!(pointers(|s| s.client_name = [("de".into(), "Laden".into())].into()), ["/client_name"]);
    assert_eq!(pointers(|s| s.client_name = [("en".into(), " ".into())].into()), ["/client_name"]);
    assert_eq!(pointers(|s| s.logo_uri = Some("javascript:alert(1)".into())), ["/logo_uri"]);
    let exchanges = |change: fn(&mut ClientSettings)| {
        pointers(|s| {
            s.grant_types.push(GrantType::TokenExchange);
            s.token_exchange.resources = vec![ResourceUri::new("https://api.example/")];
            change(s);
        })
    };
    assert!(exchanges(|_| {}).is_empty());
    assert_eq!(exchanges(|s| s.token_exchange.resources.clear()), ["/token_exchange/resources"]);
    assert_eq!(exchanges(|s| s.token_exchange.delegation = false), ["/token_exchange/delegation"]);
    assert_eq!(exchanges(|s| s.token_endpoint_auth_method = ClientAuthMethod::None), ["/grant_types"]);
    let elsewhere = |s: &mut ClientSettings| s.resources = vec![ResourceUri::new("https://other.example/")];
    assert_eq!(exchanges(elsewhere), ["/token_exchange/resources/0"]);
    let relative = |s: &mut ClientSettings| s.token_exchange.resources = vec![ResourceUri::new("api")];
    assert_eq!(exchanges(relative), ["/token_exchange/resources/0"]);
    let other_origin = |s: &mut ClientSettings| s.frontchannel_logout_uri = Some("https://b.example/out".into());
    assert_eq!(pointers(other_origin), ["/frontchannel_logout_uri"]);
    assert_eq!(pointers(|s| s.backchannel_logout_uri = Some("ftp://b.example".into())), ["/backchannel_logout_uri"]);
    assert_eq!(pointers(|s| s.scopes.push("two words".into())), ["/scopes/3"]);
    assert_eq!(pointers(|s| s.scopes.push("openid".into())), ["/scopes"]);
    assert_eq!(pointers(|s| s.lifetimes.authorization_code = Some(61)), ["/lifetimes/authorization_code"]);
    assert_eq!(pointers(|s| s.lifetimes.access_token = Some(0)), ["/lifetimes/access_token"]);
    let too_long = |s: &mut ClientSettings| {
        let lifetimes = &mut s.lifetimes;
        (lifetimes.access_token, lifetimes.id_token) = (Some(86_401), Some(u32::MAX));
        (lifetimes.refresh_absolute, lifetimes.refresh_grace) = (Some(u32::MAX), Some(301));
    };
    let all = ["access_token", "id_token", "refresh_absolute", "refresh_grace"];
    assert_eq!(pointers(too_long), all.map(|name| format!("/lifetimes/{name}")));
}

#[test]
fn a_client_of_people_who_are_elsewhere_says_how_it_learns_of_decisions() {
    let ciba = |change: fn(&mut ClientSettings)| {
        pointers(|s| {
            s.grant_types.push(GrantType::Ciba);
            s.backchannel_token_delivery_mode = Some(TokenDeliveryMode::Poll);
            change(s);
        })
    };
    assert!(ciba(|_| {}).is_empty());
    assert_eq!(ciba(|s| s.backchannel_token_delivery_mode = None), ["/backchannel_token_delivery_mode"]);
    assert_eq!(ciba(|s| s.token_endpoint_auth_method = ClientAuthMethod::None), ["/grant_types"]);
    let deaf = ciba(|s| s.backchannel_token_delivery_mode = Some(TokenDeliveryMode::Ping));
    assert_eq!(deaf, ["/backchannel_client_notification_endpoint"]);
    let plain = ciba(|s| s.backchannel_client_notification_endpoint = Some("http://a.example/".into()));
    assert_eq!(plain, ["/backchannel_client_notification_endpoint"]);
}

/// Addresses, good and nearly so.
fn any_uri() -> impl Strategy<Value = String> {
    prop_oneof![
        "https://[a-z]{1,3}\\.example(:[0-9]{1,4})?(/[a-z%2#?=&@]{0,6})?",
        "(https?|ftp|javascript|com\\.a|HTTPS):/{0,3}[a-z@.#\\[\\]: \\\\]{0,8}",
        "http://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:[0-9]{1,5})?/?",
        ".{0,12}",
    ]
}

fn any_settings() -> impl Strategy<Value = ClientSettings> {
    let uris = || prop::collection::vec(any_uri(), 0..4);
    let names = prop::collection::btree_map("(en|de-AT|[a-z1-9_-]{0,10})", "[a-z \\n]{0,8}", 0..3);
    let grants = prop::collection::vec(prop::sample::select(&GrantType::ALL[..]), 0..4);
    let lists = (uris(), uris(), prop::collection::vec("[a-z \"\\\\\u{e4}]{0,5}", 0..4), uris());
    let single = prop::collection::vec(prop::option::of(any_uri()), 6);
    let kinds = (any::<bool>(), any::<bool>(), any::<bool>(), prop::option::of(any::<u32>()));
    (names, grants, lists, single, kinds).prop_map(|(client_name, grant_types, lists, single, kinds)| {
        let (redirect_uris, post_logout_redirect_uris, scopes, resources) = lists;
        let (is_native, is_public, pkce_required, seconds) = kinds;
        ClientSettings {
            application_type: if is_native { ApplicationType::Native } else { ApplicationType::Web },
            token_endpoint_auth_method: if is_public {
                ClientAuthMethod::None
            } else {
                ClientAuthMethod::ClientSecretBasic
            },
            client_name,
            grant_types,
            redirect_uris,
            post_logout_redirect_uris,
            scopes,
            resources: resources.into_iter().map(ResourceUri::new).collect(),
            client_uri: single[0].clone(),
            logo_uri: single[1].clone(),
            policy_uri: single[2].clone(),
            tos_uri: single[3].clone(),
            backchannel_logout_uri: single[4].clone(),
            frontchannel_logout_uri: single[5].clone(),
            pkce_required,
            lifetimes: ClientLifetimes { access_token: seconds, ..ClientLifetimes::default() },
            ..ClientSettings::default()
        }
    })
}

/// Whether a browser may be sent there with something that is nobody else's business.
fn is_safe(uri: &str, application_type: ApplicationType) -> bool {
    let Ok(url) = Url::parse(uri) else { return false };
    let is_plain = uri.bytes().all(|byte| (0x21..0x7f).contains(&byte)) && !uri.contains(['#', '\\', '"', '<', '>']);
    let is_open = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let host = url.host_str().unwrap_or_default();
    let goes_there = match url.scheme() {
        "https" => !host.is_empty(),
        "http" => ["localhost", "127.0.0.1", "[::1]"].contains(&host),
        scheme => application_type == ApplicationType::Native && scheme.contains('.'),
    };
    is_plain && is_open && goes_there
}

proptest! {
    #[test]
    fn each_violation_points_into_the_settings(settings in any_settings()) {
        let document = serde_json::to_value(&settings).unwrap();
        for (pointer, what) in violations(&settings) {
            prop_assert!(document.pointer(&pointer).is_some(), "{} {}", pointer, what);
            prop_assert!(!what.is_empty());
        }
    }

    #[test]
    fn nothing_is_accepted_that_is_no_address(settings in any_settings()) {
        let found: Vec<String> = violations(&settings).into_iter().map(|(pointer, _)| pointer).collect();
        let document = serde_json::to_value(&settings).unwrap();
        let web = ["client_uri", "logo_uri", "policy_uri", "tos_uri", "backchannel_logout_uri", "frontchannel_logout_uri"];
        let web = web.map(|name| (format!("/{name}"), ApplicationType::Web));
        let own = [("/redirect_uris", &settings.redirect_uris), ("/post_logout_redirect_uris", &settings.post_logout_redirect_uris)];
        let own = own.into_iter().flat_map(|(list, uris)| (0..uris.len()).map(move |index| format!("{list}/{index}")));
        let own = own.map(|pointer| (pointer, settings.application_type));
        for (pointer, kind) in web.into_iter().chain(own) {
            if let Some(Value::String(uri)) = document.pointer(&pointer) {
                prop_assert!(found.contains(&pointer) || is_safe(uri, kind), "{} {:?}", pointer, uri);
            }
        }
    }

    #[test]
    fn good_addresses_are_accepted(host in "[a-z]{1,8}\\.example", path in "(/[a-z0-9._~-]{0,6}){0,3}", query in "([?][a-z]=[a-z0-9]{0,4})?") {
        let uri = format!("https://{host}{path}{query}");
        prop_assert!(pointers(|s| s.redirect_uris = vec![uri.clone()]).is_empty(), "{}", uri);
    }

    #[test]
    fn a_text_is_accepted_on_one_line_under_a_language(tag in "(en|de|zh-Hant-TW|[a-z0-9_ -]{0,12})", text in "[a-z\\n\\t ]{0,5}") {
        let texts = Localized::from([("en".to_owned(), "x".to_owned()), (tag.clone(), text.clone())]);
        let is_tag = tag.starts_with(|c: char| c.is_ascii_lowercase())
            && tag.split('-').all(|part| (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric()));
        let is_text = !text.trim().is_empty() && !text.contains(['\n', '\t']);
        prop_assert_eq!(localized_violations("/x", &texts).is_empty(), is_tag && is_text, "{:?}", texts);
    }
}
