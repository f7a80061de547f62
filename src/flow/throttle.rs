//! Limits on password attempts: they slow whoever guesses and cannot lock a person out of their account. And limits on how
//! many authorization attempts one network may begin, because each is a record that lives for a while; and on guesses of the
//! codes that devices show, on how many clients may be registered and how often registrations be changed from one network, and on how
//! many documents of clients, request objects and addresses of sectors are fetched for one. And on what a client may send to people
//! who are elsewhere.
//!
//! Failures are counted in windows; a count slides, as this window's plus the share of the previous one that is not yet a
//! window old. Who attempts is one of two:
//!
//! * A browser that signed in to this account before (see [`device`](super::device)): it has an allowance of its own and
//!   nothing that others do touches it. A stolen cookie gives a thief no more than that allowance.
//! * Anyone else is counted by network and by the site around it, and by account and network. A further count, by account, only makes the second
//!   allowance smaller while many networks fail at one account; never smaller than [`LEAST`], so that the person who comes
//!   from a network that has not failed can always sign in, unless their whole site is over its limit.
//!
//! An attempt is reserved before the password is looked at, because attempts that run side by side would otherwise all see
//! the same count. It then ends in one of two ways: [`Reserved::refund`], or [`Reserved::count_failure`], which leaves it
//! counted. An attempt that is not admitted is not counted anywhere, so hammering does not prolong anything, and one network
//! cannot fill an account's count with attempts it was never allowed.

// Counters in windows.
mod window;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{try_join, try_join_all};

use self::window::{Count, Counter, Limit, Window};
use crate::config::{ClientDocumentsConfig, RegistrationConfig, ThrottleConfig};
use crate::model::id::{ClientId, SubjectId};
use crate::storage::StoreError;
use crate::storage::state::StateStore;

/// The attempts that a network keeps at an account however many others fail there: the right password, and one slip.
pub const LEAST: u32 = 2;

/// Where somebody comes from, as limits count it. See `http::client_ip`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// An IPv4 address, or the IPv6 /64 that one subscriber has all addresses of.
    pub name: String,
    /// The IPv6 /48 around it, which one customer can have all networks of (RFC 6177 section 2).
    pub site: Option<String>,
}

/// Who attempts to sign in, and to what.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The client's network.
    pub network: &'a Network,
    /// The account, as it is looked up. Names that nobody has are counted like any other.
    pub account: &'a str,
    /// The identifier of the browser, if it signed in to this account before.
    pub device: Option<&'a str>,
}

/// Whether an attempt may go on.
#[derive(Debug)]
pub enum Admission {
    /// It may; it is counted until it is refunded.
    Admitted(Reserved),
    /// Not before that time has passed.
    Wait(Duration),
}

/// An attempt that is counted.
#[must_use = "a reserved attempt is refunded or counted as a failure"]
#[derive(Debug)]
pub struct Reserved {
    window: Window,
    counted: Vec<Counter>,
    on_failure: Option<Counter>,
}

/// Counts an attempt, if it may go on.
pub async fn reserve(
    store: &dyn StateStore,
    limits: &ThrottleConfig,
    attempt: Attempt<'_>,
    now: DateTime<Utc>,
) -> Result<Admission, StoreError> {
    let mut reserved = Reserved::at(Window::at(limits.window, now));
    if let Some(device) = attempt.device {
        let counter = Counter::new(Limit::Password, &["device", attempt.account, device]);
        let count = reserved.add(store, counter, now).await?;
        return reserved.admit(store, count, limits.per_device.max(1), now).await;
    }
    let from = network_limits(Limit::Password, attempt.network, limits.per_network, limits.per_site);
    if let Some(wait) = reserved.add_within(store, from, now).await? {
        reserved.refund(store, now).await?;
        return Ok(Admission::Wait(wait));
    }
    // Only now, so that a network that is over its limit cannot make counters for any number of names.
    let account = Counter::new(Limit::Password, &["account", attempt.account]);
    let here = Counter::new(Limit::Password, &["account and network", attempt.account, &attempt.network.name]);
    let window = reserved.window;
    let (everywhere, here) = try_join(account.add(store, 0, window, now), reserved.add(store, here, now)).await?;
    reserved.on_failure = Some(account);
    reserved.admit(store, here, allowance(limits, everywhere.sliding(window)), now).await
}

