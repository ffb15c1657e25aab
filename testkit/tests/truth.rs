//! Random packets through random hosts end where the tracer says.
#![cfg(feature = "netns")]

use std::path::PathBuf;

use testkit::truth::campaign::Campaign;

#[test]
fn packets_end_where_they_were_foretold() {
    let campaign = Campaign {
        hosts: 500,
        packets: 20,
        seed: 1,
        jobs: 12,
        shrink: 2,
        cases: PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/truth")),
    };
    let summary = campaign.run(&|_| ());
    assert!(summary.is_true(), "{}", summary.text());
}
