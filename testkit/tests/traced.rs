//! The hosts of all cases in the running kernel: the way that it reports of a packet made there
//! is a foretold one.
#![cfg(feature = "netns")]
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::os::fd::AsFd as _;
use std::time::Duration;

use host::nftrace::{Wanted, way};
use host::{Hook, Host, wire};
use kernel::Held;
use kernel::nftrace::{Heard, Tracing};
use kernel::socket::Attempt;
use net::Proto;
use testkit::case::{Asked, Case, CaseHost, Folder};
use testkit::live::Live;
use trace::{Beside, Origin, Question};

const TABLE: &str = "berth-trace-case";
/// The first packet alone matters, and goes at once.
const PATIENCE: Duration = Duration::from_millis(50);

/// Sends a packet; what the kernel reports of it, and the port it came from.
fn traced(live: &Live, question: &Question, built_on: u32) -> Option<(u16, Heard)> {
    let held = Held::new().unwrap();
    let stop = held.as_fd();
    let (proto, to) = (question.proto, question.to);
    let send = || {
        let attempt = Attempt::prepare(proto, to, None, question.sport).ok()?;
        let port = attempt.port();
        let wanted = Wanted {
            hook: Hook::Output,
            proto,
            to,
            from: None,
            sport: Some(port),
            iif: None,
        };
        let tracing = Tracing::start(&wanted, TABLE, built_on).unwrap();
        // What it meets does not matter here.
        let _ = attempt.make(PATIENCE, stop);
        Some((port, tracing.stop().unwrap()))
    };
    live.inside(send).unwrap()
}

/// The way of a packet that a process on the host of a case sends to where the case asks;
/// nothing where no rule reports, or no such packet can be sent.
fn followed(case: &Case, live: &Live, host: &Host) -> Option<Beside> {
    let mut question = Asked::parse(&case.ask).unwrap().question;
    (question.origin, question.iif) = (Origin::Local, None);
    let has_socket = [Proto::TCP, Proto::UDP].contains(&question.proto);
    let built_on = host.ruleset.generation.filter(|_| has_socket)?;
    let (port, heard) = traced(live, &question, built_on)?;
    question.sport = Some(port);
    let way = way(&wire::reports(&heard.bytes), TABLE)?;
    let ways = trace::ways(host, &question).unwrap();
    let beside = trace::beside(host, &ways, &way.reports);
    (!heard.lost && !beside.taken.is_empty()).then_some(beside)
}

#[test]
fn the_kernel_takes_a_foretold_way_through_the_rules_of_every_case() {
    let (mut wrong, mut followed_to_the_end) = (Vec::new(), 0);
    for (name, file) in Folder::of_project().read() {
        for case in file.cases.iter().filter(|case| case.may_load()) {
            let text = CaseHost::of(case).unwrap();
            let live = case.load(&text).unwrap();
            let mut host = case.read_back(&text, &live).unwrap();
            let _ = trace::complete(&mut host);
            let Some(beside) = followed(case, &live, &host) else {
                continue;
            };
            followed_to_the_end += usize::from(beside.agrees == Some(true));
            if beside.agrees == Some(false) {
                wrong.push(format!("{name}:{} {beside:#?}\n", case.ask.line));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
    assert!(followed_to_the_end > 5, "{followed_to_the_end}");
}
