//! Ranges of network addresses, IPv4 and IPv6.

use crate::{Error, Result};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses that share their first bits: `192.0.2.0/24`, `2001:db8::/32`, or a single address.
///
/// An IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`) is the IPv4 address, here and when asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressRange {
    first: IpAddr,
    prefix: u32,
}

impl AddressRange {
    /// Reads a range: an address, or an address and how many of its first bits count.
    ///
    /// Errors: [`Error::Invalid`] for what is no address, a prefix that is longer than one, and an
    /// address with bits beyond its prefix: who writes `10.0.0.1/8` means something else.
    /// Source: RFC 4632 section 3.1, RFC 4291 section 2.3.
    pub fn parse(text: &str) -> Result<AddressRange> {
        let wrong = |problem: String| {
            let shown: String = text.chars().take(64).collect();
            Error::invalid("allowed_ranges", format!("`{shown}` {problem}"))
        };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let first = address.parse::<IpAddr>();
        let first = first.map_err(|_| wrong("is no address".to_owned()))?.to_canonical();
        let width = width(first);
        let prefix = match prefix {
            None => width,
            Some(digits) => digits
                .parse::<u32>()
                .ok()
                .filter(|bits| *bits <= width && bits.to_string() == digits)
                .ok_or_else(|| wrong(format!("has no prefix between 0 and {width}")))?,
        };
        let range = AddressRange { first, prefix };
        let start = range.start();
        if start != first {
            return Err(wrong(format!(
                "has bits beyond its prefix; the range is {start}/{prefix}"
            )));
        }
        Ok(range)
    }

    /// Whether an address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        width(address) == width(self.first) && self.cut(address) == self.cut(self.first)
    }

    /// The first bits of an address, as many as the prefix says.
    fn cut(&self, address: IpAddr) -> u128 {
        let rest = width(address).saturating_sub(self.prefix);
        bits(address).checked_shr(rest).unwrap_or(0)
    }

    /// The range's first address.
    fn start(&self) -> IpAddr {
        let rest = width(self.first).saturating_sub(self.prefix);
        let bits = self.cut(self.first).checked_shl(rest).unwrap_or(0);
        match self.first {
            IpAddr::V4(_) => {
                IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or(u32::MAX)))
            }
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(bits)),
        }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

const fn width(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => Ipv4Addr::BITS,
        IpAddr::V6(_) => Ipv6Addr::BITS,
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(four) => u128::from(four.to_bits()),
        IpAddr::V6(six) => six.to_bits(),
    }
}
