//! Every kind of source: who they are, where their packets come in, and what the whole of
//! their answers is.

use std::net::IpAddr;
use std::rc::Rc;

use host::{GapKind, Host, RouteKind};
use net::{Family, Prefix, addr_bits};

use crate::answer::{Answer, Cause, From, RuleRef};
use crate::end::End;
use crate::eval::{Eval, Fork};
use crate::index;
use crate::packet::{Fact, Kind, Packet, State, Tracking, User};
use crate::question::{Origin, Question};
use crate::ranges::Ranges;
use crate::resolve::resolve;
use crate::route::{Found, Key};
use crate::walk::Entry;

/// Why a question cannot be asked of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskError {
    /// No interface has that name.
    NoSuchInterface(String),
    /// The source is not reached by any route, so nobody knows where its packets come in.
    NoWayBack(IpAddr),
    /// Source and destination are of two families.
    Families(IpAddr),
    /// There are no sources of that kind.
    NoSources,
}

impl std::fmt::Display for AskError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoSuchInterface(name) => write!(f, "this host has no interface {name}"),
            Self::NoWayBack(addr) => {
                write!(
                    f,
                    "no route leads to {addr}: name the interface it comes in on (--in)"
                )
            }
            Self::Families(addr) => write!(f, "{addr} is of another family than the target"),
            Self::NoSources => f.write_str("no source of that kind can reach this host"),
        }
    }
}

impl std::error::Error for AskError {}

/// Answers one question: for each kind of source, the regions that end alike.
///
/// # Errors
/// [`AskError`] where the question names something that the host has not.
pub fn answer(host: &Host, question: &Question) -> Result<Vec<Answer>, AskError> {
    Tracer::new(host).answer(question)
}

/// Answers questions about a host, keeping what it has prepared of it from one to the next.
pub struct Tracer<'h> {
    eval: Eval<'h>,
}

impl<'h> Tracer<'h> {
    /// Prepares nothing yet.
    pub fn new(host: &'h Host) -> Self {
        Self {
            eval: Eval::new(host),
        }
    }

    /// Asks about a host as if it had not one of its rules.
    pub(crate) fn without(host: &'h Host, rule: RuleRef) -> Self {
        let mut tracer = Self::new(host);
        tracer.eval.left_out = Some(rule);
        tracer
    }

    /// The host that is asked about.
    pub(crate) fn host(&self) -> &'h Host {
        self.eval.host
    }

    /// The rules of the chain that a rule stands in, as packets of a question meet them.
    pub(crate) fn rules(&mut self, question: &Question, at: &RuleRef) -> Rc<index::Chain> {
        let family = Family::of(question.to.addr);
        self.eval.rules(family, at.table, at.chain)
    }

    /// Answers a question, and tells which of `ports` fare as the port it is about: they take
    /// the same way through the same rules, each to itself.
    pub(crate) fn answer_for(
        &mut self,
        question: &Question,
        ports: Ranges,
    ) -> Result<(Vec<Answer>, Ranges), AskError> {
        self.eval.alike.begin(question.to.port, ports);
        let answers = self.answer(question);
        let alike = self.eval.alike.end();
        Ok((answers?, alike))
    }

    /// Answers a question: for each kind of source, the regions that end alike.
    ///
    /// # Errors
    /// [`AskError`] where the question names something that the host has not.
    pub fn answer(&mut self, question: &Question) -> Result<Vec<Answer>, AskError> {
        let eval = &mut self.eval;
        eval.turn_to(question);
        let mut answers = Vec::new();
        for source in eval.sources()? {
            eval.forks.clear();
            eval.assumed.clear();
            eval.assume_rules();
            let ends = eval.follow(&source);
            let mut found = resolve(eval, &ends);
            for answer in &mut found {
                answer.from = source.from;
                answer.iif = source.iif.map(|index| eval.link_name(index));
                answer.assumed.clone_from(&eval.assumed);
            }
            answers.extend(found);
        }
        Ok(answers)
    }
}

/// One kind of source, on one link.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    from: From,
    /// The link; `None` for this host.
    iif: Option<u32>,
    addrs: Ranges,
    /// The address is chosen by the kernel.
    unbound: bool,
}

