//! What must hold between settings, and what serde cannot say of one.

use std::time::Duration;

use chrono::TimeDelta;
use secrecy::ExposeSecret;
use url::Url;

use super::server::is_loopback;
use super::{ClientIpHeaderMode, Config, ConfigError, PagesConfig};
use crate::model::lifetimes::Lifetimes;

/// Beyond it clocks overflow and Postgres refuses.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(3600);

/// Everything that is wrong with `config`.
pub fn validate(config: &Config) -> Vec<ConfigError> {
    let mut found = Findings(Vec::new());
    check_issuer(config, &mut found);
    check_frontend(config, &mut found);
    check_proxies(config, &mut found);
    check_limits(config, &mut found);
    check_stores(config, &mut found);
    check_lifetimes(config, &mut found);
    check_passwords(config, &mut found);
    check_words(config, &mut found);
    found.0
}

struct Findings(Vec<ConfigError>);

impl Findings {
    fn require(&mut self, holds: bool, key: &str, problem: &str, mend: impl Into<String>) {
        if !holds {
            self.0.push(ConfigError::new(key, problem, mend));
        }
    }
}

/// Whether `text` is an origin as a browser writes it (RFC 6454 section 6.2), over TLS unless it stays on this machine.
fn require_origin(found: &mut Findings, key: &str, text: &str) -> Option<Url> {
    let Some(url) = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http")) else {
        found.require(false, key, "is not an http(s) URL", "write it like https://id.example.com");
        return None;
    };
    let origin = url.origin().ascii_serialization();
    found.require(
        origin == text.trim_end_matches('/'),
        key,
        "has a path, a query, a user, a default port or capital letters, or is not plain ASCII",
        format!("write it as {origin}"),
    );
    found.require(
        url.scheme() == "https" || is_loopback(&url),
        key,
        "is public and not https: passwords and tokens would cross the network in the clear",
        "use https, with TLS ended by a proxy in front of this server; plain http is for localhost",
    );
    Some(url)
}

fn check_issuer(config: &Config, found: &mut Findings) {
    let server = &config.server;
    let key = "server.issuer";
    // RFC 8414 section 2: no query, no fragment. No path either: a tenant is an origin, its cookies are `__Host-`.
    let Some(issuer) = require_origin(found, key, &server.issuer) else { return };
    let is_https = issuer.scheme() == "https";
    found.require(
        server.cookie_secure != Some(true) || is_https,
        "server.cookie_secure",
        "is true but the issuer is http: browsers would not send the cookies back",
        "remove cookie_secure, or make the issuer https",
    );
    found.require(
        server.cookie_secure != Some(false) || !is_https || is_loopback(&issuer),
        "server.cookie_secure",
        "is false but the issuer is public: sessions could be taken over from the network",
        "remove cookie_secure",
    );
}

fn check_frontend(config: &Config, found: &mut Findings) {
    let server = &config.server;
    for origin in &server.cors_allowed_origins {
        let key = "server.cors_allowed_origins";
        require_origin(found, key, origin);
        found.require(!origin.ends_with('/'), key, "has an origin that ends in a slash", "remove the slash");
    }
    let Some(text) = &server.frontend_base_url else { return };
    let key = "server.frontend_base_url";
    let Some(url) = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http")) else {
        return found.require(false, key, "is not an http(s) URL", "write it like https://login.example.com");
    };
    found.require(
        url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none(),
        key,
        "has a query, a fragment or a user",
        "leave only scheme, host and path",
    );
    found.require(
        Url::parse(&server.issuer).is_ok_and(|issuer| is_same_site(&url, &issuer)),
        key,
        "is another site than the issuer: browsers would not send our cookies with its requests",
        "use the issuer's scheme and a host below the same registered domain",
    );
}

/// Whether cookies with `SameSite=Lax` travel from one to the other, as far as that can be told without the public suffix
/// list: too lenient for suffixes of several labels, never too strict.
fn is_same_site(one: &Url, other: &Url) -> bool {
    let site = |url: &Url| match url.host() {
        Some(url::Host::Domain(name)) => {
            let mut labels = name.rsplitn(3, '.');
            Some([labels.next().unwrap_or_default().to_owned(), labels.next().unwrap_or_default().to_owned()])
        }
        host => host.map(|host| [host.to_string(), String::new()]),
    };
    one.scheme() == other.scheme() && site(one) == site(other)
}