/// Counts the typing of a device's user code (RFC 8628 section 5.1), if it may go on: by network and site, and by each of
/// `typists`, the browser and the session that it is typed in. A right one is refunded. While wrong ones come from everywhere,
/// each network has fewer: a code is short, and who guesses from many networks must not have as many tries as networks.
pub async fn reserve_user_code(
    store: &dyn StateStore,
    limits: &ThrottleConfig,
    network: &Network,
    typists: &[String],
    now: DateTime<Utc>,
) -> Result<Admission, StoreError> {
    let mut reserved = Reserved::at(Window::at(limits.window, now));
    let everywhere = Counter::new(Limit::UserCode, &["everywhere"]);
    let failed = everywhere.add(store, 0, reserved.window, now).await?.sliding(reserved.window);
    let per_network = share(limits.user_codes_per_network, limits.user_codes, failed);
    let mut counters = network_limits(Limit::UserCode, network, per_network, limits.user_codes_per_site);
    counters.push((everywhere, u32::MAX));
    let typists = typists.iter().map(|typist| Counter::new(Limit::UserCode, &["typist", typist]));
    counters.extend(typists.map(|counter| (counter, limits.per_device.max(1))));
    if let Some(wait) = reserved.add_within(store, counters, now).await? {
        reserved.refund(store, now).await?;
        return Ok(Admission::Wait(wait));
    }
    Ok(Admission::Admitted(reserved))
}

/// Counts the beginning of an authorization attempt; how long to wait, if the network began too many already.
pub async fn count_beginning(
    store: &dyn StateStore,
    limits: &ThrottleConfig,
    network: &Network,
    now: DateTime<Utc>,
) -> Result<Option<Duration>, StoreError> {
    let (per_network, per_site) = (limits.beginnings_per_network, limits.beginnings_per_site);
    let from = network_limits(Limit::Beginning, network, per_network, per_site);
    count(store, (Window::at(limits.beginnings_window, now), from), now).await
}

/// Counts the registration of a client that nobody invited; how long to wait, if the network registered too many already.
pub async fn count_registration(
    store: &dyn StateStore,
    limits: &RegistrationConfig,
    network: &Network,
    now: DateTime<Utc>,
) -> Result<Option<Duration>, StoreError> {
    let from = network_limits(Limit::Registration, network, limits.per_network, limits.per_site);
    count(store, (Window::at(limits.window, now), from), now).await
}

/// Counts the change of a client's registration by itself; how long to wait, if its network or the client itself changed too many
/// already.
pub async fn count_registration_change(
    store: &dyn StateStore,
    limits: &RegistrationConfig,
    (network, client): (&Network, &ClientId),
    now: DateTime<Utc>,
) -> Result<Option<Duration>, StoreError> {
    let limit = Limit::RegistrationChange;
    let mut counters = network_limits(limit, network, limits.per_network, limits.per_site);
    counters.push((Counter::new(limit, &["client", client.as_str()]), limits.per_network.max(1)));
    count(store, (Window::at(limits.window, now), counters), now).await
}

/// Counts a look at the address of a sector; how long to wait, if there were too many for the network, or at that host for everybody.
pub async fn count_sector_identifier(
    store: &dyn StateStore,
    limits: &RegistrationConfig,
    (network, host): (&Network, &str),
    now: DateTime<Utc>,
) -> Result<Option<Duration>, StoreError> {
    let limit = Limit::SectorIdentifier;
    let mut counters = network_limits(limit, network, limits.per_network, limits.per_site);
    counters.push((Counter::new(limit, &["host", host]), limits.per_site.max(1)));
    count(store, (Window::at(limits.window, now), counters), now).await
}

/// Counts the fetch of a request object of a client; how long to wait, if there were too many for the network. While there are many
/// for the client from everywhere, each network has fewer: a stranger makes the client's host no more work than that, and nobody is
/// kept from signing in.
pub async fn count_request_object(
    store: &dyn StateStore,
    limits: &ThrottleConfig,
    (network, client): (&Network, &ClientId),
    now: DateTime<Utc>,
) -> Result<Option<Duration>, StoreError> {
    let (limit, window) = (Limit::RequestObject, Window::at(limits.beginnings_window, now));
    let everywhere = Counter::new(limit, &["client", client.as_str()]);
    let fetched = everywhere.add(store, 0, window, now).await?.sliding(window);
    let per_network = share(limits.request_objects_per_network, limits.request_objects_per_client, fetched);
    let mut counters = network_limits(limit, network, per_network, limits.request_objects_per_site);
    counters.push((everywhere, u32::MAX));
    count(store, (window, counters), now).await
}

/// Counts at each counter; how long to wait, if one of them is over its limit: then it is counted nowhere.
async fn count(
    store: &dyn StateStore,
    (window, counters): (Window, Vec<(Counter, u32)>),
    now: DateTime<Utc>,
) -> Result<Option<Duration>, StoreError> {
    let mut reserved = Reserved::at(window);
    let wait = reserved.add_within(store, counters, now).await?;
    if wait.is_some() {
        reserved.refund(store, now).await?;
    }
    Ok(wait)
}

/// Counts the fetch of the document of a client; how long to wait, if too many were fetched for the network already.
pub async fn count_client_document(
    store: &dyn StateStore,
    limits: &ClientDocumentsConfig,
    network: &Network,
    now: DateTime<Utc>,
) -> Result<Option<Duration>, StoreError> {
    let (per_network, per_site) = (limits.fetches_per_network, limits.fetches_per_site);
    let from = network_limits(Limit::ClientDocument, network, per_network, per_site);
    count(store, (Window::at(limits.window, now), from), now).await
}

