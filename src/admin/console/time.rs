//! Times in words. The clock is that of the server, and says so.

use chrono::{DateTime, Utc};

/// A moment.
pub(super) fn words(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y, %H:%M UTC").to_string()
}

/// A day.
pub(super) fn day(at: DateTime<Utc>) -> String {
    at.format("%-d %b %Y").to_string()
}

/// A moment, where there is little room: the reader is told elsewhere that it is UTC.
pub(super) fn minute(at: DateTime<Utc>) -> String {
    at.format("%-d %b %Y, %H:%M").to_string()
}
