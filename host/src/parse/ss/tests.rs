//! What the reader of `ss` makes of real and of odd input.

use super::*;

fn read(text: &str) -> (Vec<Socket>, Vec<Problem>) {
    let input = Input {
        name: "ss.txt",
        text: text.as_bytes(),
    };
    ss(input, |name| (name == "d0").then_some(7))
}

/// Each socket in short.
fn sockets(text: &str) -> Vec<String> {
    let (sockets, problems) = read(text);
    assert_eq!(problems, []);
    sockets.iter().map(short).collect()
}

fn short(socket: &Socket) -> String {
    let v6_only = if socket.v6_only { " v6only" } else { "" };
    let device = socket.device.map(|index| format!(" device {index}"));
    let holder = socket.holder.as_ref();
    let holder = holder.map(|holder| format!(" {}({})", holder.name, holder.pid.unwrap_or(0)));
    format!(
        "{} {:?} {} {}{v6_only}{}{}",
        socket.proto,
        socket.state,
        socket.addr,
        socket.port,
        device.unwrap_or_default(),
        holder.unwrap_or_default()
    )
}

#[test]
fn columns_are_read_with_or_without_header_and_protocol() {
    let line = r#"LISTEN 0  128  127.0.0.1:81  0.0.0.0:*  users:(("webd",pid=9,fd=4))"#;
    let expected = ["tcp Listen 127.0.0.1 81 webd(9)"];
    assert_eq!(sockets(line), expected);
    assert_eq!(
        sockets(&format!("State Recv-Q Send-Q Local Address:Port\n{line}\n")),
        expected
    );
    assert_eq!(sockets(&format!("tcp   {line}")), expected);
    assert_eq!(
        sockets("UNCONN 0 0 0.0.0.0:53 0.0.0.0:*"),
        ["udp Unconnected 0.0.0.0 53"]
    );
}

#[test]
fn a_star_takes_both_families_and_brackets_one() {
    let text = "tcp LISTEN 0 128 *:82 *:*\n\
                tcp LISTEN 0 128 [::]:83 [::]:* ino:1 sk:9 cgroup:/ v6only:1 <->\n\
                tcp LISTEN 0 128 [::]:84 [::]:*\n\
                tcp LISTEN 0 128 *:85 *:* v6only:0 <->\n";
    assert_eq!(
        sockets(text),
        [
            "tcp Listen :: 82",
            "tcp Listen :: 83 v6only",
            "tcp Listen :: 84 v6only",
            "tcp Listen :: 85",
        ]
    );
}

#[test]
fn old_versions_mean_ipv4_by_a_star() {
    let text = "LISTEN 0 128 *:22 *:*\nLISTEN 0 128 :::22 :::*\nLISTEN 0 128 :::80 :::*\n";
    assert_eq!(
        sockets(text),
        [
            "tcp Listen 0.0.0.0 22",
            "tcp Listen :: 22 v6only",
            "tcp Listen :: 80",
        ]
    );
}

#[test]
fn a_device_stands_behind_the_address() {
    let text =
        "tcp LISTEN 0 128 [::]%d0:86 [::]:* v6only:1\ntcp LISTEN 0 128 192.0.2.1%d0:85 0.0.0.0:*\n";
    assert_eq!(
        sockets(text),
        [
            "tcp Listen :: 86 v6only device 7",
            "tcp Listen 192.0.2.1 85 device 7",
        ]
    );
    let (sockets, problems) = read("udp UNCONN 0 0 0.0.0.0%eth9:68 0.0.0.0:*");
    assert_eq!((sockets.len(), problems.len()), (0, 1));
}

#[test]
fn a_mapped_address_is_of_ipv4() {
    assert_eq!(
        sockets("udp UNCONN 0 0 [::ffff:127.0.0.1]:91 *:* v6only:0"),
        ["udp Unconnected 127.0.0.1 91"]
    );
}

#[test]
fn a_process_may_call_itself_anything() {
    let line = |name: &str| {
        format!(
            "tcp LISTEN 0 5 0.0.0.0:80 0.0.0.0:* users:((\"{name}\",pid=9,fd=11)) uid:33 ino:77 sk:2 cgroup:/system.slice/web.service <->"
        )
    };
    for name in ["a b\"(c", "x)),((y", "\",pid=1,fd=2", "ino:1 uid:0", ""] {
        let (sockets, problems) = read(&line(name));
        assert_eq!(problems, []);
        let holder = sockets[0].holder.clone().unwrap();
        assert_eq!((&*holder.name, holder.pid), (name, Some(9)));
        assert_eq!((sockets[0].uid, sockets[0].inode), (33, 77));
        assert_eq!(holder.unit.as_deref(), Some("web.service"));
    }
}

#[test]
fn of_several_holders_the_lowest_process_is_kept() {
    let text = r#"tcp LISTEN 0 5 0.0.0.0:80 0.0.0.0:* users:(("b",pid=30,fd=1),("a",pid=4,fd=1),("c",40,1))"#;
    assert_eq!(sockets(text), ["tcp Listen 0.0.0.0 80 a(4)"]);
}

#[test]
fn connections_have_a_peer_and_other_sockets_are_skipped() {
    let text = "nl UNCONN 0 0 4:10000 *\nu_str LISTEN 0 9 /run/x 1 * 0\n\
                tcp ESTAB 0 0 127.0.0.1:81 127.0.0.1:40282\n\
                \t cubic wscale:7,7\n\
                tcp TIME-WAIT 0 0 [fd00::1]:80 [fd00::2]:4000\n";
    let (sockets, problems) = read(text);
    assert_eq!(problems, []);
    assert_eq!(
        sockets.iter().map(|s| s.peer).collect::<Vec<_>>(),
        [
            Some(("127.0.0.1".parse().unwrap(), 40282)),
            Some(("fd00::2".parse().unwrap(), 4000)),
        ]
    );
}

#[test]
fn garbage_is_a_problem_and_the_rest_serves() {
    let (sockets, problems) = read(
        "what is this\n\u{0}\u{1}\nLISTEN 0 1 127.0.0.1:81 0.0.0.0:*\nLISTEN\nLISTEN 0 1 x:y z:%\ntcp LISTEN 0 1 %:: [\n",
    );
    assert_eq!((sockets.len(), problems.len()), (1, 5));
}

#[test]
fn a_whole_node_is_read() {
    let story = "../testkit/data/kube-proxy-1.20-story";
    let file = |name: &str| std::fs::read_to_string(format!("{story}/{name}")).unwrap();
    let short_form = sockets(&file("nft/after/ss-ltnup.txt"));
    let long_form = sockets(&file("nft/after/ss-tulpenOH.txt"));
    assert_eq!(short_form.len(), 22);
    assert_eq!(short_form, long_form);
    assert!(long_form.contains(&"tcp Listen 172.20.31.11 31083 second(23820)".to_owned()));
}
