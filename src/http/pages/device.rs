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

/// Says what became of a device, or of another request that was decided here for somebody who waits elsewhere.
#[derive(Clone, Copy, Template)]
#[template(path = "device_end.html", config = "src/http/pages/askama.toml")]
pub struct DeviceEndPage<'a> {
    /// The server.
    pub site: &'a Site,
    /// Whose request it was.
    pub of: EndOf,
    /// What became of it.
    pub end: DeviceEnd,
}

/// Whose request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndOf {
    /// A device's.
    Device,
    /// That of an application whose person was elsewhere.
    Request,
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
        match (self.of, self.end) {
            (EndOf::Device, DeviceEnd::Approved) => "device-done",
            (EndOf::Device, DeviceEnd::Refused) => "device-refused",
            (EndOf::Device, DeviceEnd::Over) => "device-over",
            (EndOf::Request, DeviceEnd::Approved) => "request-done",
            (EndOf::Request, DeviceEnd::Refused) => "request-refused",
            (EndOf::Request, DeviceEnd::Over) => "request-over",
        }
    }

    fn heading(&self) -> &'static str {
        let (device, request) = (&self.site.m.device, &self.site.m.requests);
        match (self.of, self.end) {
            (EndOf::Device, DeviceEnd::Approved) => device.done_title,
            (EndOf::Device, DeviceEnd::Refused) => device.refused_title,
            (EndOf::Device, DeviceEnd::Over) => device.over_title,
            (EndOf::Request, DeviceEnd::Approved) => request.done_title,
            (EndOf::Request, DeviceEnd::Refused) => request.refused_title,
            (EndOf::Request, DeviceEnd::Over) => request.over_title,
        }
    }

    fn explanation(&self) -> &'static str {
        let (device, request) = (&self.site.m.device, &self.site.m.requests);
        match (self.of, self.end) {
            (EndOf::Device, DeviceEnd::Approved) => device.done,
            (EndOf::Device, DeviceEnd::Refused) => device.refused,
            (EndOf::Device, DeviceEnd::Over) => device.over,
            (EndOf::Request, DeviceEnd::Approved) => request.done,
            (EndOf::Request, DeviceEnd::Refused) => request.refused_end,
            (EndOf::Request, DeviceEnd::Over) => request.over,
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
