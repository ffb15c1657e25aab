//! A firewall keeps the connection out.

use super::common::doc::documented;
use super::common::sight::Sight;
use super::common::words;
use super::{Finding, FindingDoc, Fix};
use crate::answer::{Did, RuleRef};

documented! {
    /// A rule or a policy that was made for no Service keeps the connection out.
    ///
    /// # You see
    /// A time-out where the rule drops, "connection refused", "no route to
    /// host" or "permission denied" where it rejects; other ports or other
    /// clients may work.
    /// # Check by hand
    /// The command that the story gives shows the rule. `iptables -t filter -S`
    /// and `nft list ruleset` show all of them: the first rule that fits
    /// decides, and where none does the policy. A connection must pass every
    /// table and both of iptables and nftables: an accept in one does not
    /// outweigh a drop in another.
    /// # Put it right
    /// If the client may come in, accept it ahead of that rule, with the program
    /// that manages it (firewalld, ufw, a network policy, …): that one will
    /// otherwise write its own rules again.
    pub(crate) const DOC: FindingDoc = "host-firewall-takes-it";
}

/// Who writes chains of which names; the first that fits counts.
const WRITERS: &[(&str, &str)] = &[
    ("KUBE-ROUTER-", "kube-router"),
    ("KUBE-NWPLCY-", "kube-router for a NetworkPolicy"),
    ("KUBE-POD-FW-", "kube-router for a NetworkPolicy"),
    ("KUBE-FIREWALL", "the kubelet"),
    ("KUBE-", "kube-proxy"),
    ("cali-", "Calico"),
    ("ANTREA-", "Antrea"),
    ("CILIUM_", "Cilium"),
    ("OLD_CILIUM_", "Cilium"),
    ("WEAVE-", "Weave Net"),
    ("AZURE-NPM", "Azure's network policy manager"),
    ("CNI-", "a CNI plugin"),
    ("DOCKER", "Docker"),
    ("ufw", "ufw"),
    ("f2b-", "fail2ban"),
    ("LIBVIRT_", "libvirt"),
    ("ts-", "Tailscale"),
    ("IN_", "firewalld"),
    ("FWD_", "firewalld"),
];

/// Tables of Service proxies: what these stop by rules for no single Service is no firewall.
const PROXY_TABLES: &[&str] = &["kube-proxy", "berth"];

pub(crate) fn find(sight: &Sight<'_>) -> Option<Finding> {
    let stopped = sight.stopped_by()?;
    let at = stopped.rule.as_ref()?;
    let is_proxy = PROXY_TABLES.contains(&sight.table(at).name.as_str());
    if is_proxy || sight.blame().is_some() {
        return None;
    }
    let verb = match stopped.did {
        Did::Reject(_) => "rejects",
        _ => "drops",
    };
    let place = words::place(sight, at);
    let title = if at.rule.is_some() {
        format!("a firewall rule {verb} it: {place}")
    } else {
        format!("the firewall {verb} what no rule accepts: {place}")
    };
    Some(Finding {
        fix: Some(Fix {
            say: advice(sight, at),
            command: None,
        }),
        check: words::show(sight, stopped),
        ..sight.finding(&DOC, title, why(sight, at))
    })
}

fn why(sight: &Sight<'_>, at: &RuleRef) -> Vec<String> {
    let (proto, to) = (sight.question.proto, sight.destination());
    let chain = &sight.chain(at).name;
    let mut why = Vec::new();
    if to != sight.question.to {
        why.push(format!(
            "{} is translated to {to} before",
            sight.question.to
        ));
    }
    why.push(match sight.rule(at) {
        Some(rule) => match &rule.text {
            Some(text) => format!("the rule is {text}"),
            None => format!("the rule is {}", host::print::rule(chain, rule)),
        },
        None => format!("no rule accepts {proto} to port {}", to.port),
    });
    if let Some(writer) = writer(sight, at) {
        why.push(format!("rules like this are written by {writer}"));
    }
    if let Some(socket) = sight.listener().filter(|_| to == sight.question.to) {
        let holder = words::holder(socket);
        why.push(format!(
            "{holder} listens on {} and hears nothing of it",
            words::listens(socket)
        ));
    }
    why
}

fn writer(sight: &Sight<'_>, at: &RuleRef) -> Option<&'static str> {
    let (table, chain) = (&sight.table(at).name, &sight.chain(at).name);
    if table == "firewalld" {
        return Some("firewalld");
    }
    let mut known = WRITERS.iter();
    known
        .find(|(start, _)| chain.starts_with(start))
        .map(|(_, writer)| *writer)
}

fn advice(sight: &Sight<'_>, at: &RuleRef) -> String {
    let (proto, to) = (sight.question.proto, sight.destination());
    let with = match writer(sight, at) {
        Some(writer) => format!(", by means of {writer}"),
        None => ", in the program that manages these rules".to_owned(),
    };
    format!(
        "if the client may come in, accept {proto} port {} ahead of it{with}",
        to.port
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::{RULES_WITH_ENDPOINTS, World};

    #[test]
    fn a_rule_that_rejects_is_quoted() {
        let rules = "*filter\n:INPUT ACCEPT\n-A INPUT -i lo -j ACCEPT\n\
            -A INPUT -p tcp -m tcp --dport 8080 -j REJECT --reject-with icmp-host-prohibited\n\
            COMMIT\n";
        let world = World::of(rules, &["tcp/0.0.0.0:8080=webd"]);
        let found = world.findings("192.168.77.1:8080");
        assert_eq!(found[0].code, "host-firewall-takes-it");
        assert_eq!(
            found[0].title,
            "a firewall rule rejects it: filter INPUT #2"
        );
        assert_eq!(
            found[0].why,
            [
                "the rule is -A INPUT -p tcp -m tcp --dport 8080 -j REJECT --reject-with \
                 icmp-host-prohibited",
                "webd listens on 0.0.0.0:8080 and hears nothing of it"
            ]
        );
        let check = "iptables -t filter -S INPUT 2";
        assert_eq!(found[0].check.as_deref(), Some(check));
    }

    #[test]
    fn a_policy_drops_what_no_rule_accepts() {
        let rules = "*filter\n:INPUT DROP\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n";
        let world = World::of(rules, &["tcp/0.0.0.0:8080=webd"]);
        let found = world.findings("192.168.77.1:8080");
        assert_eq!(
            found[0].title,
            "the firewall drops what no rule accepts: policy of filter INPUT"
        );
    }

    #[test]
    fn a_firewall_behind_the_translation_of_a_service_is_a_firewall_still() {
        let rules = format!(
            "{RULES_WITH_ENDPOINTS}*filter\n:FORWARD ACCEPT\n:cali-FORWARD -\n\
             -A FORWARD -j cali-FORWARD\n-A cali-FORWARD -p tcp -j DROP\nCOMMIT\n"
        );
        let found = World::of(&rules, &[]).findings("192.168.77.1:31081");
        assert_eq!(found[0].code, "host-firewall-takes-it");
        assert_eq!(found[0].why[2], "rules like this are written by Calico");
    }
}
