//! How spans of time are written: a number of seconds, or a number with a unit (`500ms`, `10s`, `5m`, `12h`, `30d`).

use std::fmt;
use std::time::Duration;

use chrono::TimeDelta;
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserializer, Serializer};

const UNITS: [(&str, i64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

struct Millis;

impl Visitor<'_> for Millis {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a span of time: a number of seconds, or a number with a unit like 500ms, 10s, 5m, 12h, 30d")
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<i64, E> {
        let millis = i64::try_from(seconds).ok().and_then(|seconds| seconds.checked_mul(1_000));
        millis.ok_or_else(|| E::invalid_value(Unexpected::Unsigned(seconds), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<i64, E> {
        parse_millis(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

fn parse_millis(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit = if unit.is_empty() { "s" } else { unit };
    let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    number.parse::<i64>().ok()?.checked_mul(factor)
}

fn write_millis(millis: i64) -> String {
    let largest = UNITS.into_iter().rev().find(|(_, factor)| millis != 0 && millis % factor == 0);
    let (unit, factor) = largest.unwrap_or(("s", 1_000));
    format!("{}{unit}", millis / factor)
}

/// Reads a timeout as commands are given it.
pub fn parse(text: &str) -> Option<Duration> {
    parse_millis(text).map(|millis| Duration::from_millis(millis.unsigned_abs()))
}

/// Reads a timeout.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let millis = deserializer.deserialize_any(Millis)?;
    Ok(Duration::from_millis(millis.unsigned_abs()))
}

/// Writes a timeout.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&write_millis(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
}

/// The same for lifetimes, which are added to times.
pub mod lifetime {
    use super::{Deserializer, Millis, Serializer, TimeDelta, write_millis};

    /// Reads a lifetime.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TimeDelta, D::Error> {
        Ok(TimeDelta::milliseconds(deserializer.deserialize_any(Millis)?))
    }

    /// Writes a lifetime.
    pub fn serialize<S: Serializer>(delta: &TimeDelta, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&write_millis(delta.num_milliseconds()))
    }

    /// The same for one that may be absent.
    pub mod optional {
        use serde::Deserialize;

        use super::{Deserializer, Serializer, TimeDelta};

        #[derive(Deserialize)]
        struct Lifetime(#[serde(deserialize_with = "super::deserialize")] TimeDelta);

        /// Reads a lifetime.
        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TimeDelta>, D::Error> {
            Ok(Option::<Lifetime>::deserialize(deserializer)?.map(|Lifetime(delta)| delta))
        }

        /// Writes a lifetime.
        pub fn serialize<S: Serializer>(delta: &Option<TimeDelta>, serializer: S) -> Result<S::Ok, S::Error> {
            match delta {
                Some(delta) => super::serialize(delta, serializer),
                None => serializer.serialize_none(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written_with_their_unit() {
        for (text, millis, written) in [
            ("500ms", 500, "500ms"),
            ("10s", 10_000, "10s"),
            ("300", 300_000, "5m"),
            ("5m", 300_000, "5m"),
            ("24h", 86_400_000, "1d"),
            ("0", 0, "0s"),
        ] {
            assert_eq!(parse_millis(text), Some(millis), "{text}");
            assert_eq!(write_millis(millis), written, "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "s", "5 m", "-5s", "5w", "1.5h", "99999999999999999999s", "9223372036854775807d"] {
            assert_eq!(parse_millis(text), None, "{text}");
        }
    }
}
