//! Rules as their own tools write them: what [`crate::parse`] reads.
//!
//! An xt rule comes out as iptables-save 1.8 prints it, and reads back as the same rule.
//! nftables expressions come out much as `nft` lists them; that text is for people alone.

mod line;
mod nft;
mod save;
mod targets;
mod xt;

#[cfg(test)]
mod tests;

pub use save::iptables_save;

use crate::{Link, Rule, RuleBody, Table};

/// A rule of a chain as one line: `-A CHAIN …` where it is of iptables, else without the
/// chain, as nftables lists rules inside of it. A rule that was not understood is its text.
pub fn rule(chain: &str, rule: &Rule) -> String {
    match &rule.body {
        RuleBody::Xt(xt) => xt_rule(chain, xt),
        RuleBody::Nft(exprs) => exprs_line(exprs),
        RuleBody::Gap(what) => match &rule.text {
            Some(text) => text.to_string(),
            None => format!("[{what}]"),
        },
    }
}

/// An xt rule as iptables-save prints it.
pub fn xt_rule(chain: &str, rule: &crate::xt::Rule) -> String {
    let mut line = line::Line::default();
    line.word("-A");
    line.name(chain);
    xt::matches(&mut line, &rule.matches);
    targets::target(&mut line, &rule.target);
    line.into_string()
}

/// One test of an xt rule: `-m conntrack --ctstate NEW`. `is_icmp6` tells ICMP's from
/// ICMPv6's, which only the protocol of the whole rule does.
pub fn xt_match(item: &crate::xt::Match, is_icmp6: bool) -> String {
    let mut line = line::Line::default();
    xt::add(&mut line, item, is_icmp6);
    line.into_string()
}

/// The target of an xt rule: `-j REJECT --reject-with tcp-reset`; empty where it has none.
pub fn xt_target(target: &crate::xt::Target) -> String {
    let mut line = line::Line::default();
    targets::target(&mut line, target);
    line.into_string()
}

/// Expressions as one line much like that of `nft list ruleset`.
pub fn exprs_line(exprs: &[crate::nft::Expr]) -> String {
    nft::exprs(exprs, nft::Scope::default())
}

/// A table of nftables as `nft list ruleset` shows it, in text that `nft -f` loads. Links are
/// those of the host, which rules know by index.
///
/// What is not modelled stands there in brackets, which nft refuses: see [`not_printed`].
pub fn nft_table(table: &Table, links: &[Link]) -> String {
    nft::table(table, links)
}

/// The lines of a printed table that nft refuses, because they hold what is not modelled.
pub fn not_printed(text: &str) -> Vec<&str> {
    let is_gap = |line: &&str| {
        // What stands in quotes is a name or a comment.
        let unquoted = line.split('"').step_by(2);
        let mut after = unquoted.flat_map(|part| part.split('[').skip(1));
        after.any(|after| {
            let inside = after.split(']').next().unwrap_or_default();
            inside.parse::<std::net::Ipv6Addr>().is_err()
        })
    };
    text.lines().map(str::trim).filter(is_gap).collect()
}
