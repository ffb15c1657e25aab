//! A Service lets in only some clients, and this one is not among them.

use host::RuleBody;
use host::xt::{MaskedAddr, Match};

use super::common::doc::documented;
use super::common::sight::{Blame, Sight};
use super::common::words;
use super::{Finding, FindingDoc, Fix, Severity};
use crate::answer::Step;

documented! {
    /// A Service's `loadBalancerSourceRanges` leave this client out.
    ///
    /// # You see
    /// Connections to the load balancer's address time out for some clients
    /// and work for others. The NodePort of the same Service works for all.
    /// # Check by hand
    /// `kubectl -n NAMESPACE get service NAME -o
    /// jsonpath='{.spec.loadBalancerSourceRanges}'` lists who may come in.
    /// On the node, `iptables -t nat -S | grep KUBE-FW-` has a rule for each
    /// range, or `nft list ruleset` a chain `firewall-…NAME…`.
    /// The addresses that count are those that reach the node: a load balancer
    /// that puts its own address in place of the client's is left out too.
    /// # Put it right
    /// Add the client's range to `.spec.loadBalancerSourceRanges`, or leave it
    /// as it is: this is what the Service asks for.
    pub(crate) const DOC: FindingDoc = "source-ranges-exclude-client";
}

pub(crate) fn find(sight: &Sight<'_>) -> Option<Finding> {
    let Blame { service, step } = sight.meant_to_drop()?;
    let firewall = firewall(sight, step)?;
    let ranges = ranges(sight, &firewall);
    let title = format!("{service} does not let this client in");
    let mut why = vec![format!(
        "{}, with loadBalancerSourceRanges that leave this client out",
        words::has_frontend(sight, &service)
    )];
    if !ranges.is_empty() {
        why.push(format!("let in are {}", ranges.join(", ")));
    }
    if sight.stopped_by().is_none() {
        why.push(words::MARKED_IN_VAIN.to_owned());
    }
    let say = "add the client's range to .spec.loadBalancerSourceRanges, if it may come in";
    Some(Finding {
        severity: Severity::Warning,
        fix: Some(Fix {
            say: say.to_owned(),
            command: None,
        }),
        check: words::show(sight, step),
        ..sight.finding(&DOC, title, why)
    })
}

/// The chain that holds the ranges, where a step is of the rules that heed them.
// kube-proxy to 1.25 marks in KUBE-FW-…; later ones drop in KUBE-PROXY-FIREWALL what did
// not pass it; the nftables mode has a chain firewall-… for each Service port.
fn firewall(sight: &Sight<'_>, step: &Step) -> Option<String> {
    let chain = &sight.chain(step.rule.as_ref()?).name;
    if chain.starts_with("KUBE-FW-") || chain.starts_with("firewall-") {
        let lacks_local = |step: &Step| sight.comment(step).contains("has no local endpoints");
        return (!sight.request().iter().any(lacks_local)).then(|| chain.clone());
    }
    let words = sight.comment(step).split_ascii_whitespace();
    let last = words.last().filter(|_| chain == "KUBE-PROXY-FIREWALL")?;
    Some(last.to_owned())
}

/// The sources that a chain of iptables rules lets pass.
fn ranges(sight: &Sight<'_>, chain: &str) -> Vec<String> {
    let tables = sight.host.ruleset.tables.iter();
    let chains = tables.flat_map(|table| &table.chains);
    let rules = chains
        .filter(|known| known.name == chain)
        .flat_map(|chain| &chain.rules);
    let matches = rules.flat_map(|rule| match &rule.body {
        RuleBody::Xt(xt) => xt.matches.as_slice(),
        RuleBody::Nft(_) | RuleBody::Gap(_) => &[],
    });
    let mut ranges: Vec<String> = matches
        .filter_map(|test| match test {
            Match::Src(source) if !source.not => Some(prefix(&source.value)),
            _ => None,
        })
        .collect();
    ranges.dedup();
    ranges
}

fn prefix(masked: &MaskedAddr) -> String {
    let len = net::addr_bits(masked.mask).count_ones();
    format!("{}/{len}", masked.addr)
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::super::tests::{RULES_WITH_SOURCE_RANGES, World};

    #[test]
    fn a_client_outside_of_the_ranges_is_told_which_they_are() {
        let world = World::of(RULES_WITH_SOURCE_RANGES, &[]);
        let found = world.findings("203.0.113.80:80");
        assert_eq!(found[0].code, "source-ranges-exclude-client");
        assert_eq!(found[0].severity, Severity::Warning);
        assert_eq!(found[0].why[1], "let in are 192.168.77.128/25");
        let check = "iptables -t nat -S KUBE-FW-FAXFPGMJVQWLKPGL 3";
        assert_eq!(found[0].check.as_deref(), Some(check));
    }

    #[test]
    fn a_mark_that_nothing_drops_by_is_told() {
        let rules = RULES_WITH_SOURCE_RANGES.replace("-A INPUT", "-A FORWARD");
        let found = World::of(&rules, &[]).findings("203.0.113.80:80");
        assert_eq!(found[0].why.len(), 2);
        let found = World::of(RULES_WITH_SOURCE_RANGES, &[]).findings("203.0.113.80:80");
        assert!(found[0].why[2].starts_with("its rules mark"));
    }

    #[test]
    fn a_newer_proxy_drops_what_its_firewall_chain_left_untranslated() {
        let rules = "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:KUBE-PROXY-FIREWALL -\n\
            -A INPUT -m conntrack --ctstate NEW -j KUBE-PROXY-FIREWALL\n\
            -A FORWARD -m conntrack --ctstate NEW -j KUBE-PROXY-FIREWALL\n\
            -A KUBE-PROXY-FIREWALL -d 203.0.113.80/32 -p tcp -m comment --comment \
            \"shop/checkout:http traffic not accepted by KUBE-FW-FAXFPGMJVQWLKPGL\" \
            -m tcp --dport 80 -j DROP\nCOMMIT\n*nat\n:PREROUTING ACCEPT\n\
            :KUBE-FW-FAXFPGMJVQWLKPGL -\n:KUBE-EXT-FAXFPGMJVQWLKPGL -\n\
            -A KUBE-FW-FAXFPGMJVQWLKPGL -s 192.168.77.128/25 -j KUBE-EXT-FAXFPGMJVQWLKPGL\n\
            COMMIT\n";
        let found = World::of(rules, &[]).findings("203.0.113.80:80");
        assert_eq!(found[0].code, "source-ranges-exclude-client");
        assert_eq!(found[0].why[1], "let in are 192.168.77.128/25");
    }
}
