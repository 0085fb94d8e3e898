//! Requests to others: to public addresses only, unless the operator names a range.

use anyhow::bail;
use domain::api_keys::AddressRange;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

/// How long a recipient has to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Addresses that are nobody's on the internet.
///
/// Source: IANA's registries of special-purpose addresses, IPv4 and IPv6, and multicast.
const SPECIAL: [&str; 23] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "2620:4f:8000::/48",
    "3fff::/20",
];
/// All that is given out of IPv6 to the internet.
const GLOBAL: &str = "2000::/3";

/// Which addresses may be reached.
#[derive(Debug, Clone)]
pub(crate) struct Reachable {
    allowed: Arc<[AddressRange]>,
    special: Arc<[AddressRange]>,
    global: AddressRange,
}

impl Reachable {
    /// Public addresses, and those of some ranges.
    pub(crate) fn new(allowed: &[String]) -> anyhow::Result<Reachable> {
        let ranges = |texts: &[String]| {
            texts.iter().map(|text| AddressRange::parse(text)).collect::<domain::Result<Vec<_>>>()
        };
        Ok(Reachable {
            allowed: ranges(allowed)?.into(),
            special: ranges(&SPECIAL.map(str::to_owned))?.into(),
            global: AddressRange::parse(GLOBAL)?,
        })
    }

    /// Whether an address may be reached.
    pub(crate) fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let within = |ranges: &[AddressRange]| ranges.iter().any(|range| range.contains(address));
        let is_public = !within(&self.special) && (address.is_ipv4() || self.is_global(address));
        is_public || within(&self.allowed)
    }

    fn is_global(&self, address: IpAddr) -> bool {
        self.global.contains(address)
    }

    /// Reads an address that requests may be sent to: https, or http in a range that is named.
    pub(crate) fn url(&self, text: &str) -> anyhow::Result<Url> {
        let Ok(url) = Url::parse(text) else { bail!("`{text}` is not an address") };
        let literal = match url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            Some(Host::Domain(_)) => None,
            None => bail!("`{text}` names no host"),
        };
        // A name is looked at when it is resolved; a literal never is.
        if literal.is_some_and(|ip| !self.allows(ip)) {
            bail!("`{text}` is not public; name its range in callbacks.allowed_ranges");
        }
        let is_named = literal.is_some_and(|ip| self.allowed.iter().any(|one| one.contains(ip)));
        match url.scheme() {
            "https" => Ok(url),
            "http" if is_named => Ok(url),
            _ => bail!("`{text}` must be https"),
        }
    }

    /// A client that reaches nothing else, follows no redirects and asks no proxy.
    pub(crate) fn client(&self) -> reqwest::Result<reqwest::Client> {
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(TIMEOUT)
            .dns_resolver(Arc::new(self.clone()))
            .build()
    }
}

/// Names lead to addresses that may be reached, or nowhere: it is looked at what is connected to.
impl Resolve for Reachable {
    fn resolve(&self, name: Name) -> Resolving {
        let this = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let may: Vec<SocketAddr> = found.filter(|one| this.allows(one.ip())).collect();
            if may.is_empty() {
                return Err("it has no public address".into());
            }
            let all: Addrs = Box::new(may.into_iter());
            Ok(all)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reachable(allowed: &[&str]) -> Reachable {
        let allowed: Vec<String> = allowed.iter().map(|one| (*one).to_owned()).collect();
        Reachable::new(&allowed).unwrap()
    }

    #[test]
    fn only_public_addresses_and_named_ranges_are_reached() {
        let check = |allowed: &[&str], address: &str, expected: bool| {
            let told = reachable(allowed).allows(address.parse().unwrap());
            assert_eq!(told, expected, "{allowed:?} {address}");
        };
        check(&[], "8.8.8.8", true);
        check(&[], "2606:4700::1", true);
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "fc00::1",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "2002:a00:1::1",
        ] {
            check(&[], address, false);
        }
        check(&["10.0.0.0/8"], "10.1.2.3", true);
        check(&["10.0.0.0/8"], "::ffff:10.1.2.3", true);
        check(&["10.0.0.0/8"], "192.168.0.1", false);
        check(&["::1"], "::1", true);
    }

    #[test]
    fn requests_go_to_https_or_to_a_named_range() {
        let check = |allowed: &[&str], url: &str, expected: bool| {
            assert_eq!(reachable(allowed).url(url).is_ok(), expected, "{allowed:?} {url}");
        };
        check(&[], "https://hooks.example.org/a", true);
        check(&[], "http://hooks.example.org/a", false);
        check(&[], "https://10.0.0.1/a", false);
        check(&[], "https://[::1]/a", false);
        check(&[], "ftp://hooks.example.org", false);
        check(&[], "soon", false);
        check(&["127.0.0.0/8"], "http://127.0.0.1:9/a", true);
        check(&["127.0.0.0/8"], "http://10.0.0.1/a", false);
    }
}
