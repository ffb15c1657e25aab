//! Two programs translate one destination, and the order of their rules decides.

use host::Language;
use net::Endpoint;

use super::common::doc::documented;
use super::common::sight::{Sight, destination};
use super::common::words;
use super::{Finding, FindingDoc, Severity};
use crate::answer::{Answer, Did, From, RuleRef, Step};
use crate::explore::Tracer;
use crate::question::Origin;

documented! {
    /// Rules of two programs translate the same address and port, each to somewhere
    /// else.
    ///
    /// # You see
    /// Another server answers than the one you set up, and everything looks right
    /// in the program that set it up. It may change with a restart of either
    /// program, which writes its rules anew and so in another order.
    ///
    /// The first rule that translates a connection decides; an accept in one chain
    /// does not keep the next from translating, and a translation does. Chains run
    /// by their priority, and at equal priority the one registered last runs first.
    /// # Check by hand
    /// `iptables -t nat -S`, `iptables-legacy -t nat -S` and `nft list ruleset` side
    /// by side: look for the port in all of them.
    /// # Put it right
    /// Give one of the two another port, or take its rules away if the program is
    /// gone or was replaced (`kube-proxy --cleanup`, `docker network prune`).
    pub(crate) const DOC: FindingDoc = "two-programs-translate-it";
}

/// How the chains begin in which programs translate, and whose they are.
const WRITERS: &[(&str, &str)] = &[
    ("KUBE-HOSTPORT", "the kubelet"),
    ("KUBE-HP-", "the kubelet"),
    ("KUBE-", "kube-proxy"),
    ("CNI-", "the CNI plugin portmap"),
    ("DOCKER", "Docker"),
    ("NETAVARK-", "Podman"),
    ("cali-", "Calico"),
    ("CILIUM_", "Cilium"),
    ("ANTREA-", "Antrea"),
    ("ISTIO_", "Istio"),
    ("LIBVIRT_", "libvirt"),
];

pub(crate) fn find(sight: &Sight<'_>) -> Option<Finding> {
    let winner = translation(sight.request())?;
    let answer = &sight.answers[sight.answer];
    // The ends of one answer share the rule that led them to a translation.
    let mut starts = answer
        .outcomes
        .iter()
        .map(|o| translation(&o.steps[..o.request]));
    let first = starts.find_map(|step| step)?;
    if !std::ptr::eq(first, winner) {
        return None;
    }
    let led: Vec<Endpoint> = answer.outcomes.iter().filter_map(destination).collect();
    // What leads to where it was sent anyway keeps others from translating, on purpose.
    if led.contains(&sight.question.to) {
        return None;
    }
    let others = without(sight, answer, way_in(sight, winner)?)?;
    let mut outcomes = others.iter().flat_map(|other| &other.outcomes);
    outcomes.find_map(|outcome| {
        let step = translation(&outcome.steps[..outcome.request])?;
        let to = destination(outcome).filter(|to| !led.contains(to))?;
        let names = two(sight, winner.rule.as_ref()?, step.rule.as_ref()?)?;
        Some(told(sight, names, winner, (step, to)))
    })
}

/// The names of two programs; absent where the two rules are of one.
fn two(sight: &Sight<'_>, winner: &RuleRef, loser: &RuleRef) -> Option<[String; 2]> {
    let names = [winner, loser].map(|at| writer(sight, at));
    if names[0] != names[1] {
        return Some(names);
    }
    let languages = [winner, loser].map(|at| sight.table(at).language);
    if winner.table == loser.table || languages[0] == languages[1] {
        return None;
    }
    // One program, or two versions of it, by way of both iptables.
    let by = |(name, language)| match language {
        Language::Legacy => format!("{name} by iptables-legacy"),
        Language::Nft => format!("{name} by iptables-nft"),
    };
    let [first, second] = names;
    Some([(first, languages[0]), (second, languages[1])].map(by))
}

fn told(
    sight: &Sight<'_>,
    [winner_name, loser_name]: [String; 2],
    winner: &Step,
    (loser, to): (&Step, Endpoint),
) -> Finding {
    let asked = sight.question.to;
    let place = |step: &Step| {
        let at = step.rule.as_ref();
        at.map_or(String::new(), |at| words::place(sight, at))
    };
    let checks = [winner, loser].map(|step| words::show(sight, step));
    let checks: Vec<String> = checks.into_iter().flatten().collect();
    let both = format!("{winner_name} and {loser_name} both translate {asked}");
    let first = sight.destination();
    let (winner, loser) = (place(winner), place(loser));
    let (title, why) = if sight.is_known() {
        let won = format!("{winner_name} runs first: {winner} leads to {first}");
        let lost = format!("{loser_name} gets none of it: {loser} would lead to {to}");
        (format!("{both}: the first wins"), [won, lost])
    } else {
        let ways = [
            format!("{winner_name}: {winner} leads to {first}"),
            format!("{loser_name}: {loser} leads to {to}"),
        ];
        (format!("{both}: which comes first is not known"), ways)
    };
    Finding {
        severity: Severity::Warning,
        check: (!checks.is_empty()).then(|| checks.join("; ")),
        ..sight.finding(&DOC, title, why.to_vec())
    }
}