/// Counts a hint of a client at a person (OpenID Connect CIBA section 7.1), if it may go on: whoever sends many that mean nobody is
/// finding out who has an account. One that means somebody is refunded.
pub async fn reserve_hint(
    store: &dyn StateStore,
    (length, most): (TimeDelta, u32),
    client_id: &ClientId,
    now: DateTime<Utc>,
) -> Result<Admission, StoreError> {
    let mut reserved = Reserved::at(Window::at(length, now));
    let counter = Counter::new(Limit::UnknownHint, &["client", client_id.as_str()]);
    let count = reserved.add(store, counter, now).await?;
    reserved.admit(store, count, most.max(1), now).await
}

/// Counts a request of a client to a person; how long to wait, if it sent them too many already.
pub async fn count_backchannel_request(
    store: &dyn StateStore,
    (length, most): (TimeDelta, u32),
    (client_id, subject): (&ClientId, &SubjectId),
    now: DateTime<Utc>,
) -> Result<Option<Duration>, StoreError> {
    let mut reserved = Reserved::at(Window::at(length, now));
    let counter = Counter::new(Limit::Backchannel, &["person", client_id.as_str(), subject.as_str()]);
    let count = reserved.add(store, counter, now).await?;
    Ok(match reserved.admit(store, count, most.max(1), now).await? {
        Admission::Admitted(_) => None,
        Admission::Wait(wait) => Some(wait),
    })
}

fn network_limits(limit: Limit, network: &Network, per_network: u32, per_site: u32) -> Vec<(Counter, u32)> {
    let site = network.site.iter().map(|site| (Counter::new(limit, &["site", site]), per_site.max(1)));
    site.chain([(Counter::new(limit, &["network", &network.name]), per_network.max(1))]).collect()
}

/// What one network may fail at one account, given the failures there from everywhere: a share that shrinks as they exceed
/// the limit.
fn allowance(limits: &ThrottleConfig, everywhere: f64) -> u32 {
    share(limits.per_account_and_network, limits.per_account, everywhere)
}

/// What is left of `most` for each network when `everywhere` is more than the `limit` for all of them.
fn share(most: u32, limit: u32, everywhere: f64) -> u32 {
    let most = most.max(LEAST);
    let limit = f64::from(limit.max(1));
    if everywhere <= limit {
        return most;
    }
    let share = f64::from(most) * limit / everywhere;
    (LEAST..most).rev().find(|allowed| f64::from(*allowed) <= share).unwrap_or(LEAST)
}

impl Reserved {
    fn at(window: Window) -> Self {
        Self { window, counted: Vec::new(), on_failure: None }
    }

    async fn add(&mut self, store: &dyn StateStore, counter: Counter, now: DateTime<Utc>) -> Result<Count, StoreError> {
        let count = counter.add(store, 1, self.window, now).await?;
        self.counted.push(counter);
        Ok(count)
    }

    /// Counts the attempt at each counter, side by side, and says how long to wait if one of them is over its limit.
    async fn add_within(
        &mut self,
        store: &dyn StateStore,
        limits: Vec<(Counter, u32)>,
        now: DateTime<Utc>,
    ) -> Result<Option<Duration>, StoreError> {
        let window = self.window;
        let counts = try_join_all(limits.iter().map(|(counter, _)| counter.add(store, 1, window, now))).await?;
        let over = counts.iter().zip(&limits).filter(|(count, (_, most))| count.sliding(window) > f64::from(*most));
        let wait = over.map(|(count, (_, most))| count.wait(window, *most)).max();
        self.counted.extend(limits.into_iter().map(|(counter, _)| counter));
        Ok(wait)
    }

    /// Admits when the last count, which this attempt is part of, is within `allowed`; else takes the attempt back.
    async fn admit(
        self,
        store: &dyn StateStore,
        count: Count,
        allowed: u32,
        now: DateTime<Utc>,
    ) -> Result<Admission, StoreError> {
        if count.sliding(self.window) <= f64::from(allowed) {
            return Ok(Admission::Admitted(self));
        }
        let wait = count.wait(self.window, allowed);
        self.refund(store, now).await?;
        Ok(Admission::Wait(wait))
    }

    /// Takes the attempt back: the password was right, or was not looked at.
    pub async fn refund(self, store: &dyn StateStore, now: DateTime<Utc>) -> Result<(), StoreError> {
        let refunds = self.counted.iter().map(|counter| counter.add(store, -1, self.window, now));
        try_join_all(refunds).await.map(|_| ())
    }

    /// Leaves the attempt counted, for the account too: the password was wrong.
    pub async fn count_failure(self, store: &dyn StateStore, now: DateTime<Utc>) -> Result<(), StoreError> {
        if let Some(account) = &self.on_failure {
            account.add(store, 1, self.window, now).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
