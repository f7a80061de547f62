//! How the programs of external keys are run.

use chrono::TimeDelta;

use super::Findings;
use crate::config::Config;

pub(super) fn check_external_keys(config: &Config, found: &mut Findings) {
    let external = &config.keys.external;
    found.require(
        external.programs.iter().all(|program| program.is_absolute()),
        "keys.external.programs",
        "has a path that is not absolute",
        "write it like /usr/local/bin/sign-with-hsm",
    );
    // Waiting for a place and the signature itself may each take as long, for two tokens.
    found.require(
        !external.timeout.is_zero() && external.timeout * 4 <= config.server.request_timeout,
        "keys.external.timeout",
        "is zero, or so long that a request ends before its signatures can be made",
        "more than 0 and a quarter of server.request_timeout at most",
    );
    found.require(
        (1..=64).contains(&external.processes),
        "keys.external.processes",
        "is out of range",
        "1 to 64; as many as the place of the keys serves at once",
    );
    found.require(
        external.queue <= 10_000,
        "keys.external.queue",
        "is so long that whoever waits in it has given up",
        "10000 at most; 64 is a good value",
    );
    found.require(external.failures > 0, "keys.external.failures", "is zero: no key would ever sign", "at least 1");
    found.require(
        external.pause >= TimeDelta::seconds(1) && external.pause <= TimeDelta::hours(1),
        "keys.external.pause",
        "is out of range",
        "1s to 1h",
    );
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::ExternalKeysConfig;

    #[test]
    fn programs_are_named_whole_and_no_request_waits_for_them_in_vain() {
        let found = |change: fn(&mut ExternalKeysConfig)| {
            let mut config = Config::default();
            change(&mut config.keys.external);
            let mut found = Findings(Vec::new());
            check_external_keys(&config, &mut found);
            found.0.into_iter().map(|error| error.key.to_string()).collect::<Vec<_>>()
        };
        assert!(found(|_| {}).is_empty());
        assert!(found(|external| external.programs = vec!["/bin/sh".into()]).is_empty());
        assert_eq!(found(|external| external.programs = vec!["sh".into()]), ["keys.external.programs"]);
        assert_eq!(found(|external| external.timeout = Duration::ZERO), ["keys.external.timeout"]);
        assert_eq!(found(|external| external.timeout = Duration::from_secs(8)), ["keys.external.timeout"]);
        assert_eq!(found(|external| external.processes = 0), ["keys.external.processes"]);
        assert_eq!(found(|external| external.queue = usize::MAX), ["keys.external.queue"]);
        assert_eq!(found(|external| external.failures = 0), ["keys.external.failures"]);
        assert_eq!(found(|external| external.pause = TimeDelta::days(1)), ["keys.external.pause"]);
    }
}
