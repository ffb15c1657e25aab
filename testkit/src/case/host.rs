//! The host that the blocks of a case describe.

use host::parse::{self, Input, Problem};
use host::{Address, Gap, GapKind, Given, Host, Language, Link};
use net::{Family, Prefix, Proto, ServiceName};
use service::Catalog;

use super::CaseError;
use super::file::{Block, Case, Kind};
use super::ip_rules::ip_rules;

/// A host put together from blocks, what is known of its cluster, and what was not understood.
#[derive(Debug, Default)]
pub struct CaseHost {
    /// The host.
    pub host: Host,
    /// Objects of the cluster.
    pub catalog: Catalog,
    /// Parts of the blocks that were skipped.
    pub problems: Vec<Problem>,
}

impl CaseHost {
    /// Puts the host of a case together; native rules are left out.
    ///
    /// # Errors
    /// Where a line that only people write is not understood.
    pub fn of(case: &Case) -> Result<Self, CaseError> {
        let mut read = Self::default();
        read.addresses(case)?;
        read.routing(case)?;
        let mut legacy_beside = Vec::new();
        for (kind, name) in [
            (Kind::LegacyIptables, "iptables-legacy-save"),
            (Kind::LegacyIp6tables, "ip6tables-legacy-save"),
            (Kind::Iptables, "iptables-save"),
            (Kind::Ip6tables, "ip6tables-save"),
        ] {
            for block in case.blocks(kind) {
                legacy_beside.extend(read.rules(name, block));
            }
        }
        let tables = &read.host.ruleset.tables;
        if !tables
            .iter()
            .any(|table| table.language == Language::Legacy)
        {
            read.host.gaps.extend(legacy_beside);
        }
        read.host.ruleset.tables.sort_by_key(|table| table.language);
        read.sockets(case)?;
        for block in case.blocks(Kind::Sysctls) {
            let (sysctls, problems) = parse::sysctls(input("sysctls", block));
            read.problems.extend(problems);
            for (name, value) in sysctls.iter() {
                read.host.sysctls.insert(name, value);
            }
        }
        for (_, text) in lines(case, Kind::Bypasses) {
            let (name, _) = text.split_once(": ").unwrap_or((text, ""));
            read.host.gaps.push(Gap {
                kind: GapKind::Bypass,
                what: text.to_owned(),
                device: name.split_once(" on ").map(|(_, device)| device.to_owned()),
            });
        }
        for block in case.blocks(Kind::Manifests) {
            let (objects, problems) = service::manifest::parse("manifests", &block.text);
            if let Some(problem) = problems.first() {
                return Err(CaseError::at(block.line, problem));
            }
            read.catalog = Catalog::new(&objects);
        }
        read.complete();
        Ok(read)
    }

    fn addresses(&mut self, case: &Case) -> Result<(), CaseError> {
        self.link("lo");
        for (line, text) in lines(case, Kind::Addresses) {
            let found = parse::address(text).map_err(|error| CaseError::at(line, error))?;
            let link = self.link(&found.link);
            let of_prefix = |a: &Address| a.link == link && a.prefix == found.prefix;
            let secondary = found.addr.is_ipv4() && self.host.addresses.iter().any(of_prefix);
            self.host.addresses.push(Address {
                link,
                addr: found.addr,
                prefix: found.prefix,
                peer: None,
                secondary,
                scope: 0,
            });
        }
        Ok(())
    }

    fn routing(&mut self, case: &Case) -> Result<(), CaseError> {
        for (line, text) in lines(case, Kind::Routes) {
            if let Some(name) = text.split_whitespace().skip_while(|w| *w != "dev").nth(1) {
                let _ = self.link(name);
            }
            let host = &self.host;
            let index_of = |name: &str| host.link_named(name).map(|link| link.index);
            let route = parse::route(text, index_of).map_err(|error| CaseError::at(line, error))?;
            self.host.routes.push(route);
        }
        for block in case.blocks(Kind::IpRules) {
            let rules = ip_rules(&block.text).map_err(|what| CaseError::at(block.line, what))?;
            self.host.routing_rules = rules;
        }
        Ok(())
    }

    /// Adds the tables of a save; returns what is missing unless legacy rules are given.
    fn rules(&mut self, name: &str, block: &Block) -> Option<Gap> {
        let (tables, save, problems) = parse::iptables_save(input(name, block));
        self.host.ruleset.tables.extend(tables);
        self.host.gaps.extend(save.gaps);
        self.problems.extend(problems);
        save.legacy_beside
    }

    fn sockets(&mut self, case: &Case) -> Result<(), CaseError> {
        for (line, text) in lines(case, Kind::Listen) {
            let socket = parse::listen(text).map_err(|error| CaseError::at(line, error))?;
            self.host.sockets.push(socket);
        }
        for block in case.blocks(Kind::Ss) {
            let host = &self.host;
            let index_of = |name: &str| host.link_named(name).map(|link| link.index);
            let (sockets, problems) = parse::ss(input("ss", block), index_of);
            self.problems.extend(problems);
            self.host.sockets.extend(sockets);
        }
        Ok(())
    }

    /// The index of a link, which comes to be where it was not named yet.
    fn link(&mut self, name: &str) -> u32 {
        if let Some(link) = self.host.link_named(name) {
            return link.index;
        }
        let count = u32::try_from(self.host.links.len()).expect("a case has few links");
        self.host.links.push(Link::named(count + 1, name));
        count + 1
    }

    /// Adds what the kernel adds by itself. There is no default route but one that was given.
    fn complete(&mut self) {
        let host = &mut self.host;
        let defaults: Vec<Prefix> = [Family::V4, Family::V6].map(Prefix::all).to_vec();
        let given: Vec<_> = host.routes.clone();
        // What was taken for granted is what a case leaves out on purpose.
        let _ = trace::complete(host);
        host.routes
            .retain(|route| !defaults.contains(&route.dst) || given.contains(route));
        host.given = Given {
            routing_rules: !host.routing_rules.is_empty(),
            ..Given::everything()
        };
        host.gaps.extend(self.problems.iter().map(|problem| Gap {
            kind: GapKind::Input,
            what: problem.to_string(),
            device: None,
        }));
    }
}

/// The lines of all blocks of a kind, with their numbers in the file.
fn lines(case: &Case, kind: Kind) -> Vec<(usize, &str)> {
    let of_block = |block: &Block| block.line + 1;
    let numbered = case
        .blocks(kind)
        .flat_map(|block| (of_block(block)..).zip(block.text.lines()));
    numbered
        .map(|(number, line)| (number, line.trim()))
        .filter(|(_, line)| !line.is_empty())
        .collect()
}

fn input<'a>(name: &'a str, block: &'a Block) -> Input<'a> {
    Input {
        name,
        text: block.text.as_bytes(),
    }
}

impl trace::Names for CaseHost {
    fn at_node_port(&self, proto: Proto, port: u16) -> Option<ServiceName> {
        let mut promises = self.catalog.at_node_port(proto, port);
        promises.next().map(|promise| promise.name.clone())
    }

    fn ready(&self, service: &ServiceName) -> Option<usize> {
        let promise = self.catalog.promise(service)?;
        Some(promise.backends.iter().filter(|b| b.is_ready).count())
    }

    /// Advice on ports is not a matter of cases.
    fn free_node_port(&self, _host: &Host, _proto: Proto) -> Option<u16> {
        None
    }
}
