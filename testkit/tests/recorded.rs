//! A node under kube-proxy 1.20.2, as recorded: what clients really saw is what is foretold
//! from the saved files.

use testkit::recorded::{LANGUAGES, STAGES, node, rows, wrongs};

#[test]
fn every_recorded_connection_ends_as_foretold_from_the_saved_files() {
    let rows = rows();
    let mut wrong = Vec::new();
    for rules in LANGUAGES {
        for stage in STAGES {
            wrong.extend(wrongs(&node(rules, stage), &rows, rules, stage));
        }
    }
    let (wrong, all) = (wrong.concat(), rows.len());
    assert!(wrong.is_empty(), "of {all} rows these are wrong:\n{wrong}");
}
