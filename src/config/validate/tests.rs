use std::time::Duration;

use secrecy::SecretString;

use super::*;
use crate::config::{ClientCertificateHeader, ClientIpHeaderMode};

fn keys_after(change: impl FnOnce(&mut Config)) -> Vec<String> {
    let mut config = Config::default();
    config.database.url = SecretString::from("postgres://localhost/ostiary");
    config.server.issuer = "https://id.example.com".into();
    change(&mut config);
    validate(&config).into_iter().map(|error| error.key).collect()
}

#[test]
fn a_public_issuer_needs_https_and_a_plain_origin() {
    assert!(keys_after(|_| {}).is_empty());
    assert!(keys_after(|c| c.server.issuer = "http://127.0.0.1:9000/".into()).is_empty());
    for wrong in [
        "http://id.example.com",
        "https://ID.example.com",
        "https://id.example.com:443",
        "https://id.example.com/tenant",
        "https://id.example.com?x",
        "https://id.example.com/#x",
        "https://user@id.example.com",
        "ftp://id.example.com",
        "id.example.com",
        "",
    ] {
        assert_eq!(keys_after(|c| c.server.issuer = wrong.into()), ["server.issuer"], "{wrong}");
    }
}

#[test]
fn announcements_go_to_https_or_to_a_peer_that_is_excepted() {
    let announce = |uri: &str| keys_after(|c| c.backchannel_authentication.announce_uri = Some(uri.into()));
    assert!(announce("https://push.example.com/ciba").is_empty());
    for wrong in ["http://push.example.com/", "https://user@push.example.com/", "ftp://push.example.com/", "push", ""] {
        assert_eq!(announce(wrong), ["backchannel_authentication.announce_uri"], "{wrong}");
    }
    let excepted = keys_after(|c| {
        c.backchannel_authentication.announce_uri = Some("http://push.internal:8080/".into());
        c.outbound.allow.push(OutboundException {
            purpose: OutboundPurpose::BackchannelAnnouncement,
            host: "push.internal".into(),
            port: 8080,
            network: "10.0.0.0/8".parse().unwrap(),
            allow_http: true,
        });
    });
    assert!(excepted.is_empty());
}

#[test]
fn a_request_waits_no_longer_than_the_longest() {
    let key = "backchannel_authentication.lifetime";
    assert_eq!(keys_after(|c| c.backchannel_authentication.lifetime = TimeDelta::minutes(16)), [key]);
    assert_eq!(keys_after(|c| c.backchannel_authentication.lifetime = TimeDelta::zero()), [key]);
}

#[test]
fn cookies_fit_the_issuer() {
    assert_eq!(keys_after(|c| c.server.cookie_secure = Some(false)), ["server.cookie_secure"]);
    let keys = keys_after(|c| {
        c.server.cookie_secure = Some(true);
        c.server.issuer = "http://localhost:8000".into();
    });
    assert_eq!(keys, ["server.cookie_secure"]);
}

#[test]
fn proxies_and_their_header_come_together() {
    let mode = |c: &mut Config| c.server.client_ip_header_mode = ClientIpHeaderMode::Forwarded;
    assert_eq!(keys_after(mode), ["server.client_ip_header_mode"]);
    let proxies = |c: &mut Config, text: &str| c.server.trusted_proxy_cidrs = vec![text.parse().unwrap()];
    assert_eq!(keys_after(|c| proxies(c, "10.0.0.0/8")), ["server.trusted_proxy_cidrs"]);
    let whole_internet = |c: &mut Config| {
        mode(c);
        proxies(c, "0.0.0.0/0");
    };
    assert_eq!(keys_after(whole_internet), ["server.trusted_proxy_cidrs"]);
}