/// The step that translated the destination.
fn translation(request: &[Step]) -> Option<&Step> {
    request
        .iter()
        .find(|step| step.rule.is_some() && matches!(step.did, Did::Dnat { .. }))
}

/// The rule of a base chain by which a packet got to its translation.
fn way_in<'a>(sight: &Sight<'a>, step: &'a Step) -> Option<&'a RuleRef> {
    let request = sight.request();
    let at = request.iter().position(|other| std::ptr::eq(other, step))?;
    let mut back = request[..=at].iter().rev();
    back.find_map(|other| {
        let rule = other.rule.as_ref().filter(|rule| rule.rule.is_some())?;
        sight.chain(rule).base.as_ref().map(|_| rule)
    })
}

/// The answers for the same sources on this host without a rule.
fn without(sight: &Sight<'_>, answer: &Answer, rule: &RuleRef) -> Option<Vec<Answer>> {
    let mut question = sight.question.clone();
    match answer.from {
        From::Local => question.origin = Origin::Local,
        From::Outside | From::Pod => {
            question.origin = Origin::Address(answer.region.first()?);
            question.iif.clone_from(&answer.iif);
        }
    }
    Tracer::without(sight.host, rule.clone())
        .answer(&question)
        .ok()
}

/// Who wrote a rule, as far as its chain or table tells; rules of no known program are told by
/// these.
fn writer(sight: &Sight<'_>, at: &RuleRef) -> String {
    let (table, chain) = (sight.table(at), &sight.chain(at).name);
    let known = WRITERS.iter().find(|(start, _)| chain.starts_with(start));
    match known {
        Some((_, writer)) => (*writer).to_owned(),
        None if words::is_of_iptables(table) => format!("chain {chain}"),
        None => format!("table {}", table.name),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::super::tests::{RULES_WITH_ENDPOINTS, World};

    const CODE: &str = "two-programs-translate-it";

    /// kube-proxy's rules and Docker's for the same port, Docker's behind or before.
    fn rules(docker_to: &str, is_first: bool) -> String {
        let docker = format!(
            "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 31081 -j DNAT --to-destination \
             {docker_to}\n"
        );
        let jump = "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n";
        let chains = RULES_WITH_ENDPOINTS.replace("*nat\n", "*nat\n:DOCKER -\n");
        let placed = if is_first {
            chains.replacen("-A PREROUTING", &format!("{jump}-A PREROUTING"), 1)
        } else {
            chains.replace("COMMIT\n", &format!("{jump}COMMIT\n"))
        };
        placed.replace("COMMIT\n", &format!("{docker}COMMIT\n"))
    }

    #[test]
    fn the_program_whose_rules_come_later_never_gets_it() {
        let world = World::of(&rules("172.17.0.2:80", false), &[]);
        let found = world.findings("192.168.77.1:31081");
        let finding = found.iter().find(|finding| finding.code == CODE).unwrap();
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(
            finding.title,
            "kube-proxy and Docker both translate 192.168.77.1:31081: the first wins"
        );
        assert_eq!(
            finding.why[1],
            "Docker gets none of it: nat DOCKER #1 would lead to 172.17.0.2:80"
        );
        // Docker has no rule for what a process here sends.
        assert_eq!(finding.answers, [0]);
    }

    #[test]
    fn who_wins_changes_with_the_order() {
        let world = World::of(&rules("172.17.0.2:80", true), &[]);
        let found = world.findings("192.168.77.1:31081");
        let finding = found.iter().find(|finding| finding.code == CODE).unwrap();
        assert!(finding.title.starts_with("Docker and kube-proxy"));
    }

    #[test]
    fn one_program_may_stand_in_both_kinds_of_tables() {
        let mut world = World::of(RULES_WITH_ENDPOINTS, &[]);
        let old = RULES_WITH_ENDPOINTS.replace("10.52.1.", "10.52.9.");
        let mut tables = World::of(&old, &[]).host.ruleset.tables;
        tables[0].language = host::Language::Nft;
        // Behind the others, so that it is known who wins.
        for chain in &mut tables[0].chains {
            if let Some(base) = &mut chain.base {
                base.priority += 1;
            }
        }
        world.host.ruleset.tables[0].language = host::Language::Legacy;
        world.host.ruleset.tables.extend(tables);
        let found = world.findings("192.168.77.1:31081");
        let finding = found.iter().find(|finding| finding.code == CODE).unwrap();
        assert_eq!(
            finding.title,
            "kube-proxy by iptables-legacy and kube-proxy by iptables-nft both translate \
             192.168.77.1:31081: the first wins"
        );
    }

    #[test]
    fn programs_that_agree_and_one_program_alone_are_no_matter() {
        let world = World::of(&rules("10.52.1.11:8080", false), &[]);
        assert!(!world.codes("192.168.77.1:31081").contains(&CODE));
        let world = World::of(RULES_WITH_ENDPOINTS, &[]);
        assert!(!world.codes("192.168.77.1:31081").contains(&CODE));
    }
}
