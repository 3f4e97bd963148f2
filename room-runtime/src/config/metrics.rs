//! Where the numbers may be read: never on a public address.

use std::net::{IpAddr, SocketAddr};

use super::settings::Reader;

/// The address of the metrics' own listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsBind {
    /// An address of this machine or of a private network.
    Address(SocketAddr),
    /// This port of a Fly machine's own address in its organisation's network.
    Fly(u16),
}

impl MetricsBind {
    /// What a Fly machine calls that address.
    pub const FLY_NAME: &'static str = "fly-local-6pn";

    /// Reads the setting.
    pub(super) fn read(read: &mut Reader<'_>, is_cloud: bool, on_fly: bool) -> Option<Self> {
        read.optional("ROOM_METRICS_BIND", |text| Self::parse(text, is_cloud, on_fly))
    }

    /// `ADDRESS:PORT`.
    fn parse(text: &str, is_cloud: bool, on_fly: bool) -> Result<Self, String> {
        if let Some(port) =
            text.strip_prefix(Self::FLY_NAME).and_then(|rest| rest.strip_prefix(':'))
        {
            let port = super::value::port(port)?;
            return match (is_cloud, on_fly) {
                (true, true) => Ok(Self::Fly(port)),
                _ => Err("is an address of a Fly machine, and this is none".into()),
            };
        }
        match text.strip_prefix("localhost:") {
            Some(port) => Self::address(&format!("127.0.0.1:{port}"), is_cloud),
            None => Self::address(text, is_cloud),
        }
    }

    fn address(text: &str, is_cloud: bool) -> Result<Self, String> {
        let Ok(address) = text.parse::<SocketAddr>() else {
            return Err(format!("{text:?} is no address; write one as 127.0.0.1:9091"));
        };
        if !is_cloud && !address.ip().is_loopback() {
            return Err("local mode serves this computer alone; write 127.0.0.1:9091".into());
        }
        if !Self::is_private(address.ip()) {
            return Err(format!(
                "{address} could be reached from the internet; write an address of this machine \
                 (127.0.0.1:9091), of its private network, or {}:9091",
                Self::FLY_NAME
            ));
        }
        Ok(Self::Address(address))
    }

    /// Whether only this machine or a private network can reach an address (RFC 1918, RFC 4193).
    pub fn is_private(address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => address.is_loopback() || address.is_private(),
            IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_address_is_refused() {
        let hosted = |text| MetricsBind::parse(text, true, true);
        let at = |text: &str| Ok(MetricsBind::Address(text.parse().unwrap()));
        for good in ["127.0.0.1:9091", "[::1]:0", "10.1.2.3:80", "192.168.1.4:9091", "[fdaa::3]:1"]
        {
            assert_eq!(hosted(good), at(good));
        }
        assert_eq!(hosted("localhost:9091"), at("127.0.0.1:9091"));
        assert_eq!(hosted("fly-local-6pn:9091"), Ok(MetricsBind::Fly(9091)));
        for bad in [
            "0.0.0.0:9091",
            "[::]:9091",
            "8.8.8.8:9091",
            "172.32.0.1:9091",
            "[2001:db8::1]:9091",
            "[::ffff:8.8.8.8]:9091",
            "[fe80::1]:9091",
            "100.64.0.1:9091",
            "9091",
            ":9091",
            "127.0.0.1",
            "room.example:9091",
            "fly-local-6pn",
            "fly-local-6pn:x",
            "",
        ] {
            assert!(hosted(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_persons_own_computer_keeps_it_to_itself() {
        let local = |text| MetricsBind::parse(text, false, false);
        assert!(local("127.0.0.1:9091").is_ok() && local("[::1]:9091").is_ok());
        assert!(local("192.168.1.4:9091").is_err() && local("fly-local-6pn:9091").is_err());
        assert!(MetricsBind::parse("fly-local-6pn:9091", true, false).is_err());
    }
}