fn check_proxies(config: &Config, found: &mut Findings) {
    let server = &config.server;
    let believes = server.client_ip_header_mode != ClientIpHeaderMode::None;
    let names_proxies = !server.trusted_proxy_cidrs.is_empty();
    found.require(
        names_proxies || !believes,
        "server.client_ip_header_mode",
        "names a header, but no proxy is trusted to write it",
        "set server.trusted_proxy_cidrs to the networks of the proxies, or client_ip_header_mode to none",
    );
    found.require(
        believes || !names_proxies,
        "server.trusted_proxy_cidrs",
        "names proxies, but no header of theirs is read: everybody would share the proxy's rate limit",
        "set server.client_ip_header_mode to x_forwarded_for or forwarded",
    );
    found.require(
        server.trusted_proxy_cidrs.iter().all(|network| network.prefix_len() > 0),
        "server.trusted_proxy_cidrs",
        "trusts the whole internet: anybody could choose the address that the rate limits see",
        "name only the networks of the proxies",
    );
}

fn check_limits(config: &Config, found: &mut Findings) {
    let server = &config.server;
    let key = "server.max_header_bytes";
    // hyper refuses to work with a smaller buffer than 8 KiB.
    found.require(
        (8 * 1024..=1024 * 1024).contains(&server.max_header_bytes),
        key,
        "is out of range",
        "8192 to 1048576",
    );
    let key = "server.max_body_bytes";
    found.require(
        (4 * 1024..=16 * 1024 * 1024).contains(&server.max_body_bytes),
        key,
        "is out of range",
        "4096 to 16777216",
    );
    for (key, timeout) in [
        ("server.header_read_timeout", server.header_read_timeout),
        ("server.request_timeout", server.request_timeout),
        ("server.idle_timeout", server.idle_timeout),
        ("server.max_connection_age", server.max_connection_age),
        ("database.acquire_timeout", config.database.acquire_timeout),
        ("database.statement_timeout", config.database.statement_timeout),
        ("state.timeout", config.state.timeout),
        ("passwords.queue_timeout", config.passwords.queue_timeout),
    ] {
        found.require(!timeout.is_zero(), key, "is zero: nothing could ever finish", "give it at least 1ms");
        found.require(timeout <= LONGEST_TIMEOUT, key, "is so long that it is none", "give it at most 1h");
    }
    check_connections(config, found);
    found.require(
        (1..=1000).contains(&config.database.pool_size),
        "database.pool_size",
        "is out of range",
        "1 to 1000; 16 to 32 is right for most",
    );
}

fn check_connections(config: &Config, found: &mut Findings) {
    let server = &config.server;
    found.require(
        (16..=1_000_000).contains(&server.max_connections),
        "server.max_connections",
        "is out of range",
        "16 to 1000000, and below the limit of open files of the process",
    );
    found.require(
        server.max_connections_per_address > 0,
        "server.max_connections_per_address",
        "is zero: nobody could connect",
        "at least 1; a value like server.max_connections lifts the limit",
    );
    found.require(
        server.drain_delay < server.drain_timeout,
        "server.drain_delay",
        "is not shorter than server.drain_timeout, of which it is a part: running requests would be cut off",
        "make it shorter, or drain_timeout longer",
    );
}

fn check_stores(config: &Config, found: &mut Findings) {
    let url = config.database.url.expose_secret();
    let has_scheme = |url: &str, schemes: &[&str]| {
        url.split_once("://").is_some_and(|(scheme, rest)| schemes.contains(&scheme) && !rest.is_empty())
    };
    found.require(
        has_scheme(url, &["postgres", "postgresql"]),
        "database.url",
        if url.is_empty() { "is not set" } else { "is not a Postgres URL" },
        "set it (or DATABASE_URL, DATABASE_URL_FILE) to postgres://user:password@host/database; `ostiary dev` needs none",
    );
    let valkey = config.state.valkey_url.as_ref().map(ExposeSecret::expose_secret);
    found.require(
        valkey.is_none_or(|url| has_scheme(url, &["redis", "rediss", "valkey", "valkeys"])),
        "state.valkey_url",
        "is not a Valkey URL",
        "write it like redis://user:password@host:6379/0, or rediss:// for TLS; remove it to keep state in the process",
    );
    let prefix = &config.state.prefix;
    found.require(
        !prefix.is_empty() && prefix.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)),
        "state.prefix",
        "is empty or has other characters than letters, digits, - _ .",
        "write it like ostiary",
    );
}

