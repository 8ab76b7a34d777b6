//! How many connections each peer has.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use crate::domain::network::network;

/// The peers that have connections: never more than there are connections.
pub(super) struct Peers {
    limit: usize,
    connections: Mutex<HashMap<IpAddr, usize>>,
}

impl Peers {
    /// No more than `limit` connections for each address; an IPv6 network of 64 bits counts as one.
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, connections: Mutex::default() })
    }

    /// Counts one more connection of `address`, until what is returned is dropped. `None` when it has enough.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<PeerPlace> {
        let peer = network(address);
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let count = connections.entry(peer).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        drop(connections);
        Some(PeerPlace { peers: Arc::clone(self), peer })
    }
}

/// One connection of a peer.
pub(super) struct PeerPlace {
    peers: Arc<Peers>,
    peer: IpAddr,
}

impl Drop for PeerPlace {
    fn drop(&mut self) {
        let mut connections = self.peers.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = connections.entry(self.peer) {
            *count.get_mut() = count.get().saturating_sub(1);
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_its_own_number_of_connections() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let peers = Peers::new(2);
        let first = peers.enter(address("2001:db8::1"));
        let second = peers.enter(address("2001:db8::2"));
        assert!(first.is_some() && second.is_some());
        assert!(peers.enter(address("2001:db8::3")).is_none());
        assert!(peers.enter(address("192.0.2.1")).is_some());
        drop(first);
        assert!(peers.enter(address("2001:db8::3")).is_some());
        drop(second);
        assert!(peers.connections.lock().unwrap().is_empty());
    }
}
