//! What a rule of `iptables-nft` tests, read back from the kernel as expressions.

use host::nft::Expr;
use host::xt;

use crate::escape;

use super::conditions;

/// The tests in the words that the same rule of iptables has; what has no such words stays
/// as nft writes it.
pub(super) fn compat_conditions(exprs: &[Expr]) -> String {
    let is_native =
        |expr: &&Expr| !matches!(expr, Expr::Match(_) | Expr::Target(_) | Expr::Pass(_));
    let native: Vec<Expr> = exprs.iter().filter(is_native).cloned().collect();
    let line = host::print::exprs_line(&native);
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let native = Native::read(&words);
    let matches = exprs.iter().filter_map(|expr| match expr {
        Expr::Match(test) => Some(test.clone()),
        _ => None,
    });
    let of_xt = conditions(&xt::Rule {
        matches: matches.collect(),
        target: xt::Target::None,
    });
    let mut said = native.tests;
    said.extend((!of_xt.is_empty()).then_some(of_xt));
    // Ports stand last, as a rule of iptables-save has them, and name their protocol.
    if native.ports.is_empty() {
        let named = |proto: &String| said.iter().any(|s| s.contains(&format!("{proto} ")));
        let proto = native.proto.filter(|proto| !named(proto));
        said.extend(proto);
    }
    said.extend(native.ports);
    said.join(", ")
}

/// The expressions that are nft's own.
#[derive(Default)]
struct Native {
    tests: Vec<String>,
    proto: Option<String>,
    ports: Vec<String>,
}

impl Native {
    fn read<'a>(mut words: &'a [&'a str]) -> Self {
        let mut native = Self::default();
        while !words.is_empty() {
            words = native.test(words);
        }
        native
    }

    /// Takes one test off the front.
    fn test<'a>(&mut self, words: &'a [&'a str]) -> &'a [&'a str] {
        let (not, value, rest) = match words {
            [_, _, "!=", value, rest @ ..] => ("not ", *value, rest),
            [_, _, value, rest @ ..] => ("", *value, rest),
            _ => ("", "", &[][..]),
        };
        let safe = escape::terminal(value.trim_matches('"'));
        match words {
            ["ip" | "ip6", "saddr", ..] => self.tests.push(format!("source is {not}{safe}")),
            ["ip" | "ip6", "daddr", ..] => self.tests.push(format!("destination is {not}{safe}")),
            ["meta", "l4proto", ..] | ["ip", "protocol", ..] | ["ip6", "nexthdr", ..] => {
                self.proto = Some(format!("{not}{safe}"));
            }
            [proto, "dport", ..] => self.ports.push(format!("{proto} port {not}{safe}")),
            [proto, "sport", ..] => self.ports.push(format!("{proto} source port {not}{safe}")),
            ["iifname" | "oifname", after @ ..] => return self.interface(words[0], after),
            // The verdict is told apart.
            ["jump" | "goto", ..] => return words.get(2..).unwrap_or_default(),
            ["accept" | "drop" | "return", rest @ ..] => return rest,
            other => {
                self.tests.push(escape::terminal(&other.join(" ")));
                return &[];
            }
        }
        rest
    }

    fn interface<'a>(&mut self, side: &str, words: &'a [&'a str]) -> &'a [&'a str] {
        let verb = if side == "iifname" {
            "comes in on"
        } else {
            "leaves on"
        };
        let (not, name, rest) = match words {
            ["!=", name, rest @ ..] => ("not ", *name, rest),
            [name, rest @ ..] => ("", *name, rest),
            [] => ("", "", &[][..]),
        };
        let name = escape::terminal(name.trim_matches('"'));
        self.tests.push(format!("{verb} {not}{name}"));
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        let words: Vec<&str> = text.split(' ').collect();
        let native = Native::read(&words);
        let parts = native.tests.into_iter().chain(native.proto);
        parts.chain(native.ports).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn addresses_interfaces_and_ports_have_the_words_of_iptables() {
        assert_eq!(
            said("ip saddr != 10.0.0.0/8 iifname \"eth0\" meta l4proto tcp tcp dport 80 drop"),
            "source is not 10.0.0.0/8, comes in on eth0, tcp, tcp port 80"
        );
    }

    #[test]
    fn what_has_no_words_stays_as_nft_writes_it() {
        assert_eq!(said("fib daddr type local"), "fib daddr type local");
    }
}
