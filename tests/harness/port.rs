//! Ports for programs that are told theirs.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

/// A port that is free on loopback of both families, at this moment.
pub fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        match TcpListener::bind((Ipv6Addr::LOCALHOST, port)) {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
            // Free there too, or a machine without IPv6.
            Ok(_) | Err(_) => return port,
        }
    }
}
