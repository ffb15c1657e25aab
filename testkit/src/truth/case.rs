//! A host as a text that a reader can follow and a shell can repeat.

use std::fmt::Write as _;

use super::agree::{Agreement, describe};
use super::run::{Report, Tried};
use super::spec::HostSpec;

/// The host in the terms of its programs, then its packets with what was foretold and seen.
pub fn text(spec: &HostSpec, report: &Report) -> String {
    let mut text = format!("# Host of seed {}\n\n", spec.seed);
    for (name, value) in &spec.sysctls {
        let _ = writeln!(text, "sysctl -w {name}={value}");
    }
    for line in &spec.ip {
        let _ = writeln!(text, "ip {line}");
    }
    for listener in &spec.listeners {
        let _ = writeln!(text, "# listens: {listener}");
    }
    if !spec.ipsets.is_empty() {
        let _ = writeln!(text, "ipset restore <<'END'\n{}END", spec.ipset_text());
    }
    for load in spec.loads.iter().filter(|load| !load.tables.is_empty()) {
        let command = load.tool.restore().join(" ");
        let _ = writeln!(text, "{command} <<'END'\n{}END", load.text());
    }
    for tried in &report.tried {
        write_tried(&mut text, tried);
    }
    text
}

fn write_tried(text: &mut String, tried: &Tried) {
    let _ = writeln!(text, "\n# {}", tried.packet);
    let _ = writeln!(text, "#   seen      {}", describe(&tried.observed));
    match &tried.agreement {
        Agreement::Right => text.push_str("#   foretold  the same\n"),
        Agreement::OneOfSeveral => text.push_str("#   foretold  the same, among others\n"),
        Agreement::Unknown => {
            let _ = writeln!(text, "#   foretold  unknown: {}", gaps(tried).join("; "));
        }
        Agreement::Wrong(why) => {
            let _ = writeln!(text, "#   foretold  {why}");
            for step in steps(tried) {
                let _ = writeln!(text, "#             {step}");
            }
        }
    }
}

fn gaps(tried: &Tried) -> Vec<String> {
    tried
        .outcomes()
        .flat_map(|outcome| &outcome.gaps)
        .map(|gap| gap.what.clone())
        .collect()
}

fn steps(tried: &Tried) -> Vec<String> {
    tried
        .outcomes()
        .flat_map(|outcome| &outcome.steps)
        .map(|step| format!("{:?} {:?} {:?}", step.stage, step.rule, step.did))
        .collect()
}
