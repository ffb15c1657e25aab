//! Something takes packets past netfilter, and what it does cannot be seen from here.

use host::{Gap, GapKind};

use super::common::doc::documented;
use super::common::sight::Sight;
use super::common::words;
use super::{Finding, FindingDoc, Severity};

documented! {
    /// Something before, behind or beside netfilter decides about packets, and no
    /// rule shows what.
    ///
    /// # You see
    /// UNKNOWN where the rules alone would give an answer. On the wire: whatever
    /// that program or policy does, which may well be what the rules say.
    ///
    /// XDP and tc see packets before PREROUTING, tc also behind POSTROUTING.
    /// IPVS takes connections to its virtual services in INPUT. BPF on cgroups,
    /// for sockets (`sk_lookup`) or at netfilter's hooks can drop a packet or give
    /// it to another socket. Flows of Open vSwitch, IPsec policies (XFRM) and VRF
    /// devices send it another way.
    /// # Check by hand
    /// `bpftool net` and `bpftool cgroup tree` list BPF programs,
    /// `tc filter show dev DEVICE ingress` filters, `ipvsadm -Ln` virtual services,
    /// `ovs-ofctl dump-flows BRIDGE` flows, `ip xfrm policy` policies,
    /// `ip route show vrf NAME` the routes of a VRF.
    /// # Put it right
    /// Nothing, if it is there on purpose: ask the program that put it there
    /// (`cilium-dbg monitor`, `calicoctl`, `antctl`, `ipvsadm`). What nobody knows of
    /// may be left over from one that is gone.
    pub(crate) const DOC: FindingDoc = "outside-netfilter";
}

/// What something of one kind may do to a packet.
struct Kind {
    /// As the gap names it.
    name: &'static str,
    /// What it may do to the connection asked about.
    may: &'static str,
    /// The command that shows it; `{}` stands for the device, `{way}` for the direction.
    look: &'static str,
}

const fn kind(name: &'static str, may: &'static str, look: &'static str) -> Kind {
    Kind { name, may, look }
}

const KINDS: [Kind; 11] = [
    kind(
        "IPVS",
        "its virtual services take connections to their addresses and ports in INPUT, and send \
         them to servers of their own",
        "ipvsadm -Ln",
    ),
    kind(
        "XDP",
        "the program may drop, answer or redirect packets before any rule meets them",
        "bpftool net show dev {}",
    ),
    kind(
        "tc",
        "filters may drop, rewrite or redirect packets before PREROUTING or behind POSTROUTING",
        "tc filter show dev {} {way}",
    ),
    kind(
        "tcx",
        "programs may drop, rewrite or redirect packets before PREROUTING or behind POSTROUTING",
        "bpftool net show dev {}",
    ),
    kind(
        "netkit BPF",
        "programs may drop, rewrite or redirect what passes between the pod and this host",
        "bpftool net show dev {}",
    ),
    kind(
        "sk_lookup BPF",
        "the program may give the connection to another socket than the one bound to its port",
        "bpftool link",
    ),
    kind(
        "netfilter BPF",
        "the programs may drop packets between the rules",
        "bpftool net",
    ),
    kind(
        "cgroup BPF",
        "the programs may drop packets of processes in the cgroup, or connect these elsewhere",
        "bpftool cgroup tree",
    ),
    kind(
        "Open vSwitch",
        "flows may drop, rewrite or forward packets that the rules never see",
        "ovs-ofctl dump-flows \"$(ovs-vsctl iface-to-br {})\"",
    ),
    kind(
        "XFRM",
        "policies may encrypt packets, send them another way or block them",
        "ip xfrm policy",
    ),
    kind(
        "VRF",
        "routes of its own decide where packets of its members go",
        "ip route show vrf {}",
    ),
];

