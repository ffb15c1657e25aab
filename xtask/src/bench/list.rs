//! What is measured, and what it has to keep.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::generate;

/// 5,000 Services of three endpoints each, as kube-proxy 1.20 left them.
const IPTABLES: &str = "testkit/data/kube-proxy-1.20-5000-services.iptables-save.gz";

/// As many, as kube-proxy 1.36 gives them to `nft -f`.
const NFT: &str = "testkit/data/kube-proxy-1.36-5000-services.nft.gz";

/// The network of a namespace that rules are loaded into.
pub(super) const NETWORK: [&str; 6] = [
    "ip link set lo up",
    "ip link add eth0 type veth peer name eth1",
    "ip link set eth1 up",
    "ip link set eth0 up",
    "ip address add 192.168.77.1/24 dev eth0",
    // The address that kube-proxy 1.36 was told its node has.
    "ip address add 172.20.6.10/24 dev eth0",
];

/// One listener and many among few Services, and among many.
const GROWTH: &[Subject] = &[
    Subject {
        command: "{berth} scan --rules {small} --sockets {one} \
            --address 192.168.77.1/24@eth0",
        exits: &[0],
    },
    Subject {
        command: "{berth} scan --rules {small} --sockets {many} \
            --address 192.168.77.1/24@eth0",
        exits: &[0],
    },
    Subject {
        command: "{berth} scan --rules {large} --sockets {one} \
            --address 192.168.77.1/24@eth0",
        exits: &[0],
    },
    Subject {
        command: "{berth} scan --rules {large} --sockets {many} \
            --address 192.168.77.1/24@eth0",
        exits: &[0],
    },
];

/// What a scan of a large host has to keep.
const SCAN: Goal = Goal::AtMost {
    wall: Duration::from_secs(1),
    peak_kib: 200 * 1024,
};

/// What is measured. Words in braces stand for paths.
pub(super) const BENCHES: &[Bench] = &[
    Bench {
        name: "why",
        asks: "one connection, 5,000 Services in iptables, rules from a file",
        rules: Rules::Packed(IPTABLES),
        load: None,
        rounds: 21,
        goal: Goal::AtMost {
            wall: Duration::from_millis(100),
            peak_kib: 150 * 1024,
        },
        subjects: &[Subject {
            command: "{berth} why 192.168.77.1:30584 --rules {rules} \
                --address 192.168.77.1/24@eth0 --listen tcp/0.0.0.0:30584=web",
            exits: PROVEN,
        }],
    },
    Bench {
        name: "scan",
        asks: "500 listeners at four addresses, 5,000 Services in iptables, rules from a file",
        rules: Rules::Packed(IPTABLES),
        load: None,
        rounds: 11,
        goal: SCAN,
        subjects: &[Subject {
            command: "{berth} scan --rules {rules} --sockets {many} \
                --address 192.168.77.1/24@eth0 --address 10.244.0.1/24@cni0 \
                --address 10.7.0.1/24@eth1 --address 10.8.0.1/24@eth2 \
                --cluster-cidr 10.244.0.0/24",
            exits: &[0],
        }],
    },
    Bench {
        name: "ports",
        asks: "all ports of four addresses, 5,000 Services in iptables, rules from a file",
        rules: Rules::Packed(IPTABLES),
        load: None,
        rounds: 11,
        goal: SCAN,
        subjects: &[
            Subject {
                command: "{berth} scan --rules {rules} --sockets {one} \
                    --address 192.168.77.1/24@eth0 --address 10.244.0.1/24@cni0 \
                    --address 10.7.0.1/24@eth1 --address 10.8.0.1/24@eth2 \
                    --cluster-cidr 10.244.0.0/24",
                exits: &[0],
            },
            Subject {
                command: "{berth} scan --ports --rules {rules} --sockets {one} \
                    --address 192.168.77.1/24@eth0 --address 10.244.0.1/24@cni0 \
                    --address 10.7.0.1/24@eth1 --address 10.8.0.1/24@eth2 \
                    --cluster-cidr 10.244.0.0/24",
                exits: &[0],
            },
        ],
    },
    Bench {
        name: "tracked",
        asks: "501 listeners and 100,000 tracked connections to them (generated), 5,000 Services",
        rules: Rules::Packed(IPTABLES),
        load: None,
        rounds: 11,
        goal: SCAN,
        subjects: &[
            Subject {
                command: "{berth} scan --rules {rules} --sockets {many} \
                    --address 192.168.77.1/24@eth0",
                exits: &[0],
            },
            Subject {
                command: "{berth} scan --rules {rules} --sockets {many} \
                    --conntrack {tracked} --address 192.168.77.1/24@eth0",
                exits: &[0],
            },
        ],
    },
    Bench {
        name: "growth",
        asks: "one listener and 501, 1,000 Services and 50,000 in iptables (generated), rules from a file",
        rules: Rules::Made(generate::iptables),
        load: None,
        rounds: 5,
        goal: Goal::Growth { times: 50 },
        subjects: GROWTH,
    },
    Bench {
        name: "growth-nft",
        asks: "one listener and 501, 1,000 Services and 50,000 in nftables (generated), rules from a file",
        rules: Rules::Made(generate::nft),
        load: None,
        rounds: 5,
        goal: Goal::Growth { times: 50 },
        subjects: GROWTH,
    },
    Bench {
        name: "iptables",
        asks: "5,000 Services in iptables, read from the kernel",
        rules: Rules::Packed(IPTABLES),
        load: Some("iptables-nft-restore {rules}"),
        rounds: 5,
        goal: Goal::FasterThanPeers,
        subjects: &[
            Subject {
                command: "{berth} snapshot -o {snapshot}",
                exits: &[0],
            },
            Subject {
                command: "{berth} why 192.168.77.1:30584",
                exits: PROVEN,
            },
            Subject {
                command: "iptables-nft-save",
                exits: &[0],
            },
            Subject {
                command: "nft list ruleset",
                exits: &[0],
            },
        ],
    },
    Bench {
        name: "nft",
        asks: "5,000 Services in nftables, read from the kernel",
        rules: Rules::Packed(NFT),
        load: Some("nft -f {rules}"),
        rounds: 11,
        goal: Goal::FasterThanPeers,
        subjects: &[
            Subject {
                command: "{berth} snapshot -o {snapshot}",
                exits: &[0],
            },
            Subject {
                command: "{berth} why 172.20.6.10:21274",
                exits: PROVEN,
            },
            Subject {
                command: "nft list ruleset",
                exits: &[0],
            },
        ],
    },
];

