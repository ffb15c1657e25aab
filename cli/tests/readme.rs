//! What the README shows of the command is what the command says.

use std::path::Path;
use std::process::Command;

/// The examples of a text: each command behind `$ berth `, and what it printed.
fn examples(text: &str) -> Vec<(String, String)> {
    let blocks = text.split("```text\n").skip(1);
    let of_block = |block: &str| {
        let block = block.split("\n```").next()?;
        let mut rest = block.strip_prefix("$ berth ")?.lines();
        let mut command = rest.next()?.to_owned();
        while let Some(open) = command.strip_suffix('\\') {
            command = format!("{open} {}", rest.next()?);
        }
        let printed: Vec<&str> = rest.collect();
        Some((command, printed.join("\n")))
    };
    blocks.filter_map(of_block).collect()
}

#[test]
fn a_command_may_go_on_in_the_next_line() {
    let text = "```text\n$ berth why \\\n    :80\nDELIVERED\n\n  eth0\n```\nmore\n";
    let found = examples(text);
    assert_eq!(found.len(), 1);
    let words: Vec<&str> = found[0].0.split_whitespace().collect();
    assert_eq!(words, ["why", ":80"]);
    assert_eq!(found[0].1, "DELIVERED\n\n  eth0");
}

#[test]
fn the_readmes_examples_print_what_it_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    for (command, printed) in examples(&readme) {
        let output = Command::new(env!("CARGO_BIN_EXE_berth"))
            .current_dir(root)
            .args(command.split_whitespace())
            .output()
            .unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        assert_eq!(told.trim_end(), printed.trim_end(), "berth {command}");
    }
}