fn check_lifetimes(config: &Config, found: &mut Findings) {
    let tokens = &config.tokens;
    for (key, lifetime, longest) in [
        ("tokens.access_token", tokens.access_token, TimeDelta::days(1)),
        ("tokens.id_token", tokens.id_token, TimeDelta::days(1)),
        ("tokens.authorization_code", tokens.authorization_code, Lifetimes::LONGEST_CODE),
        ("tokens.refresh_idle", tokens.refresh_idle, tokens.refresh_absolute),
        ("tokens.refresh_absolute", tokens.refresh_absolute, TimeDelta::days(3650)),
        ("sessions.idle", config.sessions.idle, config.sessions.lifetime),
        ("sessions.lifetime", config.sessions.lifetime, TimeDelta::days(400)),
        ("interactions.lifetime", config.interactions.lifetime, TimeDelta::days(1)),
        ("interactions.kept_untouched", config.interactions.kept_untouched, TimeDelta::days(1)),
        ("throttle.window", config.throttle.window, TimeDelta::days(1)),
        ("throttle.beginnings_window", config.throttle.beginnings_window, TimeDelta::days(1)),
        ("keys.rotation.period", config.keys.rotation.period, TimeDelta::days(3650)),
        ("keys.rotation.prepublish", config.keys.rotation.prepublish, config.keys.rotation.period / 2),
        ("keys.rotation.grace", config.keys.rotation.grace.unwrap_or(TimeDelta::hours(1)), TimeDelta::days(3650)),
    ] {
        let mend = format!("at least 1 second and at most {} seconds", longest.num_seconds());
        found.require(lifetime >= TimeDelta::seconds(1) && lifetime <= longest, key, "is out of range", mend);
    }
    found.require(
        tokens.refresh_grace <= TimeDelta::minutes(5),
        "tokens.refresh_grace",
        "is so long that a stolen refresh token would go unnoticed",
        "5m at most; 10s bridges a lost answer",
    );
}

fn check_passwords(config: &Config, found: &mut Findings) {
    let passwords = &config.passwords;
    let at_least_once = [
        ("passwords.iterations", passwords.iterations),
        ("passwords.parallelism", passwords.parallelism),
        ("throttle.per_network", config.throttle.per_network),
        ("throttle.per_account_and_network", config.throttle.per_account_and_network),
        ("throttle.per_account", config.throttle.per_account),
        ("throttle.per_site", config.throttle.per_site),
        ("throttle.per_device", config.throttle.per_device),
        ("throttle.beginnings_per_network", config.throttle.beginnings_per_network),
        ("throttle.beginnings_per_site", config.throttle.beginnings_per_site),
    ];
    for (key, value) in at_least_once {
        found.require(value > 0, key, "is zero: nobody could sign in", "at least 1");
    }
    found.require(
        (8..=128).contains(&passwords.min_length),
        "passwords.min_length",
        "is out of range: shorter passwords are guessed, longer ones are written on paper",
        "8 to 128; 10 is a good value",
    );
    let ticket = config.admin.password_ticket;
    found.require(
        ticket > TimeDelta::zero() && ticket <= TimeDelta::days(30),
        "admin.password_ticket",
        "is out of range: a link must work for a while, and not for whoever finds it much later",
        "more than 0 and 30d at most; 24h is a good value",
    );
    found.require(passwords.queue > 0, "passwords.queue", "is zero: nobody could sign in", "at least 1");
    found.require(
        (7_168..=4_194_304).contains(&passwords.memory_kib),
        "passwords.memory_kib",
        "is out of range: less is cheap to attack, more does not fit",
        "7168 to 4194304; 19456 with 2 iterations is a good value",
    );
}

fn check_words(config: &Config, found: &mut Findings) {
    let acr_values = &config.oidc.acr_values;
    found.require(
        !acr_values.is_empty()
            && acr_values.iter().all(|acr| !acr.is_empty() && acr.bytes().all(|b| b.is_ascii_graphic())),
        "oidc.acr_values",
        "is empty, or has a value that is empty or not plain ASCII without spaces",
        "write it like [\"urn:ostiary:acr:pwd\"]",
    );
    // RFC 8707 section 2: an absolute URI without a fragment.
    let is_resource = |text: &String| Url::parse(text).is_ok_and(|uri| uri.fragment().is_none());
    found.require(
        config.oidc.default_resource.as_ref().is_none_or(is_resource),
        "oidc.default_resource",
        "is not an absolute URI without a fragment",
        "write it like https://api.example.com, or remove it",
    );
    found.require(
        PagesConfig::LOCALES.contains(&config.pages.default_locale.as_str()),
        "pages.default_locale",
        "is not a language of the catalogue",
        format!("one of {}", PagesConfig::LOCALES.join(", ")),
    );
    found.require(
        tracing_subscriber::EnvFilter::try_new(&config.log.filter).is_ok(),
        "log.filter",
        "is not a list of tracing directives",
        "write it like info or warn,ostiary=debug",
    );
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

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
    fn a_frontend_is_the_same_site() {
        let frontend = |text: &'static str| move |c: &mut Config| c.server.frontend_base_url = Some(text.into());
        assert!(keys_after(frontend("https://login.example.com/app")).is_empty());
        for wrong in ["https://login.example.org", "http://login.example.com", "https://login.example.com?x=1", "login"]
        {
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
}
