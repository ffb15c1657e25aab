//! Tests of protocols that nft makes by itself in front of what needs them, and leaves out
//! when it lists a rule.
//!
//! One is left out here only where loading the text puts it back at the same place.

use net::{Family, Proto};

use crate::TableFamily;
use crate::nft::{Header, PayloadBase};

/// A test of a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    Family(Family),
    Proto(Proto),
    Ether,
}

/// What a rule has tested of the packet's protocols.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known {
    pub(super) family: Option<Family>,
    pub(super) proto: Option<Proto>,
    pub(super) ether: bool,
}

impl Known {
    /// What is so of every packet that a table sees.
    pub(super) fn of_table(family: TableFamily) -> Self {
        let (family, ether) = match family {
            TableFamily::Ip => (Some(Family::V4), false),
            TableFamily::Ip6 => (Some(Family::V6), false),
            TableFamily::Inet | TableFamily::Netdev => (None, false),
            TableFamily::Arp | TableFamily::Bridge => (None, true),
        };
        Self {
            family,
            proto: None,
            ether,
        }
    }

    pub(super) fn learn(&mut self, test: Test) {
        match test {
            Test::Family(family) => self.family = Some(family),
            Test::Proto(proto) => self.proto = Some(proto),
            Test::Ether => self.ether = true,
        }
    }

    /// The tests that nft makes before it reads a field of a header, in their order.
    fn tests_for(mut self, headers: &[&Header]) -> Vec<Test> {
        let mut tests = Vec::new();
        for header in headers {
            let is_of_proto = header.proto.is_some() && header.proto == self.proto;
            let family = header.family.filter(|_| !is_of_proto).map(Test::Family);
            let proto = header.proto.map(Test::Proto);
            let ether = (header.base == PayloadBase::Link).then_some(Test::Ether);
            for test in [family, proto, ether].into_iter().flatten() {
                if !self.has(test) {
                    tests.push(test);
                    self.learn(test);
                }
            }
        }
        tests
    }

    fn has(self, test: Test) -> bool {
        match test {
            Test::Family(family) => self.family == Some(family),
            Test::Proto(proto) => self.proto == Some(proto),
            Test::Ether => self.ether,
        }
    }
}

/// Tests that were met and may not have to be said.
#[derive(Debug, Default)]
pub(super) struct Pending {
    tests: Vec<(Test, String)>,
    /// The headers that were read since the last statement.
    headers: Vec<&'static Header>,
}

impl Pending {
    pub(super) fn add(&mut self, test: Test, text: String) {
        self.tests.push((test, text));
    }

    /// A header is read by what is said next.
    pub(super) fn reads(&mut self, header: &'static Header) {
        self.headers.push(header);
    }

    /// Forgets what was read, so that each test is said.
    pub(super) fn say_all(&mut self) {
        self.headers.clear();
    }

    /// The tests that have to be said before the next statement; all are taken. `known` is
    /// what was known before them, absent where the table is not: then a test is left out
    /// where what is read tells it.
    pub(super) fn take(&mut self, known: Option<Known>) -> Vec<String> {
        let tests = std::mem::take(&mut self.tests);
        let headers = std::mem::take(&mut self.headers);
        let met: Vec<Test> = tests.iter().map(|(test, _)| *test).collect();
        let is_left_out = |from: usize| match known {
            Some(mut known) => {
                met[..from].iter().for_each(|test| known.learn(*test));
                known.tests_for(&headers) == met[from..]
            }
            None => met[from..].iter().all(|test| tells(&headers, *test)),
        };
        let said = (0..=met.len()).find(|&from| is_left_out(from));
        let said = said.unwrap_or(met.len());
        tests.into_iter().take(said).map(|(_, text)| text).collect()
    }
}

/// Whether the name of a header tells what a test says.
fn tells(headers: &[&Header], test: Test) -> bool {
    headers.iter().any(|header| match test {
        Test::Family(family) => header.family == Some(family),
        Test::Proto(proto) => header.proto == Some(proto),
        Test::Ether => header.base == PayloadBase::Link,
    })
}
