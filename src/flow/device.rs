//! The browsers that signed in to an account before, by a sealed cookie of their own.
//!
//! The cookie proves nothing about who sits there and opens nothing: it only separates the browsers a person uses from the
//! rest of the world, so that guessing elsewhere does not slow them (see [`throttle`](super::throttle)). It survives signing
//! out, therefore, and says of the accounts only their hashes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::keys::master_key::{MasterKeys, Purpose};
use crate::random;

/// How long a sign-in is remembered.
pub const LIFETIME: TimeDelta = TimeDelta::days(365);

/// The accounts remembered in one browser; the one longest unused makes room.
const MOST_ACCOUNTS: usize = 8;

/// The longest cookie that is looked at.
const LONGEST: usize = 2048;

const AAD: &[u8] = b"device cookie";

/// A browser and the accounts that were signed in to with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    id: String,
    accounts: Vec<Account>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Account {
    mac: String,
    at: i64,
}

impl Device {
    /// A browser that nobody signed in with.
    pub fn unknown() -> Self {
        Self { id: random::id(), accounts: Vec::new() }
    }

    /// The browser that holds this cookie; an unknown one if it holds none, or one that we did not make.
    pub fn from_cookie(keys: &MasterKeys, cookie: Option<&str>) -> Self {
        cookie.and_then(|cookie| Self::open(keys, cookie)).unwrap_or_else(Self::unknown)
    }

    fn open(keys: &MasterKeys, cookie: &str) -> Option<Self> {
        if cookie.len() > LONGEST {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(cookie).ok()?;
        serde_json::from_slice(&keys.open(Purpose::Device, AAD, &sealed)?).ok()
    }

    /// The cookie's value; `None` if it cannot be sealed, which costs the browser its name and nobody a sign-in.
    pub fn to_cookie(&self, keys: &MasterKeys) -> Option<String> {
        let plain = serde_json::to_vec(self).ok()?;
        Some(URL_SAFE_NO_PAD.encode(keys.seal(Purpose::Device, AAD, &plain).ok()?))
    }

    /// The identifier of this browser, if it signed in to `account` before.
    pub fn known_at(&self, account: &str, now: DateTime<Utc>) -> Option<&str> {
        let mac = self.mac(account);
        let since = (now - LIFETIME).timestamp();
        self.accounts.iter().any(|known| known.mac == mac && known.at > since).then_some(self.id.as_str())
    }

    /// The same browser after a sign-in to `account`.
    pub fn signed_in_to(mut self, account: &str, now: DateTime<Utc>) -> Self {
        let mac = self.mac(account);
        self.accounts.retain(|known| known.mac != mac);
        self.accounts.insert(0, Account { mac, at: now.timestamp() });
        self.accounts.truncate(MOST_ACCOUNTS);
        self
    }

    fn mac(&self, account: &str) -> String {
        let text = format!("{}|{account}", self.id);
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        URL_SAFE_NO_PAD.encode(hash)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;

    static KEYS: LazyLock<MasterKeys> = LazyLock::new(keys);

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn keys() -> MasterKeys {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("master.key");
        MasterKeys::generate_file(&file).unwrap();
        MasterKeys::load(&file).unwrap()
    }

    #[test]
    fn a_browser_is_known_only_where_it_signed_in() {
        let keys = keys();
        let cookie = Device::unknown().signed_in_to("alice", now()).to_cookie(&keys).unwrap();
        let device = Device::from_cookie(&keys, Some(&cookie));
        assert_eq!(device.known_at("alice", now()), Some(device.id.as_str()));
        assert_eq!(device.known_at("bob", now()), None);
        let device = device.signed_in_to("bob", now());
        assert!(device.known_at("alice", now()).is_some() && device.known_at("bob", now()).is_some());
    }

    #[test]
    fn a_cookie_that_we_did_not_make_is_an_unknown_browser() {
        let (ours, theirs) = (keys(), keys());
        let forged = Device::unknown().signed_in_to("alice", now()).to_cookie(&theirs).unwrap();
        let mut changed = Device::unknown().signed_in_to("alice", now()).to_cookie(&ours).unwrap();
        let last = if changed.pop() == Some('A') { 'B' } else { 'A' };
        changed.push(last);
        for cookie in
            [None, Some(""), Some("AAAA"), Some("%"), Some(&forged[..]), Some(&changed), Some(&"A".repeat(9999))]
        {
            assert_eq!(Device::from_cookie(&ours, cookie).known_at("alice", now()), None, "{cookie:?}");
        }
    }

    #[test]
    fn a_sign_in_is_remembered_for_a_year() {
        let device = Device::unknown().signed_in_to("alice", now());
        assert!(device.known_at("alice", now() + LIFETIME - TimeDelta::seconds(1)).is_some());
        assert!(device.known_at("alice", now() + LIFETIME).is_none());
    }

    #[test]
    fn the_account_longest_unused_makes_room_and_the_cookie_stays_short() {
        let keys = keys();
        let device = (0..20).fold(Device::unknown(), |device, n| device.signed_in_to(&format!("person{n}"), now()));
        assert!(device.known_at("person19", now()).is_some());
        assert!(device.known_at("person12", now()).is_some());
        assert!(device.known_at("person11", now()).is_none());
        let cookie = device.to_cookie(&keys).unwrap();
        assert!(cookie.len() <= LONGEST, "{}", cookie.len());
        assert!(Device::from_cookie(&keys, Some(&cookie)).known_at("person19", now()).is_some());
    }

    proptest! {
        #[test]
        fn a_cookie_comes_back_as_it_went(accounts in prop::collection::vec(".{0,20}", 0..12), other in ".{0,20}") {
            let device = accounts.iter().fold(Device::unknown(), |device, account| device.signed_in_to(account, now()));
            let cookie = device.to_cookie(&KEYS).unwrap();
            prop_assert!(cookie.len() <= LONGEST && cookie.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
            let again = Device::from_cookie(&KEYS, Some(&cookie));
            prop_assert_eq!(&again, &device);
            let latest: Vec<&String> = accounts.iter().rev().fold(Vec::new(), |mut seen, account| {
                if !seen.contains(&account) {
                    seen.push(account);
                }
                seen
            });
            let is_kept = latest.iter().take(MOST_ACCOUNTS).any(|account| **account == other);
            prop_assert_eq!(again.known_at(&other, now()).is_some(), is_kept);
            for (place, account) in latest.iter().enumerate() {
                prop_assert_eq!(again.known_at(account, now()).is_some(), place < MOST_ACCOUNTS);
            }
        }

        #[test]
        fn a_changed_cookie_is_nobodys(place in any::<prop::sample::Index>(), with in "[A-Za-z0-9_=.%-]", is_put_in: bool) {
            let cookie = Device::unknown().signed_in_to("alice", now()).to_cookie(&KEYS).unwrap();
            let at = place.index(cookie.len());
            let end = if is_put_in { at } else { at + 1 };
            let changed = format!("{}{with}{}", &cookie[..at], &cookie[end..]);
            prop_assume!(changed != cookie);
            let device = Device::from_cookie(&KEYS, Some(&changed));
            prop_assert_eq!(device.known_at("alice", now()), None);
        }
    }
}
