//! Requests to others: to public addresses only, unless the operator names a range.

use anyhow::bail;
use domain::api_keys::AddressRange;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

/// The longest address that requests are sent to, in bytes.
const URL_MOST_BYTES: usize = 2_048;
/// What is said where a name leads to none but addresses that may not be reached.
pub(crate) const NOT_PUBLIC: &str = "it has no public address";

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
    plain: Plain,
}

/// Where plain http may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plain {
    /// To addresses in ranges that are named.
    NamedRanges,
    /// Wherever https may.
    Anywhere,
}

impl Reachable {
    /// Public addresses, and those of some ranges.
    pub(crate) fn new(allowed: &[String], plain: Plain) -> anyhow::Result<Reachable> {
        let ranges = |texts: &[String]| {
            texts.iter().map(|text| AddressRange::parse(text)).collect::<domain::Result<Vec<_>>>()
        };
        Ok(Reachable {
            allowed: ranges(allowed)?.into(),
            special: ranges(&SPECIAL.map(str::to_owned))?.into(),
            global: AddressRange::parse(GLOBAL)?,
            plain,
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

    fn is_named(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allowed.iter().any(|range| range.contains(address))
    }

    /// Reads an address of the configuration.
    pub(crate) fn url(&self, text: &str) -> anyhow::Result<Url> {
        match self.judge(text) {
            Ok(url) => Ok(url),
            Err(problem) => bail!("`{text}` {problem}"),
        }
    }

    /// Reads an address that requests may be sent to: https, or http where that may go.
    ///
    /// A name is looked at when it is resolved, a literal address here: no resolver is asked for
    /// one. So whoever sends asks this first, each time. Fragments are cut off.
    /// Errors: what is wrong with it, to be said behind its name.
    pub(crate) fn judge(&self, text: &str) -> Result<Url, String> {
        if text.len() > URL_MOST_BYTES {
            return Err(format!("is longer than {URL_MOST_BYTES} bytes"));
        }
        let Ok(mut url) = Url::parse(text) else {
            return Err("is not an address that begins with https://".to_owned());
        };
        if !matches!(url.scheme(), "https" | "http") {
            return Err("must be https".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not hold a user or a password".to_owned());
        }
        let literal = match url.host() {
            None => return Err("names no host".to_owned()),
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            // Source: RFC 6761, section 6.3: such names are loopback, whoever answers for them.
            Some(Host::Domain(name)) => is_localhost(name).then_some(Ipv4Addr::LOCALHOST.into()),
        };
        if literal.is_some_and(|ip| !self.allows(ip)) {
            let problem = "is not public; an operator can name its range in \
                           callbacks.allowed_ranges";
            return Err(problem.to_owned());
        }
        let may_be_plain =
            self.plain == Plain::Anywhere || literal.is_some_and(|ip| self.is_named(ip));
        if url.scheme() == "http" && !may_be_plain {
            return Err("must be https".to_owned());
        }
        // It is never sent: addresses that differ in it alone are one.
        url.set_fragment(None);
        Ok(url)
    }

    /// A client that reaches nothing else, follows no redirects and asks no proxy. It gives up
    /// connecting after a while; how long the rest may take is for each request to say.
    pub(crate) fn client(&self, connect: Duration) -> reqwest::Result<reqwest::Client> {
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(connect)
            .user_agent(concat!("reckoner/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(self.clone()))
            .build()
    }
}

/// Whether a name is one of those that stand for the machine itself.
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

/// Host and port of an address: who is asked.
pub(crate) fn receiver(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    format!("{host}:{}", url.port_or_known_default().unwrap_or_default())
}

/// Names lead to addresses that may be reached, or nowhere: it is looked at what is connected to.
impl Resolve for Reachable {
    fn resolve(&self, name: Name) -> Resolving {
        let this = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let may: Vec<SocketAddr> = found.filter(|one| this.allows(one.ip())).collect();
            if may.is_empty() {
                return Err(NOT_PUBLIC.into());
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
        Reachable::new(&allowed, Plain::NamedRanges).unwrap()
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

    #[test]
    fn plain_http_goes_anywhere_public_where_the_operator_says_so() {
        let reachable = Reachable::new(&[], Plain::Anywhere).unwrap();
        assert!(reachable.judge("http://hooks.example.org/a").is_ok());
        assert!(reachable.judge("http://10.0.0.1/a").is_err());
    }

    #[test]
    fn no_spelling_of_an_address_that_is_not_public_is_let_through() {
        let strict = reachable(&[]);
        let check = |url: &str| assert!(strict.judge(url).is_err(), "{url}");
        for hidden in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "017700000001",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "127.0.0.1.",
            "%31%32%37.0.0.1",
            "127\u{ff0e}0\u{ff0e}0\u{ff0e}1",
            "\u{2460}\u{2461}\u{2466}.0.0.1",
            "0",
            "0.0.0.0",
            "10.0.0.5",
            "0xa000005",
            "169.254.169.254",
            "2852039166",
            "0251.0376.0251.0376",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "255.255.255.255",
            "[::]",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a9fe:a9fe]",
            "[::127.0.0.1]",
            "[64:ff9b::10.0.0.5]",
            "[64:ff9b:1::a00:5]",
            "[2002:7f00:1::]",
            "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
            "[fd00::1]",
            "[fe80::1]",
            "[fec0::1]",
            "[ff02::1]",
            "[5f00::1]",
            "[100::1]",
            "localhost",
            "LOCALHOST",
            "localhost.",
            "a.localhost",
            "a.b.localhost.",
            "lo\u{ad}calhost",
            "\u{24db}ocalhost",
            "user@hooks.example.org",
            "user:word@hooks.example.org",
            ":word@hooks.example.org",
            "hooks.example.org@127.0.0.1",
            "hooks.example.org%40127.0.0.1",
            "[fe80::1%25eth0]",
            "1.2.3.4.5",
            "256.256.256.256",
        ] {
            check(&format!("https://{hidden}/a"));
            check(&format!("https://{hidden}:8443/a?b=c#d"));
            check(&format!("http://{hidden}/a"));
        }
        for other in ["ftp", "file", "gopher", "javascript", "data", "ws", "unix", "httpss"] {
            check(&format!("{other}://hooks.example.org/a"));
        }
        check("//hooks.example.org/a");
        check("hooks.example.org/a");
        check("https:");
        check("https://hooks.example.org:99999/a");
        check(&format!("https://hooks.example.org/{}", "a".repeat(URL_MOST_BYTES)));
    }

    #[test]
    fn whose_spelling_hides_nothing_is_let_through() {
        let check = |url: &str, expected: &str| {
            let told = reachable(&[]).judge(url).map(|url| receiver(&url));
            assert_eq!(told.as_deref(), Ok(expected), "{url}");
        };
        check("https://hooks.example.org/a", "hooks.example.org:443");
        check("https://hooks.example.org:443/a", "hooks.example.org:443");
        check("HTTPS://HOOKS.example.org./a", "hooks.example.org:443");
        check("https://hooks.example.org:8443", "hooks.example.org:8443");
        check("https://b\u{fc}cher.example/", "xn--bcher-kva.example:443");
        check("https://134744072/", "8.8.8.8:443");
        check("https://[2606:4700::1]/", "[2606:4700::1]:443");
        check("https://localhost.example.org/", "localhost.example.org:443");
    }

    #[test]
    fn addresses_that_differ_in_what_is_never_sent_are_one() {
        let check = |url: &str, expected: &str| {
            let told = reachable(&[]).judge(url).map(String::from);
            assert_eq!(told.as_deref(), Ok(expected), "{url}");
        };
        check("https://hooks.example.org/a?b=c#d", "https://hooks.example.org/a?b=c");
        check("https://hooks.example.org/a?b=c#", "https://hooks.example.org/a?b=c");
        check("https://hooks.example.org:443/a?b=c", "https://hooks.example.org/a?b=c");
        check("https://hooks.example.org/a%23d", "https://hooks.example.org/a%23d");
    }

    #[test]
    fn localhost_is_reached_where_loopback_is_named() {
        let named = reachable(&["127.0.0.0/8"]);
        assert!(named.judge("http://localhost:9/a").is_ok());
        assert!(named.judge("http://[::ffff:127.0.0.1]:9/a").is_ok());
        assert!(named.judge("http://10.0.0.1:9/a").is_err());
    }

    #[tokio::test]
    async fn names_lead_to_no_address_that_is_not_public() {
        let resolve = |reachable: Reachable| async move {
            let found = reachable.resolve("localhost".parse::<Name>().unwrap()).await;
            found.map(Iterator::count).map_err(|error| error.to_string())
        };
        assert_eq!(resolve(reachable(&[])).await, Err(NOT_PUBLIC.to_owned()));
        assert!(resolve(reachable(&["127.0.0.0/8", "::1"])).await.is_ok_and(|count| count > 0));
    }
}
