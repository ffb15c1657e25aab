//! One way a connection can end, seen with everything that is known around it.

use std::net::IpAddr;

use host::nft::{Expr, PayloadBase, Set};
use host::xt::Match;
use host::{Chain, Host, Rule, RuleBody, Socket, Table};
use net::{Endpoint, ServiceName};

use crate::answer::{Answer, Did, Outcome, RuleRef, Step, Verdict};
use crate::findings::{Finding, FindingDoc, Names, Severity};
use crate::question::Question;
use crate::{deliver, owner};

/// Service proxies that hold the ports of their Services by listening on them.
const PROXIES: &[&str] = &["kube-proxy", "berth", "kube-router"];

/// One outcome of one answer.
#[derive(Clone, Copy)]
pub(crate) struct Sight<'a> {
    pub(crate) host: &'a Host,
    pub(crate) question: &'a Question,
    pub(crate) answers: &'a [Answer],
    /// The answer that the outcome belongs to, by number.
    pub(crate) answer: usize,
    pub(crate) outcome: &'a Outcome,
    pub(crate) names: &'a dyn Names,
}

/// How a Service is reached at the address and port asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frontend {
    /// By the port, at whatever address of this host.
    NodePort,
    /// By address and port: its own within the cluster, external or of a load balancer.
    Addr,
}

/// A step that a Service proxy wrote for one Service, and that stops its packets.
#[derive(Debug, Clone)]
pub(crate) struct Blame<'a> {
    pub(crate) service: ServiceName,
    pub(crate) step: &'a Step,
}

impl<'a> Sight<'a> {
    /// What happened to the first packet.
    pub(crate) fn request(&self) -> &'a [Step] {
        &self.outcome.steps[..self.outcome.request]
    }

    /// What happened to the answer and what followed it.
    pub(crate) fn afterwards(&self) -> &'a [Step] {
        &self.outcome.steps[self.outcome.request..]
    }

    pub(crate) fn is_known(&self) -> bool {
        self.outcome.verdict != Verdict::Unknown
    }

    /// The rule or policy that stopped the first packet, if one did.
    pub(crate) fn stopped_by(&self) -> Option<&'a Step> {
        let last = self.request().last()?;
        let stops = matches!(last.did, Did::Drop | Did::Reject(_));
        (stops && self.is_known()).then_some(last)
    }

    pub(crate) fn table(&self, at: &RuleRef) -> &'a Table {
        &self.host.ruleset.tables[at.table]
    }

    pub(crate) fn chain(&self, at: &RuleRef) -> &'a Chain {
        &self.table(at).chains[at.chain]
    }

    pub(crate) fn rule(&self, at: &RuleRef) -> Option<&'a Rule> {
        self.chain(at).rules.get(at.rule?)
    }

    /// The comment of a step's rule; empty where it has none.
    pub(crate) fn comment(&self, step: &Step) -> &'a str {
        let rule = step.rule.as_ref().and_then(|at| self.rule(at));
        rule.and_then(|rule| rule.comment.as_deref())
            .unwrap_or_default()
    }

    /// The Service that a step's rule, its chain or the element it found was written for.
    pub(crate) fn service_of(&self, step: &Step) -> Option<ServiceName> {
        let (proto, to) = (self.question.proto, self.question.to);
        owner::of_element(self.host, step, proto, to).or_else(|| owner::of_step(self.host, step))
    }

    /// What was written for a Service and stopped the first packet: the rule itself, the one
    /// that led to a chain which rejects whatever gets there, or the one that marked it for a
    /// later drop.
    pub(crate) fn blame(&self) -> Option<Blame<'a>> {
        let stopped = self.stopped_by()?;
        let of = |step| {
            let service = self.service_of(step)?;
            Some(Blame { service, step })
        };
        of(stopped)
            .or_else(|| of(self.caller(stopped)?))
            .or_else(|| of(self.marked_for(stopped)?))
    }

    /// The step that led into the chain of another one.
    fn caller(&self, step: &Step) -> Option<&'a Step> {
        let chain = &self.chain(step.rule.as_ref()?).name;
        let before = self.request().iter().rev();
        before
            .filter(|step| step.rule.is_some())
            .find(|step| match &step.did {
                Did::Jump { chain: to } | Did::Goto { chain: to } => to == chain,
                _ => false,
            })
    }

    /// The step that had the packet marked which a rule drops by its mark.
    // kube-proxy before 1.26 and kubelet share chain and mark (kubelet_network_linux.go).
    fn marked_for(&self, stopped: &Step) -> Option<&'a Step> {
        let chain = &self.chain(stopped.rule.as_ref()?).name;
        self.marked().filter(|_| chain == "KUBE-FIREWALL")
    }

    fn marked(&self) -> Option<&'a Step> {
        let marks =
            |step: &&Step| matches!(&step.did, Did::Jump { chain } if chain == "KUBE-MARK-DROP");
        self.request().iter().find(marks)
    }

    /// What was written for a Service to have packets dropped, whether or not the rule that
    /// would do so is met: the kubelet's is in INPUT and OUTPUT alone, and gone since 1.28.
    pub(crate) fn meant_to_drop(&self) -> Option<Blame<'a>> {
        if let Some(blame) = self.blame() {
            let is_dropped = self.stopped_by()?.did == Did::Drop;
            return is_dropped.then_some(blame);
        }
        let is_free =
            self.is_known() && self.stopped_by().is_none() && destination(self.outcome).is_none();
        let step = self.marked().filter(|_| is_free)?;
        let service = self.service_of(step)?;
        Some(Blame { service, step })
    }

    /// The first rule written for a Service that this packet met, before it was translated.
    pub(crate) fn entrance(&self, service: &ServiceName) -> Option<&'a Step> {
        let untouched = |step: &&Step| !matches!(step.did, Did::Dnat { .. });
        let whole = self.request().iter();
        // A mark for masquerading is not the way in.
        let marks = |step: &&Step| matches!(&step.did, Did::Jump { chain } if chain.starts_with("KUBE-MARK"));
        let mut before = whole.take_while(untouched).filter(|step| !marks(step));
        before.find(|step| self.service_of(step).as_ref() == Some(service))
    }

    /// How clients reach a Service here.
    pub(crate) fn frontend(&self, service: &ServiceName) -> Frontend {
        let (proto, to) = (self.question.proto, self.question.to);
        let is_own = self.is_own(to.addr);
        if is_own && self.names.at_node_port(proto, to.port).as_ref() == Some(service) {
            return Frontend::NodePort;
        }
        let rule = self.entrance(service).and_then(|step| step.rule.as_ref());
        let by_addr = rule.is_some_and(|at| {
            self.rule(at)
                .is_some_and(|rule| asks_for_addr(self.table(at), rule))
        });
        if is_own && !by_addr {
            Frontend::NodePort
        } else {
            Frontend::Addr
        }
    }

    pub(crate) fn is_own(&self, addr: IpAddr) -> bool {
        self.host.is_own(addr)
    }

    /// Where the first packet is addressed in the end.
    pub(crate) fn destination(&self) -> Endpoint {
        destination(self.outcome).unwrap_or(self.question.to)
    }

    /// The socket of a process of this host at the address and port asked for. A port that a
    /// Service proxy holds for its Services has none.
    pub(crate) fn listener(&self) -> Option<&'a Socket> {
        let to = self.question.to;
        let mut all = self.listeners(to.port);
        all.find(|socket| self.is_own(to.addr) && deliver::accepts(socket, to.addr))
    }

    /// Every socket that waits for clients on a port, those of Service proxies left out.
    pub(crate) fn listeners(&self, port: u16) -> impl Iterator<Item = &'a Socket> {
        let proto = self.question.proto;
        let waits = |s: &Socket| s.state.waits();
        self.host
            .sockets
            .iter()
            .filter(move |s| s.proto == proto && s.port == port && waits(s) && !is_proxy(s))
    }

    /// An error that this outcome shows, without advice.
    pub(crate) fn finding(&self, doc: &FindingDoc, title: String, why: Vec<String>) -> Finding {
        Finding {
            code: doc.code,
            severity: Severity::Error,
            title,
            why,
            fix: None,
            check: None,
            answers: vec![self.answer],
        }
    }
}

