//! The server over real sockets.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::served::{EXAMPLE, Page, berth, root};

#[test]
fn every_view_is_served_and_says_of_itself_what_it_must() {
    let page = Page::of_example();
    for (path, said) in [
        ("/", "1 of 4 held ports loses traffic"),
        ("/scan", "1 of 4 listeners loses traffic"),
        ("/scan?all", "sshd"),
        ("/why", "Ask about a connection"),
        ("/why?to=192.168.77.1:30584", ">REFUSED</strong> in INPUT"),
        (
            "/why?to=192.168.77.1:30584&from=outside&all",
            "the kernel answers the client",
        ),
        (
            "/why?to=30584",
            "the address that the default route prefers",
        ),
        ("/explain", "nothing-listens"),
        ("/explain/nothing-listens", "Check by hand"),
        ("/style.css", "prefers-color-scheme: dark"),
    ] {
        let reply = page.get(path);
        assert_eq!(reply.status, 200, "{path}");
        assert!(reply.body.contains(said), "{path}: {}", reply.body);
        for (header, value) in [
            (
                "Content-Security-Policy",
                "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; \
                 frame-ancestors 'none'",
            ),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-store"),
        ] {
            assert_eq!(reply.header(header), Some(value), "{path}");
        }
    }
}

#[test]
fn the_same_addresses_give_the_json_of_the_commands() {
    let page = Page::of_example();
    let of = |words: &[&str]| {
        let words: Vec<&str> = words.iter().chain(&EXAMPLE).copied().collect();
        berth(&words)
    };
    let scan = of(&["scan", "--json"]);
    assert_eq!(page.json("/scan").body, scan);
    assert_eq!(page.json("/scan?all").body, scan);
    for (path, words) in [
        (
            "/why?to=192.168.77.1:30584",
            vec!["why", "192.168.77.1:30584"],
        ),
        ("/why?to=%3A68&proto=udp", vec!["why", ":68", "--udp"]),
        (
            "/why?to=192.168.77.1:22&from=192.168.77.9&in=eth0&sport=4000",
            vec![
                "why",
                "192.168.77.1:22",
                "--from",
                "192.168.77.9",
                "--in",
                "eth0",
                "--sport",
                "4000",
            ],
        ),
        (
            "/why?to=service+default/nginx&from=outside",
            vec!["why", "service", "default/nginx", "--from", "outside"],
        ),
    ] {
        let words: Vec<&str> = words.into_iter().chain(["--json"]).collect();
        assert_eq!(page.json(path).body, of(&words), "{path}");
    }
    let ports: Value = serde_json::from_str(&page.json("/").body).unwrap();
    assert_eq!(ports["ports"][3]["services"][0], "default/nginx:http");
    assert_eq!(ports["ports"][3]["fate"], "lost");
    let error: Value = serde_json::from_str(&page.json("/why?to=x").body).unwrap();
    assert!(
        error["error"]
            .as_str()
            .unwrap()
            .starts_with("cannot read the target `x`")
    );
}

