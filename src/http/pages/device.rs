//! The pages on which a person connects a device (RFC 8628 section 3.3): the code, and what became of it.

use std::time::Duration;

use askama::Template;
use serde::{Deserialize, Serialize};

use super::catalogue::Messages;
use super::view::Site;

/// Asks for the code that a device shows, or whether it shows this one.
#[derive(Clone, Copy, Template)]
#[template(path = "device.html", config = "src/http/pages/askama.toml")]
pub struct DevicePage<'a> {
    /// The server.
    pub site: &'a Site,
    /// The token that shows that the form came from us.
    pub csrf: &'a str,
    /// The code of a link, to be compared with the device (section 3.3.1).
    pub shown: Option<&'a str>,
    /// What was typed before.
    pub typed: &'a str,
    /// Why it did not work.
    pub problem: Option<DeviceProblem>,
}

/// Says what became of a device.
#[derive(Clone, Copy, Template)]
#[template(path = "device_end.html", config = "src/http/pages/askama.toml")]
pub struct DeviceEndPage<'a> {
    /// The server.
    pub site: &'a Site,
    /// What became of it.
    pub end: DeviceEnd,
}

/// What became of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceEnd {
    /// It was allowed.
    Approved,
    /// It was refused.
    Refused,
    /// Its code was used elsewhere, or is too old.
    Over,
}

/// Why a code did not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceProblem {
    /// No device shows it.
    Wrong,
    /// Too many tries.
    Throttled(Duration),
}

impl DevicePage<'_> {
    fn heading(&self) -> &'static str {
        if self.shown.is_some() { self.site.m.device.confirm_title } else { self.site.m.device.title }
    }

    fn lede(&self) -> &'static str {
        if self.shown.is_some() { self.site.m.device.confirm } else { self.site.m.device.explanation }
    }
}

impl DeviceEndPage<'_> {
    fn id(&self) -> &'static str {
        match self.end {
            DeviceEnd::Approved => "device-done",
            DeviceEnd::Refused => "device-refused",
            DeviceEnd::Over => "device-over",
        }
    }

    fn heading(&self) -> &'static str {
        let m = &self.site.m.device;
        match self.end {
            DeviceEnd::Approved => m.done_title,
            DeviceEnd::Refused => m.refused_title,
            DeviceEnd::Over => m.over_title,
        }
    }

    fn explanation(&self) -> &'static str {
        let m = &self.site.m.device;
        match self.end {
            DeviceEnd::Approved => m.done,
            DeviceEnd::Refused => m.refused,
            DeviceEnd::Over => m.over,
        }
    }
}

impl DeviceProblem {
    fn text(self, m: &Messages) -> String {
        match self {
            Self::Wrong => m.device.wrong.into(),
            Self::Throttled(wait) => format!("{} {}.", m.login.throttled, (m.login.wait)(wait.as_secs())),
        }
    }
}
