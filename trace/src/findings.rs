//! Named mistakes that an answer shows: each in a file of its own, with its text and its fix.

/// What the findings share.
mod common {
    pub(super) mod doc;
    pub(crate) mod sight;
    pub(super) mod words;
}

mod address_not_here;
mod forwarding_off;
mod host_firewall_takes_it;
mod host_port_before_listener;
mod icmp_errors_rate_limited;
mod listens_on_loopback_only;
mod listens_on_other_address;
mod local_policy_without_endpoint;
mod masquerade_port_collision;
mod nodeport_hijacks_listener;
mod nodeport_in_ephemeral_range;
mod nodeport_shadows_listener;
mod nothing_listens;
mod old_connections_survive;
mod outside_netfilter;
mod reply_cannot_return;
mod reverse_path_filter;
mod route_localnet_off;
mod service_without_endpoints;
mod source_ranges_exclude_client;
mod two_programs_translate_it;

#[cfg(test)]
pub(crate) mod tests;

use host::Host;
use net::{Proto, ServiceName};

use crate::answer::Answer;
use crate::question::Question;
use common::sight::Sight;

pub(crate) use common::sight;
pub(crate) use old_connections_survive::survivors;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Somebody loses traffic that is theirs.
    Error,
    /// Somebody may.
    Warning,
    /// Worth knowing.
    Note,
}

/// What to do about a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// In words.
    pub say: String,
    /// As a command that can be pasted; quoted by whoever shows it is not needed.
    pub command: Option<String>,
}

/// A named mistake, found in answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its name: kebab-case, the cause, never reused.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The cause in one line, in the user's words.
    pub title: String,
    /// The story behind it, a sentence each.
    pub why: Vec<String>,
    /// What to do.
    pub fix: Option<Fix>,
    /// A command that shows it without this program.
    pub check: Option<String>,
    /// The answers it explains, by number.
    pub answers: Vec<usize>,
}

/// The text of a finding, as `berth explain` prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FindingDoc {
    /// Its code.
    pub code: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// What the user sees.
    pub you_see: &'static str,
    /// How to check it by hand.
    pub check_by_hand: &'static str,
    /// How to put it right.
    pub put_it_right: &'static str,
}

/// What is known of Services beyond the rules, for those who name and advise.
pub trait Names {
    /// The Service that has this NodePort.
    fn at_node_port(&self, proto: Proto, port: u16) -> Option<ServiceName>;
    /// Ready endpoints of a Service, everywhere; absent where nobody knows.
    fn ready(&self, service: &ServiceName) -> Option<usize>;
    /// A NodePort that is free on this host and held by no Service.
    fn free_node_port(&self, host: &Host, proto: Proto) -> Option<u16>;
    /// The place of a port in the list of its Service, from 0; absent where nobody knows.
    fn port_index(&self, _service: &ServiceName) -> Option<usize> {
        None
    }
}

/// Lists findings by the names of their files.
macro_rules! list {
    ($($name:ident),+ $(,)?) => {
        /// The texts of all findings; the order in which findings equally bad are told.
        pub const FINDINGS: &[FindingDoc] = &[$($name::DOC),+];

        const TESTS: &[fn(&Sight<'_>) -> Option<Finding>] = &[$($name::find),+];
    };
}

list! {
    nodeport_shadows_listener,
    nodeport_hijacks_listener,
    host_port_before_listener,
    local_policy_without_endpoint,
    service_without_endpoints,
    source_ranges_exclude_client,
    host_firewall_takes_it,
    forwarding_off,
    reverse_path_filter,
    route_localnet_off,
    reply_cannot_return,
    listens_on_loopback_only,
    listens_on_other_address,
    nothing_listens,
    address_not_here,
    nodeport_in_ephemeral_range,
    two_programs_translate_it,
    outside_netfilter,
    masquerade_port_collision,
    old_connections_survive,
    icmp_errors_rate_limited,
}

/// Every finding that the answers show, the worst first.
///
/// Outcomes that show the same thing share a finding, which is worded after the first of them.
pub fn findings(
    host: &Host,
    question: &Question,
    answers: &[Answer],
    names: &dyn Names,
) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for test in TESTS {
        let sights = answers.iter().enumerate().flat_map(|(answer, whole)| {
            whole.outcomes.iter().map(move |outcome| Sight {
                host,
                question,
                answers,
                answer,
                outcome,
                names,
            })
        });
        for finding in sights.filter_map(|sight| test(&sight)) {
            add(&mut found, finding);
        }
    }
    found.sort_by_key(|finding| finding.severity);
    found
}

fn add(found: &mut Vec<Finding>, finding: Finding) {
    let known = found
        .iter_mut()
        .find(|known| known.code == finding.code && known.title == finding.title);
    let Some(known) = known else {
        found.push(finding);
        return;
    };
    for answer in finding.answers {
        if !known.answers.contains(&answer) {
            known.answers.push(answer);
        }
    }
}
