//! The handler's port.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};

/// A port of loopback for the handler that no other host of this emulator takes.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) number: u16,
    /// UDP ports are independent of TCP ports. Holding the UDP port keeps the TCP port free for the handler,
    /// and shows every other host, in this process or another, that it is taken.
    _claim: UdpSocket,
}

impl Port {
    /// The real host lets the system choose a port and may lose it before the handler binds it. Here it also
    /// lies below the range from which Linux assigns ports to outgoing connections.
    pub(super) fn claim() -> Option<Self> {
        (0..100).map(|_| fastrand::u16(16_000..32_000)).find_map(|number| {
            let claim = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
            TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
            Some(Self { number, _claim: claim })
        })
    }
}