/// Whether a Service proxy holds the socket.
pub(crate) fn is_proxy(socket: &Socket) -> bool {
    let holder = socket.holder.as_ref();
    holder.is_some_and(|holder| PROXIES.contains(&holder.name.as_str()))
}

/// Where translation leads the first packet of an outcome, if it was translated.
pub(crate) fn destination(outcome: &Outcome) -> Option<Endpoint> {
    let mut back = outcome.steps[..outcome.request].iter().rev();
    back.find_map(|step| match step.did {
        Did::Dnat { addr, port } => Some(Endpoint { addr, port }),
        _ => None,
    })
}

/// Whether a rule is for one destination address, by itself or by the set it looks into.
fn asks_for_addr(table: &Table, rule: &Rule) -> bool {
    let has_addr = |set: &Set| set.key.iter().any(|of| matches!(of.len(), 4 | 16));
    match &rule.body {
        RuleBody::Xt(xt) => xt.matches.iter().any(|test| matches!(test, Match::Dst(_))),
        RuleBody::Nft(exprs) => exprs.iter().any(|expr| match expr {
            Expr::Lookup {
                set,
                to_verdict: true,
                ..
            } => table
                .sets
                .iter()
                .any(|known| *known.name == **set && has_addr(known)),
            // The destination in a compat rule: at 16 in an IPv4 header, at 24 in an IPv6 one.
            Expr::Payload {
                base: PayloadBase::Network,
                offset,
                len,
                ..
            } => {
                exprs
                    .iter()
                    .any(|e| matches!(e, Expr::Match(_) | Expr::Target(_)))
                    && matches!((offset, len), (16, 4) | (24, 16))
            }
            _ => false,
        }),
        RuleBody::Gap(_) => false,
    }
}
