//! Input that is broken, contradicts itself or is not there: one line says what, where and
//! what to do, the rest still serves, and no answer is a guess.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A folder of its own for each test, gone when the test is over.
struct Dir(PathBuf);

impl Dir {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("berth-bad-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn with(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        fs::write(self.0.join(name), content).unwrap();
        self
    }

    /// Asks in the folder, for the port that a small host serves.
    fn why(&self, line: &str) -> Said {
        self.berth(&format!(
            "why 192.0.2.10:80 --from 192.0.2.7 --address 192.0.2.10/24@eth0 {line}"
        ))
    }

    fn berth(&self, line: &str) -> Said {
        let output = Command::new(env!("CARGO_BIN_EXE_berth"))
            .args(line.split(' '))
            .current_dir(&self.0)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said {
            status: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Said {
    status: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    /// Nothing but these lines on stderr, and no answer.
    fn is_refused(&self, err: &str) {
        assert_eq!((self.err.as_str(), self.out.as_str()), (err, ""));
        assert_eq!(self.status, Some(2));
    }

    /// These lines on stderr, and an answer that starts so.
    fn answers(&self, err: &str, out: &str, status: i32) {
        assert_eq!(self.err, err);
        assert!(self.out.starts_with(out), "{}", self.out);
        assert_eq!(self.status, Some(status), "{}", self.out);
    }
}

const WEB: &str = "--listen tcp/0.0.0.0:80=web";

fn save(rules: &str) -> String {
    format!("*filter\n:INPUT ACCEPT [0:0]\n:A - [0:0]\n{rules}COMMIT\n")
}

#[test]
fn a_cut_save_says_where_and_leaves_the_answer_open() {
    let cut = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -m comment --comment \"half";
    let dir = Dir::new("cut").with("rules", cut);
    dir.why(&format!("{WEB} --rules rules")).answers(
        "berth: a quote is not closed: the rule may do anything: rules line 3: `-A INPUT -m \
         comment --comment \"half`\n\
         berth: table filter is not complete, `COMMIT` is missing: was the file cut?: rules\n",
        "UNKNOWN: ",
        2,
    );
}

#[test]
fn what_other_programs_printed_may_be_cut_as_well() {
    let socket = "tcp LISTEN 0 128 0.0.0.0:81 0.0.0.0:* users:((\"x\",pid=7,";
    let dir = Dir::new("texts").with("ss", socket).with("ip", "[{\"a");
    dir.why("--sockets ss").answers(
        "berth: the last line has no end: was the file cut?: ss line 1\n",
        "UNKNOWN: ",
        2,
    );
    dir.why(&format!("{WEB} --ip-rules ip")).answers(
        "berth: text is no list as `ip -j` prints it, or was cut: EOF while parsing a string at \
         line 1 column 4: ip line 1\n",
        "UNKNOWN: text is no list as `ip -j` prints it",
        2,
    );
}

#[test]
fn a_binary_file_is_none_of_what_was_asked_for() {
    let dir = Dir::new("binary").with("file", [0, 1, 0xfe, 0xff, 0x1b, b'[', b'2', b'J', b'\n']);
    dir.why("--rules file").is_refused(
        "berth: why: cannot read file as rules: it is neither of iptables-save nor of nft list \
         ruleset\n",
    );
    dir.why("--snapshot file").is_refused(
        "berth: why: cannot read file: the first line is not that of a berth snapshot\n",
    );
    dir.why("--sockets file").answers(
        "berth: line is no socket: give what `ss -tulpen` prints: file line 1: \
         `\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}[2J`\n",
        "UNKNOWN: ",
        2,
    );
}

#[test]
fn an_empty_file_is_not_an_empty_host() {
    let dir = Dir::new("empty").with("file", "");
    let said = dir.why(&format!("{WEB} --rules file"));
    said.answers(
        "berth: file is empty, as iptables-save leaves it where there are no rules and where it \
         fails: taken for neither: file\n",
        "DELIVERED to web",
        0,
    );
    let assumed = "assumed there are no netfilter rules for IPv4: none were given";
    assert!(said.out.contains(assumed), "{}", said.out);
    for option in ["--sockets", "--addresses", "--ip-rules", "--sysctls"] {
        dir.why(&format!("{option} file")).answers(
            "berth: file is empty: did the command fail that wrote it?: file\n",
            "UNKNOWN: ",
            2,
        );
    }
}

#[test]
fn an_encoding_or_line_end_of_another_system_makes_no_difference() {
    let text = save("-A INPUT -p tcp --dport 80 -j DROP\n");
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let dir = Dir::new("encoding")
        .with("utf16", [&[0xff, 0xfe], utf16.as_slice()].concat())
        .with("bom", format!("\u{feff}{text}"))
        .with("crlf", text.replace('\n', "\r\n"));
    for file in ["utf16", "bom", "crlf"] {
        dir.why(&format!("{WEB} --rules {file}"))
            .answers("", "DROPPED in INPUT", 1);
    }
}

#[test]
fn a_rule_nobody_knows_leaves_only_its_packets_open() {
    let rule = "-A INPUT -p tcp -m nobody --knows 1 -j DROP\n";
    let dir = Dir::new("rule").with("rules", save(rule));
    let said = dir.why(&format!("{WEB} --rules rules"));
    assert!(said.out.starts_with("UNKNOWN: "), "{}", said.out);
    assert!(said.out.contains("nobody --knows 1"), "{}", said.out);
    assert_eq!(said.status, Some(2));
    let udp = dir.why("--udp --listen udp/0.0.0.0:80=web --rules rules");
    udp.answers("", "DELIVERED to web", 0);
}

#[test]
fn a_set_that_is_not_there_is_named() {
    let rule = "-A INPUT -m set --match-set blocked src -j DROP\n";
    let dir = Dir::new("set").with("rules", save(rule));
    dir.why(&format!("{WEB} --rules rules"))
        .answers("", "UNKNOWN: ipset blocked was not read", 2);
}

#[test]
fn of_two_rulesets_for_one_family_neither_is_believed() {
    let dir = Dir::new("two")
        .with("one", save(""))
        .with("two", save("-A INPUT -j DROP\n"));
    dir.why(&format!("{WEB} --rules one --rules two")).answers(
        "berth: table filter of IPv4 was in a file before this and was not taken: give only one \
         of the two: two\n",
        "UNKNOWN: table filter of IPv4 was in a file before this",
        2,
    );
    dir.why(&format!("{WEB} --rules one --rules one"))
        .answers("", "DELIVERED to web", 0);
}

#[test]
fn a_snapshot_that_is_newer_or_cut_says_so() {
    let cut = "{\"berth_snapshot\":1,\"sections\":[[\"sysctl\",9]],\"unread\":[]}\na = 1";
    let dir = Dir::new("snapshot")
        .with("newer", "{\"berth_snapshot\":99999999999}\n")
        .with("cut", cut);
    dir.why("--snapshot newer").is_refused(
        "berth: why: cannot read newer: snapshot format 99999999999 is newer than 1: use a newer \
         berth\n",
    );
    dir.why("--snapshot cut").is_refused(
        "berth: why: cannot read cut: the file ends 4 bytes early, in section sysctl: copy it \
         again\n",
    );
}

#[test]
fn a_target_that_is_no_address_says_how_to_write_one() {
    let dir = Dir::new("target");
    dir.berth("why db:5432").is_refused(
        "berth: why: `db` is no address, and names are not looked up: give ADDRESS:5432\n",
    );
    dir.berth("why 1.2.3.4:0").is_refused(
        "berth: why: cannot read the target `1.2.3.4:0`: give ADDRESS:PORT, [V6ADDRESS]:PORT, \
         localhost:PORT, :PORT, or `service NAMESPACE/NAME[:PORT]`\n",
    );
    dir.berth("why 1.2.3.4:80 --from 10.0.0.0/8 --address 1.2.3.4/8@eth0")
        .is_refused(
            "berth: why: cannot ask about all of 10.0.0.0/8: give --from one ADDRESS of it, such \
             as 10.0.0.0\n",
        );
}

#[test]
fn a_mapped_address_is_the_ipv4_address_it_stands_for() {
    let dir = Dir::new("mapped");
    let host = "--address 192.0.2.10/24@eth0 --listen tcp/0.0.0.0:80=web";
    dir.berth(&format!(
        "why [::ffff:192.0.2.10]:80 --from 192.0.2.7 {host}"
    ))
    .answers("", "DELIVERED to web", 0);
}

#[test]
fn another_namespace_cannot_be_asked_about_files() {
    let said = Dir::new("netns").why("--netns 1");
    assert!(said.err.contains("cannot be used with"), "{}", said.err);
    assert_eq!((said.out.as_str(), said.status), ("", Some(2)));
}

#[test]
fn chains_that_call_each_other_end_and_thousands_of_ways_do_too() {
    let mut many = String::new();
    for (chain, next) in (0..40).zip(1..) {
        let call = format!("-A C{chain} -j C{next}\n");
        let _ = write!(many, ":C{chain} - [0:0]\n{call}{call}");
    }
    let dir = Dir::new("loop")
        .with("loop", save("-A INPUT -j A\n-A A -j A\n"))
        .with("ways", save(&format!("{many}-A INPUT -j C0\n")));
    for file in ["loop", "ways"] {
        dir.why(&format!("{WEB} --rules {file}"))
            .answers("", "UNKNOWN: ", 2);
    }
}

#[test]
fn a_manifest_that_cannot_be_read_does_not_cost_the_others() {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\n\
                   spec: {clusterIP: 10.96.0.9, ports: [{port: 80}]}\n";
    let dir = Dir::new("manifests").with("good.yaml", service);
    for (target, link) in [("gone", "gone.yaml"), (".", "again")] {
        std::os::unix::fs::symlink(target, dir.0.join(link)).unwrap();
    }
    let said = dir.why("--listen tcp/0.0.0.0:80=web --manifests .");
    said.answers(
        "berth: cannot read ./gone.yaml: No such file or directory (os error 2): left out\n",
        "DELIVERED to web",
        0,
    );
    let service = dir.berth("why service shop/web --address 192.0.2.10/24@eth0 --manifests .");
    let remark = "asking about 10.96.0.9:80, cluster address of shop/web";
    assert!(service.err.contains(remark), "{}", service.err);
}

#[test]
fn names_that_others_chose_leave_the_terminal_alone() {
    let rule = "-A INPUT -p tcp -m comment --comment \"\u{1b}[2J\u{202e}$(reboot)\" -j DROP\n";
    let dir = Dir::new("names").with("rules", save(rule));
    let said = dir.why("--listen tcp/0.0.0.0:80=\u{1b}[31m\u{202e}x --rules rules -v");
    assert_eq!(said.status, Some(1));
    let is_harmful = |c: char| c == '\u{202e}' || (c.is_control() && c != '\n');
    assert!(!said.out.contains(is_harmful), "{:?}", said.out);
    assert!(!said.err.contains(is_harmful), "{:?}", said.err);
}

#[test]
fn what_has_no_meaning_for_a_client_is_not_passed_over() {
    let dir = Dir::new("client");
    let ask = |line: &str| {
        dir.berth(&format!(
            "why 192.0.2.10:80 --address 192.0.2.10/24@eth0 {WEB} {line}"
        ))
    };
    ask("--from local --in eth0").is_refused(
        "berth: why: a client on this host comes in on no interface: leave out --in, or --from\n",
    );
    for from in ["local", "192.0.2.10"] {
        ask(&format!("--mac 02:00:00:00:00:01 --from {from}")).is_refused(
            "berth: why: a client on this host has no link-layer address: leave out --mac, or \
             --from\n",
        );
    }
    for from in ["outside", "192.0.2.7"] {
        ask(&format!("--uid 1000 --from {from}")).is_refused(
            "berth: why: --uid is of a client on this host: leave it out, or give --from local\n",
        );
    }
    for line in [
        "--uid 1000 --from local",
        "--in eth0 --mac 02:00:00:00:00:01 --from 192.0.2.7",
        "--uid 1000 --mac 02:00:00:00:00:01",
    ] {
        ask(line).answers("", "DELIVERED to web", 0);
    }
}

#[test]
fn a_setting_that_is_none_is_refused() {
    let dir = Dir::new("setting");
    dir.why("--sysctl x=banana").is_refused(
        "berth: why: cannot read --sysctl `x=banana`: give its whole NAME, such as \
         net.ipv4.ip_forward\n",
    );
    dir.why("--sysctl net.ipv4.icmp_ratelimit=banana").is_refused(
        "berth: why: cannot read --sysctl `net.ipv4.icmp_ratelimit=banana`: its value must be a \
         number\n",
    );
    dir.why("--proto icmp").is_refused(
        "berth: invalid value 'icmp' for '--proto <PROTOCOL>': icmp has no ports: give tcp, udp, \
         sctp, dccp or udplite: see berth --help\n",
    );
}

#[test]
fn rules_beside_a_snapshot_take_the_place_of_its_own_and_that_is_said() {
    let empty = "{\"berth_snapshot\":1,\"sections\":[],\"unread\":[]}\n";
    let dir = Dir::new("beside")
        .with("node", empty)
        .with("rules", save("-A INPUT -p tcp --dport 80 -j DROP\n"));
    dir.why(&format!("{WEB} --snapshot node --rules rules"))
        .answers(
            "berth: the host is that of node with the parts that were given beside it\n",
            "DROPPED in INPUT",
            1,
        );
}

#[test]
fn what_is_wrong_in_a_listing_does_not_matter_where_a_save_has_the_table() {
    let listing = "table ip filter {\n\tchain INPUT {\n\t\ttype filter hook input priority 0; \
                   policy accept;\n\t\tnobody knows this\n\t}\n}\n";
    let headed = format!(
        "# Generated by iptables-save v1.8.9 (nf_tables) on Mon Jan  1 00:00:00 2024\n{}",
        save("")
    );
    let dir = Dir::new("superseded")
        .with("nft", listing)
        .with("save", headed);
    dir.why(&format!("{WEB} --rules nft --rules save"))
        .answers("", "DELIVERED to web", 0);
    let alone = dir.why(&format!("{WEB} --rules nft"));
    assert!(alone.err.contains("nft line 4"), "{}", alone.err);
}

#[test]
fn routing_rules_of_one_family_are_assumed_where_the_other_was_given() {
    let rules = "[{\"priority\":0,\"src\":\"all\",\"table\":\"local\"},\
                 {\"priority\":32766,\"src\":\"all\",\"table\":\"main\"},\
                 {\"priority\":32767,\"src\":\"all\",\"table\":\"default\"}]\n";
    let dir = Dir::new("ip-rules").with("rules", rules);
    let host = "--address 192.0.2.10/24@eth0 --address fd00::a/64@eth0 --listen tcp/[::]:80=web";
    let ask = |to: &str| dir.berth(&format!("why {to}:80 --from local {host} --ip-rules rules"));
    let assumed = "assumed the kernel's own routing rules for IPv6: none were given";
    let six = ask("[fd00::a]");
    assert!(six.out.contains(assumed), "{}{}", six.out, six.err);
    let four = ask("192.0.2.10");
    assert!(!four.out.contains("routing rules"), "{}", four.out);
}

#[test]
fn a_rule_of_any_length_makes_no_answer_of_that_length() {
    let rule = format!("-A INPUT -m nobody --knows {} -j DROP\n", "x".repeat(5000));
    let dir = Dir::new("long").with("rules", save(&rule));
    let said = dir.why(&format!("{WEB} --rules rules"));
    assert!(said.out.starts_with("UNKNOWN: "), "{}", said.out);
    assert!(said.out.len() < 2000, "{}", said.out.len());
    assert!(said.out.contains('…'));
}
