//! Ports for programs that have to be told one. Whoever binds port 0 and lets it go again may find it taken by a connection
//! of somebody else: the kernel gives such ports to those, too. These are below what it gives.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where they begin, and how many there are: the kernel's own begin at 32,768.
const FIRST: u32 = 10_000;
const COUNT: u32 = 22_000;

static GIVEN: AtomicU32 = AtomicU32::new(0);

/// A port of this machine's own addresses that nobody listens on, neither by UDP nor by TCP, and that nobody else in this
/// process gets.
pub(crate) fn free_port() -> u16 {
    for _ in 0..COUNT {
        // Test programs that run side by side begin at different places.
        let number = std::process::id().wrapping_mul(97).wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(FIRST + number % COUNT).unwrap_or(u16::MAX);
        let address = (Ipv4Addr::UNSPECIFIED, port);
        if UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok() {
            return port;
        }
    }
    0
}
