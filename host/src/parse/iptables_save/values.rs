//! Numbers, addresses, ports and marks as iptables reads them.

use std::net::IpAddr;

use net::{Family, Prefix, addr_bits, addr_of};

use crate::xt::{IfaceName, MaskedAddr, NatRange, PortRange};

use super::words;

/// A number: decimal, `0x` hexadecimal or, with a leading zero, octal (`strtoul`).
pub(super) fn number(text: &str) -> Option<u64> {
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let (digits, radix) = match hex {
        Some(hex) => (hex, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    if digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

/// A number that fits its type.
pub(super) fn integer<T: TryFrom<u64>>(text: &str) -> Option<T> {
    number(text).and_then(|n| T::try_from(n).ok())
}

/// A port by number or by the name of its service.
pub(super) fn port(text: &str) -> Option<u16> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        integer(text)
    } else {
        words::service_port(text)
    }
}

/// `80`, `80:90`, `:90`, `80:`; the separator of NAT targets is `-`.
pub(super) fn port_range(text: &str, separator: char) -> Option<PortRange> {
    let Some((first, last)) = text.split_once(separator) else {
        return port(text).map(|port| (port, port));
    };
    let first = if first.is_empty() { 0 } else { port(first)? };
    let last = if last.is_empty() {
        u16::MAX
    } else {
        port(last)?
    };
    (first <= last).then_some((first, last))
}

/// Two numbers `a:b`, or one that stands for both.
pub(super) fn number_range(text: &str) -> Option<(u32, u32)> {
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    let range = (integer(first)?, integer(last)?);
    (range.0 <= range.1).then_some(range)
}

/// `VALUE` or `VALUE/MASK`.
pub(super) fn masked(text: &str) -> Option<(u32, u32)> {
    match text.split_once('/') {
        Some((value, mask)) => Some((integer(value)?, integer(mask)?)),
        None => integer(text).map(|value| (value, u32::MAX)),
    }
}

/// An address of the family.
pub(super) fn addr(text: &str, family: Family) -> Option<IpAddr> {
    match family {
        Family::V4 => text.parse().ok().map(IpAddr::V4),
        Family::V6 => text.parse().ok().map(IpAddr::V6),
    }
}

/// `ADDRESS`, `ADDRESS/LENGTH` or `ADDRESS/MASK`; bits outside the mask are cleared.
pub(super) fn masked_addr(text: &str, family: Family) -> Option<MaskedAddr> {
    let (host, mask) = match text.split_once('/') {
        Some((host, mask)) => (host, Some(mask)),
        None => (text, None),
    };
    let mask = match mask {
        None => addr_of(family, family.max()),
        Some(len) if len.bytes().all(|b| b.is_ascii_digit()) => mask_of(family, len)?,
        Some(mask) => addr(mask, family)?,
    };
    let host = addr(host, family)?;
    Some(MaskedAddr {
        addr: addr_of(family, addr_bits(host) & addr_bits(mask)),
        mask,
    })
}

/// The mask with this many leading ones.
fn mask_of(family: Family, len: &str) -> Option<IpAddr> {
    let len = len.parse().ok().filter(|&len| len <= family.bits())?;
    Some(Prefix::containing(addr_of(family, family.max()), len).addr())
}

/// `FIRST-LAST`, or one address that stands for both.
pub(super) fn addr_range(text: &str, family: Family) -> Option<(IpAddr, IpAddr)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = (addr(first, family)?, addr(last, family)?);
    (range.0 <= range.1).then_some(range)
}

/// Adds `[ADDRESS[-ADDRESS]][:PORT[-PORT[/BASE]]]` to a range that has neither yet. IPv6
/// addresses with a port stand in brackets.
pub(super) fn nat_range(text: &str, family: Family, range: &mut NatRange) -> Option<()> {
    let (addrs, ports) = match (family, text.strip_prefix('[')) {
        (Family::V6, Some(bracketed)) => match bracketed.rsplit_once(']')? {
            (addrs, "") => (addrs, None),
            (addrs, ports) => (addrs, Some(ports.strip_prefix(':')?)),
        },
        (Family::V6, None) if text.starts_with(':') && !text.starts_with("::") => {
            ("", Some(&text[1..]))
        }
        (Family::V6, None) => (text, None),
        (Family::V4, _) => match text.split_once(':') {
            Some((addrs, ports)) => (addrs, Some(ports)),
            None => (text, None),
        },
    };
    if addrs.is_empty() && ports.is_none() {
        return None;
    }
    if !addrs.is_empty() {
        let addrs = addrs.replace("]-[", "-");
        range.addrs = Some(addr_range(&addrs, family)?);
    }
    if let Some(ports) = ports {
        nat_ports(ports, range)?;
    }
    Some(())
}

