//! Which family a table without a header is for.

use std::net::IpAddr;

use net::Family;

use super::tokens::Tokens;

/// The family that a file is named after.
pub(super) fn of_file_name(name: &str) -> Option<Family> {
    let file = name.rsplit('/').next().unwrap_or(name);
    ["ip6", "v6"]
        .iter()
        .any(|part| file.contains(part))
        .then_some(Family::V6)
}

/// The family of the first address or protocol of the table that `text` begins with.
pub(super) fn of_table(text: &str) -> Option<Family> {
    // A table without its end must not make this look through those behind it, each time.
    let is_end = |line: &&str| line.starts_with("COMMIT") || line.starts_with('*');
    let lines = text.lines().skip(1).map(str::trim_start);
    lines
        .take_while(|line| !is_end(line))
        .filter(|line| !line.starts_with([':', '#']))
        .find_map(of_rule)
}

fn of_rule(line: &str) -> Option<Family> {
    let mut tokens = Tokens::of(line).filter(|token| !token.is_not());
    while let Some(option) = tokens.next() {
        let met = match &*option.text {
            "-s" | "-d" | "--source" | "--destination" | "--src" | "--dst" => {
                tokens.next().and_then(|value| of_addr(&value.text))
            }
            "--to-destination" | "--to-source" | "--src-range" | "--dst-range" => {
                tokens.next().and_then(|value| of_addr(&value.text))
            }
            "-p" | "--protocol" | "-m" | "--reject-with" => {
                tokens.next().and_then(|value| of_name(&value.text))
            }
            "--comment" => {
                tokens.next();
                None
            }
            _ => None,
        };
        if met.is_some() {
            return met;
        }
    }
    None
}

fn of_addr(text: &str) -> Option<Family> {
    let end = text.find(['/', '-', ']']).unwrap_or(text.len());
    let addr = text[..end].trim_start_matches('[');
    if let Ok(addr) = addr.parse::<IpAddr>() {
        return Some(Family::of(addr));
    }
    let (addr, _) = addr.split_once(':')?;
    addr.parse::<IpAddr>().ok().map(Family::of)
}

fn of_name(name: &str) -> Option<Family> {
    if matches!(name, "ipv6-icmp" | "icmpv6" | "58") || name.starts_with("icmp6") {
        return Some(Family::V6);
    }
    (name == "icmp" || name.starts_with("icmp-")).then_some(Family::V4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_or_a_protocol_tells_the_family() {
        let of = |rule: &str| of_table(&format!("*nat\n:A - [0:0]\n-A A -j X\n{rule}\nCOMMIT\n"));
        assert_eq!(of("-A A ! -s fd00::/8 -j X"), Some(Family::V6));
        assert_eq!(
            of("-A A -j DNAT --to-destination 192.0.2.1:80"),
            Some(Family::V4)
        );
        assert_eq!(
            of("-A A -j DNAT --to-destination [fd00::1]:80"),
            Some(Family::V6)
        );
        assert_eq!(of("-A A -p ipv6-icmp"), Some(Family::V6));
        assert_eq!(of("-A A -m comment --comment \"-s fd00::1\""), None);
        assert_eq!(of("COMMIT\n-A A -s fd00::1"), None);
    }
}
