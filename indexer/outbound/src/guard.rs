//! Which addresses may be asked when the network named them (I10).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use hickory_resolver::TokioResolver;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::client::OutboundError;

/// Whether an address belongs to the public internet: not private, shared, loopback, link-local,
/// multicast, reserved or for documentation, nor such an IPv4 address dressed as IPv6.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18..=19, _)
            | (198, 51, 100)
            | (203, 0, 113)
            | (224.., _, _)
    );
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match parts {
        // NAT64 and 6to4 carry an IPv4 address that is reached in the end.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(embedded(high, low)),
        [0x2002, high, low, ..] => is_public_v4(embedded(high, low)),
        // Teredo, ORCHID, documentation, benchmarking.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // Global unicast is 2000::/3; everything else is not (mapped IPv4 addresses among it).
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

fn allowed(address: IpAddr, dev: bool) -> bool {
    is_public(address) || (dev && address.to_canonical().is_loopback())
}

/// Whether a URL that the network named may be asked at all. Names are checked again when they are
/// resolved.
pub fn check_url(text: &str, dev: bool) -> Result<Url, OutboundError> {
    let refuse = |detail: &str| OutboundError::Refused {
        url: text.chars().take(256).collect(),
        detail: detail.to_owned(),
    };
    let url = Url::parse(text).map_err(|problem| refuse(&problem.to_string()))?;
    match url.scheme() {
        "https" => {}
        "http" if dev => {}
        _ => return Err(refuse("only https is asked")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("it carries a user name"));
    }
    let address = match url.host() {
        None => return Err(refuse("it has no host")),
        Some(Host::Domain(name)) => {
            let inner = name == "localhost" || name.ends_with(".localhost");
            if inner && !dev {
                return Err(refuse("it is this machine"));
            }
            return Ok(url);
        }
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
    };
    if !allowed(address, dev) {
        return Err(refuse("its address is not a public one"));
    }
    Ok(url)
}

/// Resolves names for reqwest and keeps back every address that may not be asked.
pub struct GuardedResolver {
    pub resolver: Arc<TokioResolver>,
    pub dev: bool,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (resolver, dev) = (self.resolver.clone(), self.dev);
        Box::pin(async move {
            let name = name.as_str().to_owned();
            if dev && (name == "localhost" || name.ends_with(".localhost")) {
                let here = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
                return Ok(Box::new(std::iter::once(here)) as Addrs);
            }
            let found = resolver.lookup_ip(name.as_str()).await?;
            let addresses: Vec<SocketAddr> = found
                .iter()
                .filter(|address| allowed(*address, dev))
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            if addresses.is_empty() {
                return Err(format!("{name} has no address that may be asked").into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::config::{NameServerConfig, ResolverConfig};
    use hickory_resolver::name_server::TokioConnectionProvider;
    use hickory_resolver::proto::xfer::Protocol;

    use super::*;

    #[test]
    fn i10_addresses_inside_are_no_public_ones() {
        for text in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "100::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "1.1.1.1",
            "100.128.0.1",
            "172.32.0.1",
            "2606:4700::1111",
            "64:ff9b::808:808",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn i10_only_https_to_public_places_is_asked() {
        for url in [
            "http://example.com",
            "ftp://example.com",
            "https://user@example.com",
            "https://127.0.0.1",
            "https://[::1]",
            "https://localhost",
            "https://a.localhost",
            "https://0x7f000001",
            "https://2130706433",
            "https://10.0.0.1:443/x",
            "nonsense",
        ] {
            assert!(check_url(url, false).is_err(), "{url}");
        }
        assert!(check_url("https://pds.example.com:8443", false).is_ok());
        assert!(check_url("http://localhost:2583", true).is_ok());
        assert!(check_url("http://10.0.0.1", true).is_err());
    }

    /// A name server on loopback that knows one address for every name.
    async fn name_server(address: Ipv4Addr) -> SocketAddr {
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let here = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut query = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut query).await {
                let labels = query[12..length]
                    .iter()
                    .position(|byte| *byte == 0)
                    .unwrap();
                let end = 12 + labels + 1 + 4;
                let is_v4 = query[end - 3] == 1;
                let mut reply = query[..end].to_vec();
                reply[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(is_v4), 0, 0, 0, 0]);
                if is_v4 {
                    reply.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
                    reply.extend_from_slice(&address.octets());
                }
                drop(socket.send_to(&reply, client).await);
            }
        });
        here
    }

    #[tokio::test]
    async fn i10_a_name_of_an_address_inside_is_not_asked() {
        let resolve = async |address: Ipv4Addr, dev: bool| {
            let server = NameServerConfig::new(name_server(address).await, Protocol::Udp);
            let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
            let provider = TokioConnectionProvider::default();
            let resolver = TokioResolver::builder_with_config(config, provider).build();
            let guard = GuardedResolver {
                resolver: Arc::new(resolver),
                dev,
            };
            let name = "pds.example.com".parse().unwrap();
            let found = guard.resolve(name).await;
            found.map(Iterator::collect::<Vec<SocketAddr>>)
        };
        let public = Ipv4Addr::new(1, 1, 1, 1);
        let found = resolve(public, false).await.unwrap();
        assert_eq!(found, [SocketAddr::new(public.into(), 0)]);
        for inside in [
            "10.0.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "192.168.0.1",
            "0.0.0.0",
        ] {
            let told = resolve(inside.parse().unwrap(), false).await.unwrap_err();
            assert!(
                told.to_string().contains("no address that may be asked"),
                "{told}"
            );
        }
        assert!(resolve(Ipv4Addr::new(10, 0, 0, 1), true).await.is_err());
        assert!(resolve(Ipv4Addr::LOCALHOST, true).await.is_ok());
    }
}
