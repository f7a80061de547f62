//! What must hold between settings, and what serde cannot say of one.

// The issuer, other origins, proxies.
mod addresses;
// Programs that sign.
mod external_keys;
// Numbers and times.
mod limits;
#[cfg(test)]
mod tests;

use chrono::TimeDelta;
use secrecy::ExposeSecret;
use url::Url;

use self::addresses::{check_certificates, check_frontend, check_issuer, check_proxies};
use self::external_keys::check_external_keys;
use self::limits::{check_lifetimes, check_limits};
use super::{AcrValue, Config, ConfigError, OutboundException, OutboundPurpose, PagesConfig};

/// Everything that is wrong with `config`.
pub fn validate(config: &Config) -> Vec<ConfigError> {
    let mut found = Findings(Vec::new());
    check_issuer(config, &mut found);
    check_frontend(config, &mut found);
    check_proxies(config, &mut found);
    check_certificates(config, &mut found);
    check_limits(config, &mut found);
    check_stores(config, &mut found);
    check_external_keys(config, &mut found);
    check_lifetimes(config, &mut found);
    check_passwords(config, &mut found);
    check_words(config, &mut found);
    check_announcement(config, &mut found);
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

fn check_announcement(config: &Config, found: &mut Findings) {
    let uri = config.backchannel_authentication.announce_uri.as_deref();
    // Plain http is for a peer that an exception admits with it.
    let is_excepted = |url: &Url, exception: &OutboundException| {
        let is_meant = exception.purpose == OutboundPurpose::BackchannelAnnouncement && exception.allow_http;
        is_meant && url.host_str().is_some_and(|host| exception.is_for_host(host))
    };
    let is_web = |uri: &str| {
        Url::parse(uri).is_ok_and(|url| match url.scheme() {
            "https" => url.username().is_empty(),
            "http" => config.outbound.allow.iter().any(|exception| is_excepted(&url, exception)),
            _ => false,
        })
    };
    found.require(
        uri.is_none_or(is_web),
        "backchannel_authentication.announce_uri",
        "is not the https address of a service",
        "write it like https://push.example.com/ciba, or remove it",
    );
}

fn check_words(config: &Config, found: &mut Findings) {
    let acr_values = &config.oidc.acr_values;
    let is_name = |acr: &str| !acr.is_empty() && acr.bytes().all(|b| b.is_ascii_graphic());
    let is_first =
        |(at, class): (usize, &AcrValue)| acr_values.iter().position(|other| other.acr == class.acr) == Some(at);
    found.require(
        !acr_values.is_empty()
            && acr_values.iter().all(|class| is_name(&class.acr) && !class.methods.is_empty())
            && acr_values.iter().enumerate().all(is_first),
        "oidc.acr_values",
        "is empty, or has an acr that is empty, twice there or not plain ASCII without spaces, or one without methods",
        "write it like [{acr: \"urn:ostiary:acr:pwd\", methods: [pwd]}]",
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