#[test]
fn certificates_of_clients_have_somewhere_to_come_from() {
    let header = |c: &mut Config| c.mtls.header = ClientCertificateHeader::Nginx;
    assert_eq!(keys_after(header), ["mtls.header"]);
    let behind_proxy = |c: &mut Config| {
        header(c);
        c.server.trusted_proxy_cidrs = vec!["10.0.0.0/8".parse().unwrap()];
        c.server.client_ip_header_mode = ClientIpHeaderMode::Forwarded;
    };
    assert!(keys_after(behind_proxy).is_empty());
    let alias = |c: &mut Config, base: &str| c.mtls.alias_base_url = Some(base.into());
    assert_eq!(keys_after(|c| alias(c, "https://mtls.id.example.com")), ["mtls.alias_base_url"]);
    for (base, is_good) in [("https://id.example.com:8443", true), ("http://id.example.com", false), ("/mtls", false)] {
        let keys = keys_after(|c| {
            behind_proxy(c);
            alias(c, base);
        });
        assert_eq!(keys.is_empty(), is_good, "{base}: {keys:?}");
    }
    let listens = |c: &mut Config| c.tls.mtls_bind = Some(([127, 0, 0, 1], 8443).into());
    assert_eq!(keys_after(listens), ["tls.certificate_file", "tls.private_key_file"]);
    let serves = |c: &mut Config| {
        listens(c);
        c.tls.certificate_file = Some("tls.pem".into());
        c.tls.private_key_file = Some("tls.key".into());
        alias(c, "https://id.example.com:8443");
    };
    assert!(keys_after(serves).is_empty());
}

#[test]
fn a_frontend_is_the_same_site() {
    let frontend = |text: &'static str| move |c: &mut Config| c.server.frontend_base_url = Some(text.into());
    assert!(keys_after(frontend("https://login.example.com/app")).is_empty());
    for wrong in ["https://login.example.org", "http://login.example.com", "https://login.example.com?x=1", "login"] {
        assert_eq!(keys_after(frontend(wrong)), ["server.frontend_base_url"], "{wrong}");
    }
}

#[test]
fn origins_are_written_as_browsers_write_them() {
    let origin = |text: &'static str| move |c: &mut Config| c.server.cors_allowed_origins = vec![text.into()];
    assert!(keys_after(origin("http://localhost:5173")).is_empty());
    for wrong in ["*", "null", "https://app.example.com/", "https://app.example.com/x", "http://app.example.com"] {
        assert_eq!(keys_after(origin(wrong)), ["server.cors_allowed_origins"], "{wrong}");
    }
}

#[test]
fn lifetimes_stay_in_range() {
    assert_eq!(keys_after(|c| c.tokens.authorization_code = TimeDelta::seconds(61)), ["tokens.authorization_code"]);
    assert_eq!(keys_after(|c| c.tokens.refresh_idle = TimeDelta::days(91)), ["tokens.refresh_idle"]);
    assert_eq!(keys_after(|c| c.tokens.access_token = TimeDelta::zero()), ["tokens.access_token"]);
    assert_eq!(keys_after(|c| c.sessions.idle = TimeDelta::days(2)), ["sessions.idle"]);
    assert!(keys_after(|c| c.tokens.refresh_grace = TimeDelta::zero()).is_empty());
}

#[test]
fn connections_and_the_end_stay_in_range() {
    assert_eq!(keys_after(|c| c.server.max_connections = 1_000_001), ["server.max_connections"]);
    let keys = keys_after(|c| c.server.max_connections_per_address = 0);
    assert_eq!(keys, ["server.max_connections_per_address"]);
    assert_eq!(keys_after(|c| c.server.idle_timeout = Duration::ZERO), ["server.idle_timeout"]);
    assert_eq!(keys_after(|c| c.server.drain_delay = c.server.drain_timeout), ["server.drain_delay"]);
    assert!(keys_after(|c| c.server.drain_delay = Duration::ZERO).is_empty());
}

#[test]
fn words_and_addresses_are_checked() {
    assert_eq!(keys_after(|c| c.database.url = SecretString::from("mysql://x/y")), ["database.url"]);
    assert_eq!(keys_after(|c| c.state.valkey_url = Some(SecretString::from("http://x"))), ["state.valkey_url"]);
    assert_eq!(keys_after(|c| c.oidc.acr_values.clear()), ["oidc.acr_values"]);
    assert_eq!(keys_after(|c| c.oidc.default_resource = Some("api".into())), ["oidc.default_resource"]);
    assert_eq!(keys_after(|c| c.pages.default_locale = "tlh".into()), ["pages.default_locale"]);
    assert_eq!(keys_after(|c| c.log.filter = "a=b=c".into()), ["log.filter"]);
    assert_eq!(keys_after(|c| c.passwords.memory_kib = 64), ["passwords.memory_kib"]);
    assert_eq!(keys_after(|c| c.passwords.min_length = 7), ["passwords.min_length"]);
    assert_eq!(keys_after(|c| c.admin.password_ticket = TimeDelta::days(31)), ["admin.password_ticket"]);
}