pub(crate) fn find(sight: &Sight<'_>) -> Option<Finding> {
    let gaps = sight.outcome.gaps.iter();
    let seen: Vec<&Gap> = gaps.filter(|gap| gap.kind == GapKind::Bypass).collect();
    if seen.is_empty() {
        return None;
    }
    let mut names: Vec<&str> = Vec::new();
    let (mut why, mut checks) = (Vec::new(), Vec::new());
    for gap in seen {
        let name = gap
            .what
            .split_once(": ")
            .map_or(&*gap.what, |(name, _)| name);
        if !names.contains(&name) {
            names.push(name);
        }
        let Some(kind) = kind_of(name) else {
            why.push(gap.what.clone());
            continue;
        };
        why.push(format!("{}; {}", gap.what, kind.may));
        checks.extend(look(kind, gap));
    }
    checks.dedup();
    let title = format!(
        "{} may decide, outside of netfilter's rules",
        names.join(" and ")
    );
    Some(Finding {
        severity: Severity::Warning,
        check: (!checks.is_empty()).then(|| checks.join("; ")),
        ..sight.finding(&DOC, title, why)
    })
}

/// The kind of what a gap names: `tc on eth0`, `IPVS`.
fn kind_of(name: &str) -> Option<&'static Kind> {
    let (name, _) = name.split_once(" on ").unwrap_or((name, ""));
    KINDS.iter().find(|kind| kind.name == name)
}

/// The command that shows it; absent where it would need a name that has to be quoted.
fn look(kind: &Kind, gap: &Gap) -> Option<String> {
    if !kind.look.contains("{}") {
        return Some(kind.look.to_owned());
    }
    let device = gap.device.as_deref().filter(|name| words::is_plain(name))?;
    let way = if gap.what.contains(": at egress: ") {
        "egress"
    } else {
        "ingress"
    };
    Some(kind.look.replace("{way}", way).replace("{}", device))
}

#[cfg(test)]
mod tests {
    use host::{Gap, GapKind};

    use super::super::Severity;
    use super::super::tests::World;

    fn bypass(what: &str, device: Option<&str>) -> Gap {
        Gap {
            kind: GapKind::Bypass,
            what: what.to_owned(),
            device: device.map(str::to_owned),
        }
    }

    #[test]
    fn what_is_on_the_way_is_named_with_what_it_may_do() {
        let mut world = World::of("", &["tcp/0.0.0.0:80=web"]);
        world.host.gaps = vec![
            bypass("tc on eth0: at ingress: program filter", Some("eth0")),
            bypass("IPVS: 2 virtual services", None),
        ];
        let found = world.findings("192.168.77.1:80");
        let first = &found[0];
        assert_eq!(first.code, "outside-netfilter");
        assert_eq!(first.severity, Severity::Warning);
        assert_eq!(
            first.title,
            "tc on eth0 and IPVS may decide, outside of netfilter's rules"
        );
        assert!(first.why[0].contains("at ingress: program filter; filters may drop"));
        assert!(first.why[1].starts_with("IPVS: 2 virtual services; "));
        let check = "tc filter show dev eth0 ingress; ipvsadm -Ln";
        assert_eq!(first.check.as_deref(), Some(check));
    }

    #[test]
    fn what_is_on_another_device_or_no_bypass_is_not() {
        let mut world = World::of("", &["tcp/0.0.0.0:80=web"]);
        world.host.gaps = vec![bypass("VRF on red: its members", Some("red"))];
        assert_eq!(world.codes("192.168.77.1:80"), [""; 0]);
        world.host.gaps[0].kind = GapKind::Rules;
        assert_eq!(world.codes("192.168.77.1:80"), [""; 0]);
    }

    #[test]
    fn a_device_whose_name_needs_quotes_is_in_no_command() {
        let mut world = World::of("", &["tcp/0.0.0.0:80=web"]);
        world.host.links[1].name = "a;b".to_owned();
        world.host.gaps = vec![bypass("XDP on a;b: program 7", Some("a;b"))];
        assert_eq!(world.findings("192.168.77.1:80")[0].check, None);
    }
}
