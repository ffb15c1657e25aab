//! `berth demo` from start to end, and stopped in the middle: nothing of it is left.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};

use rustix::net::sockopt::set_socket_send_buffer_size;
use rustix::process::{Pid, Signal, kill_process};

/// Starts the demo. Its processes, and no others, have `mark` in their environment.
fn start(mark: &str, stdout: Stdio) -> Child {
    // Who starts the tests in the background of a script leaves them to ignore an interrupt.
    Command::new("env")
        .args(["--default-signal=INT", env!("CARGO_BIN_EXE_berth"), "demo"])
        .env("BERTH_TEST_MARK", mark)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Processes with the mark, as `PID COMM`.
fn processes(mark: &str) -> Vec<String> {
    let mark = format!("BERTH_TEST_MARK={mark}");
    let all = fs::read_dir("/proc").unwrap().flatten();
    let marked = all.filter(|entry| {
        let environ = fs::read(entry.path().join("environ")).unwrap_or_default();
        environ.split(|&b| b == 0).any(|var| var == mark.as_bytes())
    });
    let named = marked.map(|entry| {
        let comm = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        format!("{} {}", entry.file_name().display(), comm.trim())
    });
    named.collect()
}

/// Network namespaces that a mount keeps alive without a process.
fn mounted_namespaces() -> Vec<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let of_net = mounts.lines().filter(|line| line.contains("net:["));
    of_net.map(str::to_owned).collect()
}

#[test]
fn the_demo_goes_as_told_and_leaves_nothing() {
    let before = mounted_namespaces();
    let output = start("whole", Stdio::piped()).wait_with_output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{told}");
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_eq!(told.matches("the kernel agrees").count(), 3, "{told}");
    assert!(!told.contains('\u{1b}'), "styles in a pipe: {told}");
    assert_eq!(processes("whole"), Vec::<String>::new());
    assert_eq!(mounted_namespaces(), before);
}

#[test]
fn an_interrupt_in_the_middle_leaves_nothing() {
    let before = mounted_namespaces();
    // A socket that takes a page or so at a time: the demo waits while nobody reads on, and
    // cannot be over when the interrupt comes.
    let (ours, theirs) = UnixStream::pair().unwrap();
    set_socket_send_buffer_size(&theirs, 1).unwrap();
    let mut demo = start("half", OwnedFd::from(theirs).into());
    let mut told = BufReader::with_capacity(64, ours);
    let mut line = String::new();
    while !line.starts_with("── 2 ") {
        line.clear();
        assert_ne!(told.read_line(&mut line).unwrap(), 0, "no second act");
    }
    assert!(processes("half").len() >= 3, "{:?}", processes("half"));
    kill_process(Pid::from_child(&demo), Signal::INT).unwrap();
    let status = demo.wait().unwrap();
    // A shell reports this as 130.
    assert_eq!(status.signal(), Some(Signal::INT.as_raw()));
    // The servers have the same stderr: its end is theirs.
    let mut said = String::new();
    demo.stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(said, "");
    assert_eq!(processes("half"), Vec::<String>::new());
    assert_eq!(mounted_namespaces(), before);
}
