//! Names and texts that others choose, all the way: through the readers of files, into the
//! page, the terminal, and a shell that a proposed command is pasted into.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::served::{Page, berth};

/// As far as a name of a chain may go in a save: no blank, no quote.
const CHAIN: &str = "x$(touch${IFS}pwned)`touch${IFS}pwned`;touch${IFS}pwned;<script>&amp;\u{202e}";
const TEXT: &str =
    "</title><script>alert(1)</script><img/src=x/onerror=alert(1)>'`$(rm)`\u{202e}\u{200b}";

/// A link, with quotes as well.
const LINK: &str = "e'\"$(touch${IFS}pwned)`touch${IFS}pwned`;touch${IFS}pwned;<b>\u{202e}";

/// Files of a host that means no good; they go with this.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("berth-hostile-{name}-{}", std::process::id());
        let folder = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(folder.0.join("manifests")).unwrap();
        fs::create_dir_all(folder.0.join("shell")).unwrap();
        let rules = format!(
            "*filter\n:INPUT ACCEPT [0:0]\n:{CHAIN} - [0:0]\n\
             -A INPUT -p tcp -m tcp --dport 80 -j {CHAIN}\n\
             -A {CHAIN} -p tcp -m comment --comment \"{}\" -j DROP\nCOMMIT\n",
            TEXT.replace('"', "")
        );
        let sockets = format!(
            "tcp LISTEN 0 5 0.0.0.0:80 0.0.0.0:* users:((\"{TEXT}\",pid=7,fd=3)) ino:1 sk:1 <->\n\
             tcp LISTEN 0 5 0.0.0.0:30001 0.0.0.0:* users:((\"a\u{1b}[2Jb\",pid=8,fd=3)) ino:2 sk:2 <->\n"
        );
        let service = format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {name}}}\n\
             spec:\n  type: NodePort\n  clusterIP: 10.0.0.1\n  ports:\n  - {{name: {name}, \
             port: 80, nodePort: 30001}}\n",
            name = Value::from(TEXT)
        );
        folder.write("rules", &rules);
        folder.write("sockets", &sockets);
        folder.write("manifests/service.yaml", &service);
        folder
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// The words that mean this host.
    fn host(&self) -> Vec<String> {
        let words = [
            "--rules",
            &self.path("rules"),
            "--sockets",
            &self.path("sockets"),
            "--manifests",
            &self.path("manifests"),
            "--address",
            &format!("192.0.2.1/24@{LINK}"),
            "--sysctl",
            "net.ipv4.ip_forward=1",
        ];
        words.map(str::to_owned).into()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn is_strange(c: char) -> bool {
    c != '\n' && c.is_control() || "\u{202e}\u{200b}".contains(c)
}

#[test]
fn every_byte_is_harmless_in_the_page() {
    let folder = Folder::new("page");
    let host = folder.host();
    let host: Vec<&str> = host.iter().map(String::as_str).collect();
    let page = Page::over(&host, &[]);
    let mut shown = 0;
    for path in [
        "/",
        "/scan?all",
        "/why?to=192.0.2.1:80",
        "/why?to=192.0.2.1:80&all",
        "/why?to=192.0.2.1:30001&in=%3Cscript%3E",
        "/why?to=%3C/title%3E%3Cscript%3Ealert(1)%3C/script%3E%E2%80%AE%00%1b",
        "/why?to=80&from=%22%3E%3Cimg+src=x%3E",
        "/%3Cscript%3E",
        "/explain/%3Cscript%3E",
    ] {
        let reply = page.get(path);
        for mark in ["<script", "<img", "</title><", "<b>'"] {
            assert!(!reply.body.contains(mark), "{path}: {mark}");
        }
        let strange = reply.body.chars().filter(|c| is_strange(*c)).count();
        assert_eq!(strange, 0, "{path}");
        shown += usize::from(reply.body.contains("&lt;script&gt;alert(1)"));
    }
    assert!(shown >= 4, "{shown}");
    let answer: Value = serde_json::from_str(&page.json("/").body).unwrap();
    let services = answer["ports"][1]["services"].as_array().unwrap();
    assert_eq!(*services, [format!("{TEXT}/{TEXT}:{TEXT}")]);
}

#[test]
fn every_byte_is_harmless_in_a_terminal_and_in_a_shell() {
    let folder = Folder::new("shell");
    let host = folder.host();
    let host: Vec<&str> = host.iter().map(String::as_str).collect();
    for question in ["192.0.2.1:80", "192.0.2.77:80", "192.0.2.1:30001"] {
        let words = ["why", question, "--from", "outside", "-v"];
        let told = berth(&words.iter().chain(&host).copied().collect::<Vec<_>>());
        let strange = told.chars().filter(|c| is_strange(*c)).count();
        assert_eq!(strange, 0, "{told}");
    }
    let words = ["scan", "--all"];
    let scan = berth(&words.iter().chain(&host).copied().collect::<Vec<_>>());
    assert_eq!(scan.chars().filter(|c| is_strange(*c)).count(), 0, "{scan}");
    let words = ["why", "192.0.2.77:80", "--from", "outside"];
    let told = berth(&words.iter().chain(&host).copied().collect::<Vec<_>>());
    let command = told.lines().find_map(|line| line.strip_prefix("check  "));
    let command = command.unwrap_or_else(|| panic!("no command in {told}"));
    let shell = folder.0.join("shell");
    let got = pasted(command, &shell);
    assert_eq!(got[..3], ["route", "get", "192.0.2.77"], "{command}");
    assert_eq!(got.last().unwrap(), LINK, "{command}");
    assert_eq!(fs::read_dir(shell).unwrap().count(), 0, "{command}");
}

/// What a program gets that a command pasted into a shell calls.
fn pasted(command: &str, folder: &Path) -> Vec<String> {
    let script = format!("ip() {{ printf '%s\\n' \"$@\"; }}\n{command}\n");
    let output = Command::new("bash")
        .args(["--norc", "-c", &script])
        .current_dir(folder)
        .output()
        .unwrap();
    let got = String::from_utf8(output.stdout).unwrap();
    got.lines().map(str::to_owned).collect()
}