/// How `berth why` ends where it proves that the connection fails. All of them do: a Service
/// has no endpoint, or its endpoints are out of reach of the namespace.
const PROVEN: &[i32] = &[1];

/// A question put to several programs.
pub(super) struct Bench {
    pub(super) name: &'static str,
    pub(super) asks: &'static str,
    pub(super) rules: Rules,
    /// Loads them into a network namespace made for this bench. Without it there is none.
    pub(super) load: Option<&'static str>,
    /// How often, unless told otherwise: long runs need fewer.
    pub(super) rounds: usize,
    pub(super) goal: Goal,
    /// Ours first, then their peers.
    pub(super) subjects: &'static [Subject],
}

/// What each subject of ours has to keep.
pub(super) enum Goal {
    /// The most its fastest run may take, and its highest peak. A busy machine makes a run
    /// longer and never shorter, so the fastest says what the program takes.
    AtMost { wall: Duration, peak_kib: u64 },
    /// Its median is below that of every peer.
    FasterThanPeers,
    /// Of four runs, two on rules for few Services and two for so many times as many, each pair
    /// with one listener and with more: what one listener takes stays as it is, and the rest
    /// grows no faster than the rules.
    Growth { times: u32 },
}

pub(super) struct Subject {
    /// Words separated by spaces; no shell reads them.
    pub(super) command: &'static str,
    /// The exit statuses of a run that did its work.
    pub(super) exits: &'static [i32],
}

/// Where rules come from.
pub(super) enum Rules {
    /// They lie here, packed.
    Packed(&'static str),
    /// They are written for so many Services.
    Made(fn(&Path, u32) -> io::Result<()>),
}

impl Subject {
    pub(super) fn is_ours(&self) -> bool {
        self.command.starts_with("{berth} ")
    }

    /// The command as a reader would write it.
    pub(super) fn shown(&self) -> String {
        let named = self.command.replace("{berth}", "berth");
        let places = [
            ("{rules}", "RULES"),
            ("{small}", "RULES-OF-1,000"),
            ("{large}", "RULES-OF-50,000"),
            ("{one}", "ONE"),
            ("{many}", "501"),
            ("{tracked}", "100,000"),
            ("{snapshot}", "FILE"),
        ];
        places
            .iter()
            .fold(named, |text, (place, shown)| text.replace(place, shown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_write_it() {
        let shown = Subject {
            command: "{berth} why :1 --rules {rules}",
            exits: &[0],
        }
        .shown();
        assert_eq!(shown, "berth why :1 --rules RULES");
    }
}
