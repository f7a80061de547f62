//! Numbers and times that have to stay within bounds.

use std::time::Duration;

use chrono::TimeDelta;

use super::Findings;
use crate::config::Config;
use crate::model::lifetimes::Lifetimes;

/// Beyond it clocks overflow and Postgres refuses.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(3600);

pub(super) fn check_limits(config: &Config, found: &mut Findings) {
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
    check_registration(config, found);
    check_client_documents(config, found);
    check_reaping(config, found);
    found.require(
        (1..=1000).contains(&config.database.pool_size),
        "database.pool_size",
        "is out of range",
        "1 to 1000; 16 to 32 is right for most",
    );
}

fn check_registration(config: &Config, found: &mut Findings) {
    let registration = &config.registration;
    found.require(
        !registration.scopes.iter().any(|scope| scope.starts_with("admin:")),
        "registration.scopes",
        "has a scope of the admin API, which clients that register themselves never get",
        "take it out, and register that client over the admin API",
    );
    let admin = config.server.url("/admin");
    found.require(
        !registration.resources.iter().any(|resource| resource.as_str() == admin),
        "registration.resources",
        "has the admin API, which clients that register themselves never get",
        "take it out, and register that client over the admin API",
    );
    found.require(
        !registration.grant_types.is_empty()
            && !registration.token_endpoint_auth_methods.is_empty()
            && !registration.subject_types.is_empty(),
        "registration",
        "has no grant, no way to authenticate or nothing to call people: nothing could be registered",
        "name some in grant_types, token_endpoint_auth_methods and subject_types, or set mode to off",
    );
    found.require(
        (TimeDelta::minutes(1)..=TimeDelta::days(1)).contains(&registration.window),
        "registration.window",
        "is out of range",
        "1m to 1d",
    );
    found.require(
        registration.per_network > 0 && registration.per_site > 0,
        "registration.per_network",
        "is zero: nobody could register",
        "give per_network and per_site at least 1, or set mode to off",
    );
}

fn check_reaping(config: &Config, found: &mut Findings) {
    let registration = &config.registration;
    for (key, after) in
        [("registration.unused_after", registration.unused_after), ("registration.idle_after", registration.idle_after)]
    {
        found.require(
            after.is_zero() || after >= TimeDelta::days(2),
            key,
            "is so short that clients are removed in which somebody is just taking an interest",
            "2d at least; 0 removes none",
        );
    }
}

fn check_client_documents(config: &Config, found: &mut Findings) {
    let documents = &config.client_documents;
    found.require(
        !documents.scopes.iter().any(|scope| scope.starts_with("admin:")),
        "client_documents.scopes",
        "has a scope of the admin API, which clients that nobody registered never get",
        "take it out, and register that client over the admin API",
    );
    let is_host = |pattern: &String| {
        let host = pattern.strip_prefix("*.").unwrap_or(pattern);
        let is_label = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
        host.split('.').all(is_label)
            && host.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
    };
    found.require(
        documents.allowed_hosts.iter().all(is_host),
        "client_documents.allowed_hosts",
        "has something else than names of hosts in lower case",
        "write it like [agent.example.com, \"*.tools.example.com\"], without scheme, port and path",
    );
    found.require(
        (TimeDelta::minutes(1)..=TimeDelta::days(1)).contains(&documents.window),
        "client_documents.window",
        "is out of range",
        "1m to 1d",
    );
    found.require(
        documents.fetches_per_network > 0 && documents.fetches_per_site > 0,
        "client_documents.fetches_per_network",
        "is zero: no document could be fetched",
        "give fetches_per_network and fetches_per_site at least 1, or set enabled to false",
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

pub(super) fn check_lifetimes(config: &Config, found: &mut Findings) {
    let (tokens, backchannel) = (&config.tokens, &config.backchannel_authentication);
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
        ("pushed_requests.lifetime", config.pushed_requests.lifetime, TimeDelta::minutes(10)),
        ("device_authorization.lifetime", config.device_authorization.lifetime, TimeDelta::minutes(30)),
        ("device_authorization.interval", config.device_authorization.interval, TimeDelta::minutes(1)),
        ("backchannel_authentication.longest_lifetime", backchannel.longest_lifetime, TimeDelta::minutes(30)),
        ("backchannel_authentication.lifetime", backchannel.lifetime, backchannel.longest_lifetime),
        ("backchannel_authentication.interval", backchannel.interval, TimeDelta::minutes(1)),
        ("dpop.nonce_lifetime", config.dpop.nonce_lifetime, TimeDelta::days(1)),
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
