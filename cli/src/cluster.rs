//! What is known of the cluster: manifests, and the addresses of pods.

mod free;

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use host::xt::{MaskedAddr, Match, Target};
use host::{Chain, Host, Rule, RuleBody};
use net::{Family, Prefix, Proto, ServiceName};
use service::Catalog;
use service::api::Objects;

use crate::args::ClusterArgs;
use crate::{input, out};

/// Problems of manifests that are told one by one before the rest is counted.
const TOLD: usize = 20;

/// Objects of a cluster, to look up.
#[derive(Default)]
pub(crate) struct Cluster {
    pub(crate) catalog: Catalog,
    /// Pod ranges by the name of their node.
    node_ranges: Vec<(String, Vec<Prefix>)>,
    /// The place of each port in the list of its Service, from 0.
    places: BTreeMap<ServiceName, usize>,
}

/// Reads a folder of manifests; what does not parse is named on stderr and left out.
pub(crate) fn load(args: &ClusterArgs) -> anyhow::Result<Cluster> {
    let Some(dir) = &args.manifests else {
        return Ok(Cluster::default());
    };
    let mut files = Vec::new();
    list(dir, &mut files)
        .with_context(|| format!("cannot read the manifests in {}", dir.display()))?;
    let mut objects = Objects::default();
    let mut problems = Vec::new();
    for file in files {
        let bytes = match input::whole(&file, false) {
            Ok(bytes) => bytes,
            Err(error) => {
                out::say(&format!(
                    "cannot read {}: {error}: left out",
                    file.display()
                ));
                continue;
            }
        };
        let text = String::from_utf8_lossy(&bytes);
        let (found, wrong) = service::manifest::parse(&file.display().to_string(), &text);
        objects.append(found);
        problems.extend(wrong);
    }
    for problem in problems.iter().take(TOLD) {
        out::say(&problem.to_string());
    }
    if problems.len() > TOLD {
        let more = problems.len() - TOLD;
        out::say(&format!("{more} more problems in {}", dir.display()));
    }
    let of_node = |node: &service::api::Node| {
        let cidrs = node.spec.pod_cidrs.iter();
        let ranges = cidrs.filter_map(|cidr| cidr.parse().ok()).collect();
        (node.metadata.name.clone(), ranges)
    };
    Ok(Cluster {
        places: places(&objects),
        node_ranges: objects.nodes.iter().map(of_node).collect(),
        catalog: Catalog::new(&objects),
    })
}

/// All manifests below `dir`, by path; hidden files and folders are not read, and neither are
/// pipes and the like, nor folders that a link leads back to.
fn list(dir: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    list_below(dir, &mut Vec::new(), files)
}

fn list_below(
    dir: &Path,
    above: &mut Vec<PathBuf>,
    files: &mut Vec<PathBuf>,
) -> std::io::Result<()> {
    let place = fs::canonicalize(dir)?;
    if above.contains(&place) {
        return Ok(());
    }
    above.push(place);
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let extension = path.extension().unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        let is_manifest = ["yaml", "yml", "json"]
            .iter()
            .any(|known| extension == *known);
        if path.is_dir() {
            list_below(&path, above, files)?;
        } else if is_manifest && (path.is_file() || !path.exists()) {
            files.push(path);
        }
    }
    above.pop();
    Ok(())
}

impl Cluster {
    /// Addresses of the host's pods: as told, else by its Node, else by the range that the
    /// proxy's own rules name.
    pub(crate) fn pod_ranges(&self, args: &ClusterArgs, host: &Host) -> Vec<Prefix> {
        if !args.cluster_cidr.is_empty() {
            return args.cluster_cidr.clone();
        }
        let mine = self.node_ranges.iter().find(|(name, _)| *name == host.name);
        let only = match self.node_ranges.as_slice() {
            [one] => Some(one),
            _ => None,
        };
        match mine.or(only) {
            Some((_, ranges)) if !ranges.is_empty() => ranges.clone(),
            _ => by_rules(host),
        }
    }
}

impl trace::Names for Cluster {
    fn at_node_port(&self, proto: Proto, port: u16) -> Option<ServiceName> {
        let mut promises = self.catalog.at_node_port(proto, port);
        promises.next().map(|promise| promise.name.clone())
    }

    fn ready(&self, service: &ServiceName) -> Option<usize> {
        let promise = self.catalog.promise(service)?;
        Some(promise.backends.iter().filter(|b| b.is_ready).count())
    }

