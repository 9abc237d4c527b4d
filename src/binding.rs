//! What the ports of an agent have in common: `[::]` stands for IPv4 too, and for IPv4 alone where IPv6 is off; and what
//! keeps one from listening is told in one sentence with what to do.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};

use nix::errno::Errno;
use socket2::{Domain, Socket, Type};

/// Which port of an agent it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// Heartbeats.
    Udp,
    /// HTTP.
    Tcp,
}

impl Port {
    /// The key of the configuration that chooses it.
    fn key(self) -> &'static str {
        match self {
            Self::Udp => "listen",
            Self::Tcp => "http.listen",
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        })
    }
}

/// An agent cannot listen where it was told to.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}/{port}: {}", why(cause, *port))]
pub struct BindError {
    /// Where.
    pub address: SocketAddr,
    /// For what.
    pub port: Port,
    /// What the system said.
    pub cause: io::Error,
}

fn why(error: &io::Error, port: Port) -> String {
    let key = port.key();
    match error.kind() {
        ErrorKind::AddrInUse => {
            format!("the port is in use; stop the program that has it, or choose another with `{key}`")
        }
        ErrorKind::AddrNotAvailable => format!("this machine has no such address; correct `{key}`"),
        ErrorKind::PermissionDenied => {
            "this user may not; choose a port above 1023, or let the user that netsplit runs as have this one".into()
        }
        _ => format!("{error}; check `{key}`"),
    }
}

/// Binds `address`: `prepare` is what the socket needs before, `finish` what after.
///
/// # Errors
/// What keeps it from listening, with what to do about it.
pub fn bind<T>(
    address: SocketAddr,
    port: Port,
    prepare: impl Fn(&Socket) -> io::Result<()>,
    finish: impl Fn(Socket) -> io::Result<T>,
) -> Result<T, BindError> {
    let listen = |address: SocketAddr| {
        let socket = socket(address, port)?;
        prepare(&socket)?;
        socket.bind(&address.into())?;
        finish(socket)
    };
    let bound = match listen(address) {
        Err(error) if address.ip().is_unspecified() && address.is_ipv6() && is_ipv6_off(&error) => {
            listen(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))
        }
        bound => bound,
    };
    bound.map_err(|cause| BindError { address, port, cause })
}

fn socket(address: SocketAddr, port: Port) -> io::Result<Socket> {
    let kind = match port {
        Port::Udp => Type::DGRAM,
        Port::Tcp => Type::STREAM,
    };
    let socket = Socket::new(Domain::for_address(address), kind.nonblocking(), None)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    Ok(socket)
}

/// With `ipv6.disable=1` there is no such family, with the sysctl `disable_ipv6` no such address.
fn is_ipv6_off(error: &io::Error) -> bool {
    let off = [Errno::EAFNOSUPPORT, Errno::EADDRNOTAVAIL];
    error.raw_os_error().is_some_and(|code| off.contains(&Errno::from_raw(code)))
}

/// An IPv4 peer is the same peer, whichever socket hears it.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        v4 if v4.is_ipv4() => SocketAddr::new(v4, address.port()),
        _ => address,
    }
}