impl Eval<'_> {
    fn family(&self) -> Family {
        Family::of(self.question.to.addr)
    }

    /// Rules of a family that were not given are taken not to be there.
    fn assume_rules(&mut self) {
        let (given, name) = match self.family() {
            Family::V4 => (self.host.given.rules_v4, "IPv4"),
            Family::V6 => (self.host.given.rules_v6, "IPv6"),
        };
        let unread = self.host.gaps.iter().any(|gap| gap.kind == GapKind::Rules);
        if !given && !unread {
            self.assume(&format!(
                "there are no netfilter rules for {name}: none were given"
            ));
        }
    }

    /// The sources that the question asks about.
    pub(crate) fn sources(&mut self) -> Result<Vec<Source>, AskError> {
        let question = self.question.clone();
        let iif = match &question.iif {
            None => None,
            Some(name) => match self.host.link_named(name) {
                Some(link) => Some(link.index),
                None => return Err(AskError::NoSuchInterface(name.clone())),
            },
        };
        let local = Source {
            from: From::Local,
            iif: None,
            addrs: Ranges::none(),
            unbound: true,
        };
        let sources = match question.origin {
            Origin::Local => vec![local],
            Origin::Outside => self.outside(iif),
            Origin::Pods => self.pods(iif),
            Origin::Everywhere if iif.is_some() => [self.outside(iif), self.pods(iif)].concat(),
            Origin::Everywhere => [self.outside(None), self.pods(None), vec![local]].concat(),
            Origin::Address(addr) => vec![self.one_source(addr, iif)?],
        };
        if sources.is_empty() {
            Err(AskError::NoSources)
        } else {
            Ok(sources)
        }
    }

    fn one_source(&mut self, addr: IpAddr, iif: Option<u32>) -> Result<Source, AskError> {
        if Family::of(addr) != self.family() {
            return Err(AskError::Families(addr));
        }
        let addrs = Ranges::one(addr_bits(addr));
        if self.host.is_own(addr) && iif.is_none() {
            return Ok(Source {
                from: From::Local,
                iif: None,
                addrs,
                unbound: false,
            });
        }
        let is_pod = self
            .question
            .pod_ranges
            .iter()
            .any(|range| range.contains(addr));
        let from = if is_pod { From::Pod } else { From::Outside };
        let iif = match iif {
            Some(iif) => Some(iif),
            None => self.back(&addrs).into_iter().next().map(|(link, _)| link),
        };
        let iif = iif.ok_or(AskError::NoWayBack(addr))?;
        Ok(Source {
            from,
            iif: Some(iif),
            addrs,
            unbound: false,
        })
    }

    /// Addresses by the link that leads to them; those that nothing leads to are left out.
    fn back(&mut self, addrs: &Ranges) -> Vec<(u32, Ranges)> {
        let mut by_link: Vec<(u32, Ranges)> = Vec::new();
        let state = self.first_packet(addrs.clone(), Fact::Client, None);
        let key = Key {
            dst: Fact::Client,
            src: None,
            iif: None,
            oif: None,
            mark: 0,
            proto: None,
            ports: None,
        };
        for (state, found) in self.fib_lookup(state, &key) {
            let Found::Route(route, Some(hop)) = found else {
                continue;
            };
            let (RouteKind::Unicast, Some(link)) = (route.kind, hop.link) else {
                continue;
            };
            match by_link.iter_mut().find(|(known, _)| *known == link) {
                Some((_, addrs)) => *addrs = addrs.or(&state.addr),
                None => by_link.push((link, state.addr)),
            }
        }
        self.forks.clear();
        by_link.sort_by_key(|(link, _)| *link);
        by_link
    }

    /// Addresses that a client may have at all: unicast ones that are not this host's.
    fn possible(&self) -> Ranges {
        let family = self.family();
        let own = self
            .host
            .addresses
            .iter()
            .filter(|a| Family::of(a.addr) == family);
        let own = own.map(|a| (addr_bits(a.addr), addr_bits(a.addr)));
        let never: &[&str] = match family {
            Family::V4 => &["0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4"],
            Family::V6 => &["::/128", "::1/128", "ff00::/8", "::ffff:0:0/96"],
        };
        let never = never.iter().filter_map(|text| text.parse::<Prefix>().ok());
        let never = never.map(|prefix| (prefix.first(), prefix.last()));
        // The first and the last address of a network on a link belong to nobody.
        let wide = self.host.addresses.iter().map(|a| a.prefix);
        let wide =
            wide.filter(|p| p.family() == Family::V4 && family == Family::V4 && p.len() < 31);
        let ends = wide.flat_map(|p| [(p.first(), p.first()), (p.last(), p.last())]);
        Ranges::of(own.chain(never).chain(ends).collect()).not(family.max())
    }

    fn pod_addrs(&self) -> Ranges {
        let family = self.family();
        let ranges = self
            .question
            .pod_ranges
            .iter()
            .filter(|p| p.family() == family);
        Ranges::of(
            ranges
                .map(|prefix| (prefix.first(), prefix.last()))
                .collect(),
        )
    }

    fn outside(&mut self, iif: Option<u32>) -> Vec<Source> {
        let addrs = self.possible().minus(&self.pod_addrs());
        self.by_link(&addrs, iif, From::Outside)
    }

    fn pods(&mut self, iif: Option<u32>) -> Vec<Source> {
        let addrs = self.pod_addrs().and(&self.possible());
        if addrs.is_empty() {
            return Vec::new();
        }
        // Other nodes' pods come in over links that lead to everything else as well.
        let outside = self.outside(None);
        let mut sources = self.by_link(&addrs, iif, From::Pod);
        sources.retain(|source| !outside.iter().any(|other| other.iif == source.iif));
        sources
    }

    fn by_link(&mut self, addrs: &Ranges, iif: Option<u32>, from: From) -> Vec<Source> {
        let loopback = self.loopback();
        let links = self.back(addrs).into_iter();
        let wanted = links.filter(|(link, _)| *link != loopback && iif.is_none_or(|i| i == *link));
        let source = |(link, addrs)| Source {
            from,
            iif: Some(link),
            addrs,
            unbound: false,
        };
        wanted.map(source).collect()
    }

    /// The first packet of a connection from these addresses.
    fn first_packet(&self, addr: Ranges, src: Fact, iif: Option<u32>) -> State {
        let question = &self.question;
        let (first, last) = match (question.sport, iif) {
            (Some(port), _) => (port, port),
            (None, Some(_)) => (1024, u16::MAX),
            (None, None) => self.host.sysctls.ephemeral_ports(),
        };
        State {
            family: self.family(),
            addr,
            port: Ranges::span(first.into(), last.into()),
            packet: Packet {
                kind: Kind::First,
                proto: question.proto,
                src,
                dst: Fact::Known(addr_bits(question.to.addr)),
                sport: Fact::Client,
                dport: Fact::Known(question.to.port.into()),
                mark: 0,
                iif,
                oif: None,
                way: None,
                device: None,
                user: if iif.is_some() {
                    User::Nobody
                } else {
                    User::Client
                },
                from_wire: iif.is_some(),
            },
            tracking: Tracking::None,
            reply: false,
            conn: None,
            slots: Vec::new(),
            half_open: false,
            added: None,
            trail: None,
            choices: None,
        }
    }

    /// The ends of connections from a source.
    pub(crate) fn follow(&mut self, source: &Source) -> Vec<End> {
        let Some(iif) = source.iif else {
            return self.follow_local(source);
        };
        let mut state = self.first_packet(source.addrs.clone(), Fact::Client, Some(iif));
        let did = crate::answer::Did::Arrives {
            iif: self.link_name(iif),
        };
        state.note(crate::answer::Stage::Start, None, did);
        let entry = Entry {
            iif: Some(iif),
            source: Fact::Client,
            way: None,
        };
        let (mut ends, state) = self.past_gaps(state, Some(iif));
        ends.extend(self.connect(state, entry));
        ends
    }

    /// A process here: the kernel routes once to pick a source, and again with it
    /// (route.h, ip_route_connect).
    fn follow_local(&mut self, source: &Source) -> Vec<End> {
        let bound = (!source.unbound).then(|| source.addrs.clone());
        let addrs = bound.clone().unwrap_or_else(|| Ranges::one(0));
        let state = self.first_packet(addrs, Fact::Client, None);
        let mut key = Key {
            dst: state.packet.dst.clone(),
            src: bound.is_some().then_some(Fact::Client),
            iif: None,
            oif: None,
            mark: 0,
            proto: Some(state.packet.proto),
            ports: Some((Fact::Client, state.packet.dport.clone())),
        };
        let mut ends = Vec::new();
        for (mut state, way) in self.route_out(state, &key) {
            let way = match way {
                Ok(way) => way,
                // IPv6 picks a source all the same and asks again with it
                // (ip6_output.c, ip6_dst_lookup_tail).
                Err(cause) if bound.is_none() && self.family() == Family::V6 => {
                    ends.extend(self.follow_again(state, &key, cause));
                    continue;
                }
                Err(cause) => {
                    Self::stopped(state, cause, &mut ends);
                    continue;
                }
            };
            if bound.is_some() {
                ends.extend(self.sent(state, way));
                continue;
            }
            let Some(source) = way.source else {
                Self::stopped(state, Cause::NoRoute, &mut ends);
                continue;
            };
            state.addr = Ranges::one(addr_bits(source));
            if self.family() == Family::V6 {
                ends.extend(self.sent(state, way));
                continue;
            }
            key.src = Some(Fact::Client);
            for (state, way) in self.route_out(state, &key) {
                match way {
                    Ok(way) => ends.extend(self.sent(state, way)),
                    Err(cause) => Self::stopped(state, cause, &mut ends),
                }
            }
        }
        ends
    }

    fn follow_again(&mut self, mut state: State, key: &Key, cause: Cause) -> Vec<End> {
        let mut ends = Vec::new();
        let Some(source) = self.select_source_v6(None, self.question.to.addr) else {
            Self::stopped(state, cause, &mut ends);
            return ends;
        };
        state.addr = Ranges::one(addr_bits(source));
        let key = Key {
            src: Some(Fact::Client),
            ..key.clone()
        };
        for (state, way) in self.route_out(state, &key) {
            match way {
                Ok(way) => ends.extend(self.sent(state, way)),
                Err(cause) => Self::stopped(state, cause, &mut ends),
            }
        }
        ends
    }

    fn stopped(mut state: State, cause: Cause, ends: &mut Vec<End>) {
        use crate::answer::{Did, Stage};
        state.note(Stage::Start, None, Did::Sent { source: None });
        state.note(Stage::Routing, None, Did::Stops(cause.clone()));
        ends.push(End::no_way(state, cause));
    }

    fn sent(&mut self, mut state: State, way: crate::packet::Way) -> Vec<End> {
        use crate::answer::{Did, Stage};
        let source = state.ip(&Fact::Client);
        state.note(Stage::Start, None, Did::Sent { source });
        self.note_way(&mut state, &way);
        let oif = way.oif;
        state.packet.way = Some(way.clone());
        let entry = Entry {
            iif: None,
            source: Fact::Client,
            way: Some(way),
        };
        let (mut ends, state) = self.past_gaps(state, Some(oif));
        ends.extend(self.connect(state, entry));
        ends
    }

    /// What is not known of the host as a whole makes every end uncertain.
    fn past_gaps(&mut self, mut state: State, link: Option<u32>) -> (Vec<End>, State) {
        let (host, mut ends) = (self.host, Vec::new());
        let name = link.map(|link| self.link_name(link));
        for gap in &host.gaps {
            let touches = match gap.kind {
                GapKind::Rules | GapKind::Routing => true,
                GapKind::Bypass => gap.device.is_none() || gap.device.as_deref() == name.as_deref(),
                GapKind::Sockets | GapKind::Names | GapKind::Input => false,
            };
            if touches {
                let fork = self.new_fork(Fork::Gap(gap.what.as_str().into()));
                let mut unknown = state.clone();
                unknown.choose(fork, 1);
                ends.push(End::unknown(unknown, gap.what.as_str().into()));
                state.choose(fork, 0);
            }
        }
        (ends, state)
    }
}