    fn free_node_port(&self, host: &Host, proto: Proto) -> Option<u16> {
        free::node_port(host, proto, &self.catalog.node_ports(proto))
    }

    fn port_index(&self, service: &ServiceName) -> Option<usize> {
        self.places.get(service).copied()
    }
}

/// Where each port of each Service stands; of Services with the same name the last counts.
fn places(objects: &Objects) -> BTreeMap<ServiceName, usize> {
    let mut places = BTreeMap::new();
    for service in &objects.services {
        for (i, port) in service.spec.ports.iter().enumerate() {
            let name = ServiceName {
                namespace: service.metadata.namespace.clone(),
                name: service.metadata.name.clone(),
                port: port.name.clone(),
            };
            let _ = places.insert(name, i);
        }
    }
    places
}

/// The range of the cluster's pods as kube-proxy's rules have it: `KUBE-SERVICES ! -s RANGE …
/// -j KUBE-MARK-MASQ` up to 1.20, `KUBE-SVC-… ! -s RANGE …` later, and in its nftables mode
/// `service-… ip saddr != RANGE jump mark-for-masquerade`.
fn by_rules(host: &Host) -> Vec<Prefix> {
    let tables = host.ruleset.tables.iter();
    let proxies = tables.filter(|table| table.name == "nat" || table.name == "kube-proxy");
    let is_ours = |chain: &&Chain| {
        let starts = ["KUBE-SVC-", "service-"];
        chain.name == "KUBE-SERVICES" || starts.iter().any(|start| chain.name.starts_with(start))
    };
    let rules = proxies
        .flat_map(|table| &table.chains)
        .filter(is_ours)
        .flat_map(|chain| &chain.rules);
    let mut ranges: Vec<Prefix> = Vec::new();
    for range in rules.flat_map(not_masqueraded) {
        if !ranges.contains(&range) {
            ranges.push(range);
        }
    }
    ranges
}

/// The sources that a rule does not mark for masquerading, where it marks all others.
fn not_masqueraded(rule: &Rule) -> Vec<Prefix> {
    match &rule.body {
        RuleBody::Xt(rule) => {
            let marks = matches!(&rule.target, Target::Jump(chain) if marks(chain));
            let sources = rule.matches.iter().filter_map(|test| match test {
                Match::Src(source) if marks && source.not => prefix(source.value),
                _ => None,
            });
            sources.collect()
        }
        // Rules of iptables-nft that were read from the kernel are such expressions.
        RuleBody::Nft(exprs) => {
            let line = host::print::exprs_line(exprs);
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            if !words.windows(2).any(|w| w[0] == "jump" && marks(w[1])) {
                return Vec::new();
            }
            let source = |words: &[&str]| match words {
                ["ip" | "ip6", "saddr", "!=", range] => in_words(range),
                _ => None,
            };
            words.windows(4).filter_map(source).collect()
        }
        RuleBody::Gap(_) => Vec::new(),
    }
}

/// Whether a chain of kube-proxy's marks packets for masquerading.
fn marks(chain: &str) -> bool {
    chain == "KUBE-MARK-MASQ" || chain == "mark-for-masquerade"
}

fn in_words(range: &str) -> Option<Prefix> {
    let one = |addr: IpAddr| Prefix::containing(addr, Family::of(addr).bits());
    range.parse().ok().or_else(|| range.parse().ok().map(one))
}

fn prefix(addr: MaskedAddr) -> Option<Prefix> {
    let width = u32::from(Family::of(addr.addr).bits());
    let mask = net::addr_bits(addr.mask);
    let ones = mask.count_ones();
    let is_prefix = ones + mask.trailing_zeros().min(width) == width || ones == 0;
    let len = u8::try_from(ones).ok()?;
    is_prefix.then(|| Prefix::containing(addr.addr, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_masks_that_are_prefixes_are_ranges() {
        let of = |addr: &str, mask: &str| {
            let (addr, mask) = (addr.parse().unwrap(), mask.parse().unwrap());
            prefix(MaskedAddr { addr, mask }).map(|p| p.to_string())
        };
        assert_eq!(
            of("10.52.0.0", "255.255.0.0").as_deref(),
            Some("10.52.0.0/16")
        );
        assert_eq!(
            of("10.52.0.1", "255.255.255.255").as_deref(),
            Some("10.52.0.1/32")
        );
        assert_eq!(of("10.0.0.1", "255.0.0.255"), None);
        assert_eq!(of("fd52::", "ffff:ffff::").as_deref(), Some("fd52::/32"));
    }
}