/// Adds `PORT[-PORT[/BASE]]`. Port 0 stands in saves that were printed wrongly only.
pub(super) fn nat_ports(text: &str, range: &mut NatRange) -> Option<()> {
    let (ports, base) = match text.split_once('/') {
        Some((ports, base)) => (ports, Some(port(base)?)),
        None => (text, None),
    };
    let ports = port_range(ports, '-').filter(|ports| ports.0 > 0)?;
    range.ports = Some(ports);
    range.base_port = base;
    Some(())
}

/// `aa:bb:cc:dd:ee:ff`.
pub(in crate::parse) fn mac(text: &str) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        let part = parts.next().filter(|p| p.len() <= 2)?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

/// A probability as the kernel holds it: parts of 2^31.
pub(super) fn probability(text: &str) -> Option<u32> {
    let p: f64 = text.parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 2^31"
    )]
    (0.0..=1.0)
        .contains(&p)
        .then(|| (p * f64::from(1u32 << 31)).round() as u32)
}

/// `RATE/UNIT` as the cost of one packet in ten-thousandths of a second.
pub(super) fn rate(text: &str) -> Option<u32> {
    let (rate, unit) = text.split_once('/').unwrap_or((text, "second"));
    let rate: u32 = integer(rate).filter(|&rate| rate > 0)?;
    let units = [
        ("second", 1),
        ("minute", 60),
        ("hour", 3600),
        ("day", 86400),
    ];
    let starts = |name: &str| !unit.is_empty() && name.starts_with(unit);
    let (_, seconds) = units.iter().find(|(name, _)| starts(name))?;
    Some(10_000 * seconds / rate).filter(|&cost| cost > 0)
}

/// `eth0`, or `eth+` for all that begin so.
pub(super) fn iface(name: &str) -> Option<IfaceName> {
    let prefix = name.strip_suffix('+');
    (!name.is_empty()).then(|| IfaceName {
        name: prefix.unwrap_or(name).into(),
        is_prefix: prefix.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_be_hexadecimal_or_octal() {
        assert_eq!(
            ["0x10", "010", "10", "0"].map(number),
            [16, 8, 10, 0].map(Some)
        );
        assert_eq!(["", "0x", "+1", "-1", "1x"].map(number), [None; 5]);
    }

    #[test]
    fn masks_need_not_be_prefixes() {
        let masked = masked_addr("10.1.2.3/255.0.0.255", Family::V4).unwrap();
        assert_eq!(masked.addr.to_string(), "10.0.0.3");
        assert_eq!(masked_addr("10.1.2.3/33", Family::V4), None);
        assert_eq!(masked_addr("fd00::/8", Family::V4), None);
    }

    #[test]
    fn a_nat_range_of_ipv6_has_brackets_when_it_has_ports() {
        let mut range = NatRange::default();
        nat_range("[fd00::1-fd00::2]:80-90", Family::V6, &mut range).unwrap();
        assert_eq!(range.ports, Some((80, 90)));
        assert_eq!(range.addrs.unwrap().1.to_string(), "fd00::2");
    }

    #[test]
    fn a_rate_is_a_cost() {
        assert_eq!(rate("3/hour"), Some(12_000_000));
        assert_eq!(rate("5/min"), Some(120_000));
        assert_eq!(rate("20000/sec"), None);
    }

    #[test]
    fn a_probability_counts_in_parts_of_two_to_the_31() {
        assert_eq!(probability("0.33333333349"), Some(715_827_883));
        assert_eq!(probability("1.00000000000"), Some(1 << 31));
        assert_eq!(probability("NaN"), None);
    }
}
