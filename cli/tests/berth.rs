//! The command as people call it: help, errors, exit status.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn berth(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_berth"))
        .args(words)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a misuse says on stderr; nothing is on stdout and the exit status is 2.
fn misuse(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let output = berth(&words);
    assert_eq!(output.status.code(), Some(2), "{line}");
    assert_eq!(text(&output.stdout), "", "{line}");
    text(&output.stderr)
}

/// Compares with a file of `tests/help`; `UPDATE_HELP=1` writes it instead.
#[expect(
    clippy::disallowed_methods,
    reason = "tests may be told to write what they expect"
)]
fn expect(name: &str, text: &str) {
    let file: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/help")
        .join(name);
    if std::env::var("UPDATE_HELP").is_ok() {
        std::fs::write(&file, text).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(expected == text, "{name} is now:\n{text}");
}

#[test]
fn help_is_as_reviewed() {
    for (name, words) in [
        ("berth.txt", vec!["--help"]),
        ("why.txt", vec!["why", "--help"]),
        ("snapshot.txt", vec!["snapshot", "--help"]),
        ("explain.txt", vec!["explain", "--help"]),
    ] {
        let output = berth(&words);
        assert_eq!(output.status.code(), Some(0), "{name}");
        expect(name, &text(&output.stdout));
    }
}

#[test]
fn an_unknown_word_is_misuse() {
    assert!(misuse("whx").contains("unrecognized subcommand 'whx'"));
}

#[test]
fn an_error_is_one_line() {
    assert_eq!(
        misuse("why db:5432"),
        "berth: why: `db` is no address, and names are not looked up: give ADDRESS:5432\n"
    );
    assert_eq!(
        misuse("why 10.0.0.1:80 --snapshot /no/such/file"),
        "berth: why: cannot read /no/such/file: No such file or directory (os error 2)\n"
    );
    assert_eq!(
        misuse("why service shop/web --listen tcp/0.0.0.0:80=x"),
        "berth: why: there is no Service shop/web among the manifests: give --manifests DIR, or \
         its ADDRESS:PORT\n"
    );
}

#[test]
fn a_file_that_is_no_snapshot_says_so() {
    assert_eq!(
        misuse("why 10.0.0.1:80 --snapshot Cargo.toml"),
        "berth: why: cannot read Cargo.toml: the first line is not that of a berth snapshot\n"
    );
}

#[test]
fn an_unknown_finding_points_to_the_list() {
    let said = misuse("explain no-such-finding-anywhere");
    assert!(said.contains("`berth explain` lists them all"), "{said}");
}

#[test]
fn the_schema_is_json() {
    let output = berth(&["schema"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).starts_with("{\n  \"$schema\""));
}

#[test]
fn a_reader_that_stops_listening_is_no_fault() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_berth"))
        .arg("schema")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stderr), "");
}
