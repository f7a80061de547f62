//! How many connections may be open: in all, and from one network address.
//!
//! At the total nobody is refused: the next connection waits, in the kernel's queue, until another ends. A peer that holds
//! too many by itself is hung up on, so that it cannot be what fills the total; proxies that are trusted speak for many.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::ServerConfig;
use crate::http::client_ip::ClientIp;

/// The places of one server, on all its listeners.
pub struct Places {
    total: Arc<Semaphore>,
    is_full: AtomicBool,
    per_address: usize,
    trusted: Vec<IpNet>,
    taken: Mutex<HashMap<String, Taken>>,
}

/// What a network holds.
#[derive(Default)]
struct Taken {
    connections: usize,
    /// Whether the log has it already that these are too many.
    is_reported: bool,
}

/// Room for one more connection in all; absent only if the server is gone.
pub struct Room {
    _permit: Option<OwnedSemaphorePermit>,
}

/// The place of one connection, free again when it is dropped.
pub struct Place {
    _room: Room,
    _share: Option<Share>,
}

/// One of a network's connections.
struct Share {
    places: Arc<Places>,
    network: String,
}

impl Places {
    /// As the settings say.
    pub fn new(config: &ServerConfig) -> Arc<Self> {
        Arc::new(Self {
            total: Arc::new(Semaphore::new(config.max_connections.min(Semaphore::MAX_PERMITS))),
            is_full: AtomicBool::new(false),
            per_address: config.max_connections_per_address,
            trusted: config.trusted_proxy_cidrs.clone(),
            taken: Mutex::default(),
        })
    }

    /// Waits until there is room for one more.
    pub async fn room(&self) -> Room {
        if let Ok(permit) = Arc::clone(&self.total).try_acquire_owned() {
            self.is_full.store(false, Ordering::Relaxed);
            return Room { _permit: Some(permit) };
        }
        if !self.is_full.swap(true, Ordering::Relaxed) {
            tracing::warn!("server.max_connections are open: new ones wait until others end");
        }
        Room { _permit: Arc::clone(&self.total).acquire_owned().await.ok() }
    }

    /// Gives the connection of `peer` a place, unless its network has too many.
    pub fn admit(self: &Arc<Self>, room: Room, peer: IpAddr) -> Option<Place> {
        let peer = peer.to_canonical();
        if self.trusted.iter().any(|network| network.contains(&peer)) {
            return Some(Place { _room: room, _share: None });
        }
        let network = ClientIp(peer).network().name;
        let mut networks = self.taken();
        let taken = networks.entry(network.clone()).or_default();
        if taken.connections >= self.per_address {
            if !taken.is_reported {
                taken.is_reported = true;
                tracing::warn!(network, "has server.max_connections_per_address open, further ones are hung up on");
            }
            return None;
        }
        taken.connections += 1;
        drop(networks);
        Some(Place { _room: room, _share: Some(Share { places: Arc::clone(self), network }) })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<String, Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut networks = self.places.taken();
        if let Entry::Occupied(mut taken) = networks.entry(std::mem::take(&mut self.network)) {
            taken.get_mut().connections = taken.get().connections.saturating_sub(1);
            if taken.get().connections == 0 {
                taken.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn places(total: usize, per_address: usize) -> Arc<Places> {
        Places::new(&ServerConfig {
            max_connections: total,
            max_connections_per_address: per_address,
            trusted_proxy_cidrs: vec!["10.0.0.0/8".parse().unwrap()],
            ..ServerConfig::default()
        })
    }

    async fn enter(places: &Arc<Places>, peer: &str) -> Option<Place> {
        let room = tokio::time::timeout(Duration::from_millis(20), places.room()).await.ok()?;
        places.admit(room, peer.parse().unwrap())
    }

    #[tokio::test]
    async fn a_network_has_so_many_and_a_trusted_proxy_as_many_as_there_are() {
        let places = places(100, 2);
        for (one, other) in [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8:0:1::1")] {
            let held = [enter(&places, one).await, enter(&places, one).await];
            assert!(held.iter().all(Option::is_some));
            assert!(enter(&places, one).await.is_none(), "{one}");
            assert!(enter(&places, other).await.is_some(), "{other}");
            drop(held);
            assert!(enter(&places, one).await.is_some(), "{one}");
        }
        // One subscriber has a whole /64; one machine has an address in two spellings.
        let _held = [enter(&places, "2001:db8::1").await, enter(&places, "192.0.2.1").await];
        let _same = [enter(&places, "2001:db8::2").await, enter(&places, "::ffff:192.0.2.1").await];
        assert!(enter(&places, "2001:db8::3").await.is_none() && enter(&places, "192.0.2.1").await.is_none());
        let mut proxied = Vec::new();
        for _ in 0..10 {
            proxied.push(enter(&places, "10.1.2.3").await.unwrap());
        }
    }

    #[tokio::test]
    async fn at_the_total_the_next_waits_and_nothing_is_left_behind() {
        let places = places(2, 10);
        let first = enter(&places, "192.0.2.1").await.unwrap();
        let _second = enter(&places, "10.0.0.1").await.unwrap();
        assert!(enter(&places, "192.0.2.3").await.is_none(), "it waits");
        drop(first);
        drop(enter(&places, "192.0.2.3").await.unwrap());
        assert!(places.taken().is_empty());
        assert_eq!(places.total.available_permits(), 1);
    }
}