#[test]
fn a_name_that_the_page_does_not_know_is_refused() {
    let page = Page::start(&["--host", "node-1.example"]);
    let of = |host: &str| page.raw(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    for known in ["localhost", "127.0.0.1:1", "[::1]:9", "NODE-1.example"] {
        assert_eq!(of(known).status, 200, "{known}");
    }
    for unknown in ["evil.example", "node-2.example:23784", "192.0.2.1"] {
        let reply = of(unknown);
        assert_eq!(reply.status, 421, "{unknown}");
        assert!(!reply.body.contains("sshd") && reply.body.contains("--host NAME"));
    }
    assert_eq!(page.raw("GET / HTTP/1.1\r\n\r\n").status, 400);
    assert_eq!(
        page.raw("GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .status,
        400
    );
}

#[test]
fn the_page_is_read_and_nothing_else() {
    let page = Page::of_example();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get"] {
        let reply = page.raw(&format!(
            "{method} / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\na=b"
        ));
        assert_eq!(reply.status, 405, "{method}");
        assert_eq!(reply.header("Allow"), Some("GET, HEAD"), "{method}");
    }
    let head = page.raw("HEAD /scan HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let length = page.get("/scan").body.len().to_string();
    assert_eq!(head.header("Content-Length"), Some(length.as_str()));
}

#[test]
fn what_cannot_be_answered_is_said_kindly() {
    let page = Page::of_example();
    for (path, status, said) in [
        ("/nowhere", 404, "There is no such page"),
        (
            "/explain/nothing-listen",
            404,
            "did you mean <code>nothing-listens</code>?",
        ),
        (
            "/why?to=db:5432",
            400,
            "names are not looked up: give ADDRESS:5432",
        ),
        (
            "/why?to=80&from=everybody",
            400,
            "cannot read --from <code>everybody</code>",
        ),
        (
            "/why?to=80&form=outside",
            400,
            "takes no <code>form</code> in its address",
        ),
        ("/why?to=80&proto=icmp", 400, "icmp has no ports"),
        ("/why?to=80&in=eth7", 400, "this host has no interface eth7"),
        ("/why?to=%zz", 400, "cannot read"),
        ("/?x", 400, "takes no <code>x</code>"),
    ] {
        let reply = page.get(path);
        assert_eq!(reply.status, status, "{path}");
        assert!(reply.body.contains(said), "{path}: {}", reply.body);
        assert!(reply.body.contains("<form"), "{path}");
    }
    // What was typed is still there.
    assert!(
        page.get("/why?to=db:5432")
            .body
            .contains("value=\"db:5432\"")
    );
    let mark = "\"><script>alert(1)</script>";
    let reply = page.get("/why?to=%22%3E%3Cscript%3Ealert(1)%3C/script%3E");
    assert_eq!(reply.status, 400);
    assert!(!reply.body.contains(mark) && reply.body.contains("&lt;script&gt;alert(1)"));
}

#[test]
fn what_is_no_request_or_too_long_a_one_is_refused() {
    let page = Page::of_example();
    let long = "a".repeat(40_000);
    let reply = page.raw(&format!(
        "GET /why?to={long} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    ));
    assert_eq!(reply.status, 431);
    let headers = "X: y\r\n".repeat(100);
    let reply = page.raw(&format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"
    ));
    assert_eq!(reply.status, 431);
    assert_eq!(page.raw("\u{16}\u{3}\u{1}\u{2}\r\n\r\n").status, 400);
    // Half a request that ends, and none at all.
    assert_eq!(page.raw("GET / HT").status, 400);
    let mut silent = page.connect();
    silent.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(silent.read_to_end(&mut Vec::new()).unwrap(), 0);
}

#[test]
fn clients_that_say_nothing_keep_nobody_waiting_for_long() {
    let page = Page::of_example();
    let silent: Vec<TcpStream> = (0..20).map(|_| page.connect()).collect();
    assert_eq!(page.get("/").status, 200);
    // More than there are places: the next is served when the first are told to go.
    let more: Vec<TcpStream> = (0..20).map(|_| page.connect()).collect();
    assert_eq!(page.get("/scan").status, 200);
    let mut told = String::new();
    let mut first = silent.into_iter().next().unwrap();
    let _ = first.read_to_string(&mut told).unwrap();
    assert!(told.starts_with("HTTP/1.1 408 "), "{told}");
    drop(more);
}

#[test]
fn a_signal_ends_it_cleanly() {
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let page = Page::of_example();
        assert_eq!(page.get("/").status, 200);
        assert_eq!(page.end(signal), Some(0));
    }
}

#[test]
fn a_port_that_is_taken_is_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_berth"))
        .current_dir(root())
        .args(["page", "--listen", &addr])
        .args(EXAMPLE)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let expected = format!(
        "berth: page: cannot listen on {addr}: choose another with --listen ADDRESS:PORT: Address \
         already in use (os error 98)\n"
    );
    assert_eq!(said, expected);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn this_host_is_read_anew_when_asked() {
    let page = Page::over(&[], &[]);
    let holds = |port: u16| {
        let ports: Value = serde_json::from_str(&page.json("/").body).unwrap();
        let all = ports["ports"].as_array().unwrap().clone();
        all.iter().any(|one| one["port"] == port)
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // A reading is good for a second; none is waited for, so that many are asked for.
    let (_sender, never) = std::sync::mpsc::channel::<()>();
    let is_seen = (0..100).any(|_| {
        let _ = never.recv_timeout(Duration::from_millis(100));
        holds(port)
    });
    assert!(is_seen, "port {port} is not on the map");
}

#[test]
fn many_who_ask_at_once_are_all_answered() {
    let page = Page::of_example();
    let whole = page.get("/").body;
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..24)
            .map(|_| {
                let whole = &whole;
                let page = &page;
                scope.spawn(move || assert_eq!(&page.get("/").body, whole))
            })
            .collect();
        for reader in readers {
            reader.join().unwrap();
        }
    });
    let mut slow = page.connect();
    for byte in b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" {
        slow.write_all(&[*byte]).unwrap();
    }
    let mut told = String::new();
    let _ = slow.read_to_string(&mut told).unwrap();
    assert!(told.starts_with("HTTP/1.1 200 OK"), "{told}");
}
