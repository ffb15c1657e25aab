//! Every view in a real browser: on a desk, on a phone, in the dark, without scripts.
//!
//! Pictures are kept in `target/page`, to be looked at.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::chromium::{Browser, Look};
use crate::served::{Page, root};

const DESK: Look = Look {
    width: 1200,
    is_dark: false,
};
const NIGHT: Look = Look {
    width: 1200,
    is_dark: true,
};
const PHONE: Look = Look {
    width: 360,
    is_dark: false,
};

/// A node as it was recorded, with many Services and several at odds with a process.
const RECORDED: [&str; 20] = [
    "--rules",
    "testkit/data/kube-proxy-1.20-story/nft/after/iptables-save.txt",
    "--rules",
    "testkit/data/kube-proxy-1.20-story/nft/after/ip6tables-save.txt",
    "--sockets",
    "testkit/data/kube-proxy-1.20-story/nft/after/ss-tulpenOH.txt",
    "--links",
    "testkit/data/kube-proxy-1.20-story/nft/ip-link.json",
    "--addresses",
    "testkit/data/kube-proxy-1.20-story/nft/ip-addr.json",
    "--routes",
    "testkit/data/kube-proxy-1.20-story/nft/ip-route.json",
    "--routes",
    "testkit/data/kube-proxy-1.20-story/nft/ip-6-route.json",
    "--ip-rules",
    "testkit/data/kube-proxy-1.20-story/nft/ip-rule.json",
    "--ip-rules",
    "testkit/data/kube-proxy-1.20-story/nft/ip-6-rule.json",
    "--sysctls",
    "testkit/data/kube-proxy-1.20-story/nft/sysctl.txt",
];

/// The views, and what their pictures are called.
const VIEWS: [(&str, &str); 10] = [
    ("ports", "/"),
    ("scan", "/scan"),
    ("scan-all", "/scan?all"),
    ("why-refused", "/why?to=172.20.31.10:31080"),
    (
        "why-every-step",
        "/why?to=172.20.31.10:31080&from=local&all",
    ),
    ("why-forwarded", "/why?to=10.107.20.81:80&from=outside"),
    ("ask", "/why"),
    ("findings", "/explain"),
    ("finding", "/explain/nodeport-shadows-listener"),
    ("problem", "/why?to=db:5432&from=outside"),
];

fn pictures() -> PathBuf {
    let folder = root().join("target/page");
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn every_view_fits_a_desk_a_phone_and_the_dark_without_a_script() {
    let page = Page::over(&RECORDED, &[]);
    let mut browser = Browser::start();
    for (name, path) in VIEWS {
        for (look, of) in [(DESK, "desk"), (NIGHT, "night"), (PHONE, "phone")] {
            let complaints = browser.open(&format!("{}{path}", page.base()), look);
            let is_error = |text: &&String| name != "problem" || !text.contains("400");
            let complaints: Vec<_> = complaints.iter().filter(is_error).collect();
            assert_eq!(complaints, Vec::<&String>::new(), "{name} {of}");
            let (width, _) = browser.size();
            assert!(
                width <= f64::from(look.width),
                "{name} {of} is {width} wide"
            );
            let style = browser.style_of_body();
            let paper = if look.is_dark {
                "rgb(19, 24, 26)"
            } else {
                "rgb(251, 250, 246)"
            };
            let is_paper =
                |(name, value): &(String, String)| name == "background-color" && value == paper;
            assert!(style.iter().any(is_paper), "{name} {of} lacks its style");
            let picture = pictures().join(format!("{name}-{of}.png"));
            browser.picture(&picture);
        }
    }
}

#[test]
fn the_browser_shows_the_ports_that_the_document_has() {
    let page = Page::over(&RECORDED, &[]);
    let document: Value = serde_json::from_str(&page.json("/").body).unwrap();
    let mut browser = Browser::start();
    for look in [DESK, PHONE] {
        let _ = browser.open(&page.base(), look);
        let heard = browser.heard();
        let of = |role: &str| -> Vec<&str> {
            let found = heard.iter().filter(|(known, _)| known == role);
            found.map(|(_, name)| name.as_str()).collect()
        };
        let rows = of("rowheader")
            .into_iter()
            .filter(|name| name.contains('/'));
        let ports = document["ports"].as_array().unwrap().iter();
        let ports: Vec<String> = ports
            .map(|port| format!("{}/{}", port["port"], port["protocol"].as_str().unwrap()))
            .collect();
        assert_eq!(rows.collect::<Vec<_>>(), ports);
        for role in [
            "main",
            "navigation",
            "banner",
            "contentinfo",
            "table",
            "form",
        ] {
            // A form without a name is none to a screen reader.
            let count = of(role).len();
            assert!(count == 1 || role == "form", "{role}: {count}");
        }
        for (role, name) in [
            ("textbox", "To"),
            ("textbox", "From"),
            ("combobox", "Protocol"),
        ] {
            let is_named = heard
                .iter()
                .any(|(r, n)| r.eq_ignore_ascii_case(role) && n == name);
            assert!(is_named, "{role} {name}: {heard:?}");
        }
        let lost = document["ports"].as_array().unwrap().iter();
        let lost = lost.filter(|port| port["fate"] == "lost").count();
        assert!(lost > 0, "the recorded node has a port at odds");
        let dom = browser.dom();
        assert_eq!(dom.matches("class=\"odds lost\"").count(), lost);
        assert_eq!(dom.matches("class=\"tick lost\"").count() % lost, 0);
    }
}

#[test]
fn the_browser_shows_the_answer_that_the_document_has() {
    let page = Page::over(&RECORDED, &[]);
    let path = "/why?to=172.20.31.10:31080&from=172.20.31.100";
    let document: Value = serde_json::from_str(&page.json(path).body).unwrap();
    let outcome = &document["answers"][0]["outcomes"][0];
    let finding = &document["answers"][0]["findings"][0];
    let last = usize::try_from(outcome["request_steps"].as_u64().unwrap()).unwrap();
    let rule = &outcome["steps"][last - 1];
    let mut browser = Browser::start();
    let _ = browser.open(&format!("{}{path}", page.base()), DESK);
    let heard = browser.heard();
    let said = |role: &str, text: &str| {
        let mut found = heard.iter().filter(|(known, _)| known == role);
        assert!(
            found.any(|(_, name)| name.contains(text)),
            "{role} {text}: {heard:?}"
        );
    };
    said(
        "heading",
        &outcome["verdict"].as_str().unwrap().to_uppercase(),
    );
    said("heading", finding["title"].as_str().unwrap());
    said("link", finding["code"].as_str().unwrap());
    said("StaticText", rule["text"].as_str().unwrap());
    said("StaticText", finding["check"].as_str().unwrap());
    said("image", "PREROUTING ─▶ routing ─▶ INPUT ─✗ REJECT");
}
