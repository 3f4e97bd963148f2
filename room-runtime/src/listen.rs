//! Takes the port on every address, or says who has it.

use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use crate::config::Bind;
use crate::proc_net;

/// How often a free port is picked anew because only one address family had it free.
const PICKS: usize = 64;

/// How much the kernel may hold for a client that does not read; the rest is ours to bound.
const SEND_BUFFER_BYTES: usize = 32 * 1024;

/// How long what we sent may go unheard before the connection counts as dead.
#[cfg(target_os = "linux")]
const UNHEARD_MS: u32 = 30_000;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// Why the server cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Someone else has the port.
    #[error(
        "port {} of {} is taken{}; stop that program, or start Room with `--port 0` or another port",
        address.port(),
        address.ip(),
        owner.as_ref().map(|owner| format!(" by {owner}")).unwrap_or_default()
    )]
    Taken {
        /// What we wanted.
        address: SocketAddr,
        /// Who has it, if we may know.
        owner: Option<String>,
    },
    /// The system refuses.
    #[error("cannot listen on {address}")]
    Refused {
        /// What we wanted.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// The listening sockets, one an address, all on the same port.
#[derive(Debug)]
pub struct Listeners {
    /// The sockets.
    pub sockets: Vec<TcpListener>,
    /// Their port.
    pub port: u16,
}

/// Listens on every address or on none. A machine without IPv6 does without `::1`.
///
/// # Errors
/// The port is taken on one of them, or the system refuses.
pub fn listen(bind: &Bind, addresses: &[IpAddr], port: u16) -> Result<Listeners, ListenError> {
    let mut picks = 0;
    loop {
        match listen_once(bind, addresses, port) {
            // The port that was free on the first address was not on the second: pick another.
            Err(ListenError::Taken { .. }) if port == 0 && picks < PICKS => picks += 1,
            other => return other,
        }
    }
}

fn listen_once(bind: &Bind, addresses: &[IpAddr], mut port: u16) -> Result<Listeners, ListenError> {
    let mut sockets = Vec::new();
    for address in addresses {
        let address = SocketAddr::new(*address, port);
        match open(address) {
            Ok(socket) => {
                let refused = |source| ListenError::Refused { address, source };
                port = socket.local_addr().map_err(refused)?.port();
                sockets.push(socket);
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                return Err(ListenError::Taken {
                    address,
                    owner: proc_net::owner_of_port(address),
                });
            }
            Err(error) if *bind == Bind::Both && address.is_ipv6() && no_such_family(&error) => {}
            Err(source) => return Err(ListenError::Refused { address, source }),
        }
    }
    Ok(Listeners { sockets, port })
}

fn no_such_family(error: &io::Error) -> bool {
    use rustix::io::Errno;
    error.kind() == io::ErrorKind::AddrNotAvailable
        || [Errno::AFNOSUPPORT, Errno::PROTONOSUPPORT]
            .iter()
            .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A port whose last connections are still winding down may be taken again (not so one that
    // someone listens on).
    socket.set_reuse_address(true)?;
    // Accepted connections inherit these.
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.set_tcp_nodelay(true)?;
    #[cfg(target_os = "linux")]
    rustix::net::sockopt::set_tcp_user_timeout(&socket, UNHEARD_MS)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both() -> Vec<IpAddr> {
        vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()]
    }

    #[tokio::test]
    async fn a_free_port_is_the_same_on_both_addresses() {
        let listeners = listen(&Bind::Both, &both(), 0).unwrap();
        assert_ne!(listeners.port, 0);
        for socket in &listeners.sockets {
            assert_eq!(socket.local_addr().unwrap().port(), listeners.port);
        }
    }

    #[tokio::test]
    async fn a_port_taken_on_one_address_is_taken() {
        for taken in both() {
            let Ok(stranger) = std::net::TcpListener::bind((taken, 0)) else { continue };
            let port = stranger.local_addr().unwrap().port();
            let refused = listen(&Bind::Both, &both(), port).unwrap_err();
            let ListenError::Taken { address, owner } = &refused else { panic!("{refused}") };
            assert_eq!((address.ip(), address.port()), (taken, port));
            if cfg!(target_os = "linux") {
                let us = format!("process {}", std::process::id());
                assert!(owner.as_ref().is_some_and(|owner| owner.contains(&us)), "{owner:?}");
            }
        }
    }
}
