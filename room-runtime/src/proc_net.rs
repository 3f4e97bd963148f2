//! Whose socket is it: Linux's tables of connections (`/proc/net/tcp`, `/proc/net/tcp6`).
//!
//! Elsewhere every question is answered with "unknown".

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The state `TCP_LISTEN` as the tables write it.
const LISTEN: u8 = 0x0A;

/// The user at the other end of a loopback connection: the owner of the socket whose own address is
/// our peer. `None` if the tables do not show it.
pub fn owner_of_connection(peer: SocketAddr, ours: SocketAddr) -> Option<u32> {
    let wanted = |row: &Row| row.local == peer && row.remote == ours && row.inode != 0;
    rows(peer.ip()).find(wanted).map(|row| row.uid)
}

/// The program that listens on an address, as far as we may look: `node (process 123)`, or `a program
/// of user 1000` where its process hides from us.
pub fn owner_of_port(address: SocketAddr) -> Option<String> {
    let wanted = |row: &Row| {
        let same = row.local.ip() == address.ip() || row.local.ip().is_unspecified();
        row.state == LISTEN && row.local.port() == address.port() && same
    };
    // A program that listens on `[::]` has the port of 127.0.0.1, too.
    let any = rows(Ipv4Addr::LOCALHOST.into()).chain(rows(Ipv6Addr::LOCALHOST.into()));
    let row = any.into_iter().find(wanted)?;
    program_with_socket(row.inode).or_else(|| Some(format!("a program of user {}", row.uid)))
}

fn program_with_socket(inode: u64) -> Option<String> {
    let link = format!("socket:[{inode}]");
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(files) = fs::read_dir(process.path().join("fd")) else { continue };
        let has = |file: fs::DirEntry| {
            fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == link.as_str())
        };
        if files.flatten().any(has) {
            let program = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            let program: String = program.trim().chars().filter(|c| !c.is_control()).collect();
            return Some(format!("{program} (process {pid})"));
        }
    }
    None
}

/// One connection.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    local: SocketAddr,
    remote: SocketAddr,
    state: u8,
    uid: u32,
    inode: u64,
}

fn rows(family: IpAddr) -> impl Iterator<Item = Row> {
    let table = if family.is_ipv4() { "/proc/net/tcp" } else { "/proc/net/tcp6" };
    // A line at a time: a machine may have many thousands.
    let lines = fs::File::open(table).into_iter().flat_map(|file| BufReader::new(file).lines());
    lines.skip(1).map_while(Result::ok).filter_map(|line| parse(&line))
}

/// `0: 0100007F:0E74 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000  0 12345 …`
fn parse(line: &str) -> Option<Row> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let local = parse_address(fields.next()?)?;
    let remote = parse_address(fields.next()?)?;
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    let mut fields = fields.skip(3);
    let uid = fields.next()?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    Some(Row { local, remote, state, uid, inode })
}

/// The address in words of 32 bits as this machine stores them, the port in plain hexadecimal.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let word = u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    let address = match address.len() {
        8 => IpAddr::V4(word(0)?.into()),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let mut bytes = [0; 16];
            for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
                place.copy_from_slice(&word);
            }
            IpAddr::V6(bytes.into())
        }
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn rows_are_read() {
        let row = parse(
            "   1: 0100007F:0E74 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12345 1 0000000000000000 100 0 0 10 0",
        );
        let any = SocketAddr::from(([0, 0, 0, 0], 0));
        let local = SocketAddr::from(([127, 0, 0, 1], 3700));
        let expected = Row { local, remote: any, state: LISTEN, uid: 1000, inode: 12345 };
        assert_eq!(row, Some(expected));
        for broken in ["", "1: 0100007F", "1: zz:1 zz:1 0A 0 0 0 1 0 1", "1: é0000007:0E74 a b"] {
            assert_eq!(parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn our_own_connection_and_port_are_ours() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let ours = listener.local_addr().unwrap();
            let client = TcpStream::connect(ours).unwrap();
            let (_server, peer) = listener.accept().unwrap();
            assert_eq!(peer, client.local_addr().unwrap());
            let us = rustix::process::geteuid().as_raw();
            assert_eq!(owner_of_connection(peer, ours), Some(us));
            assert_eq!(owner_of_connection(ours, ours), None);
            let owner = owner_of_port(ours).unwrap();
            assert!(owner.contains(&format!("process {}", std::process::id())), "{owner}");
        }
    }
}
