//! Tables of iptables as iptables-save writes them and iptables-restore loads them.

use std::fmt::Write as _;

use crate::xt::{self, Target};
use crate::{Chain, Policy, RuleBody, Table};

/// Tables of one family, one behind the other. Counters are 0: the model has none.
///
/// A rule that was not understood stands there in brackets, which iptables-restore refuses. The
/// model has no options of targets that only log or the like: a comment tells where some may be
/// missing.
pub fn iptables_save(tables: &[&Table]) -> String {
    let mut text = String::new();
    for table in tables {
        let _ = writeln!(text, "*{}", table.name);
        for chain in &table.chains {
            let _ = writeln!(text, ":{} {} [0:0]", chain.name, policy(chain));
        }
        for chain in &table.chains {
            for rule in &chain.rules {
                let line = match &rule.body {
                    RuleBody::Xt(xt) => super::xt_rule(&chain.name, xt),
                    RuleBody::Nft(_) => format!("[a rule of nftables in chain {}]", chain.name),
                    RuleBody::Gap(what) => format!("[{what}]"),
                };
                if let RuleBody::Xt(xt::Rule {
                    target: Target::Pass(name),
                    ..
                }) = &rule.body
                {
                    let _ = writeln!(text, "# Options of {name} in the next rule are not kept.");
                }
                let _ = writeln!(text, "{line}");
            }
        }
        text.push_str("COMMIT\n");
    }
    text
}

/// The policy of a built-in chain; `-` of one that users made.
fn policy(chain: &Chain) -> &'static str {
    match chain.base.as_ref().map(|base| base.policy) {
        Some(Policy::Accept) => "ACCEPT",
        Some(Policy::Drop) => "DROP",
        None => "-",
    }
}
