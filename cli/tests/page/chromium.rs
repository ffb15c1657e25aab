//! A real browser, told what to do over a pair of pipes: the DevTools protocol, one JSON
//! object behind the other, each with a zero byte at its end.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};

/// How a page is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    pub width: u32,
    pub is_dark: bool,
}

/// A browser without a window, and a tab of it; both end with this.
pub struct Browser {
    child: Child,
    folder: PathBuf,
    orders: File,
    events: BufReader<File>,
    last: u64,
    session: Option<String>,
}

impl Browser {
    pub fn start() -> Self {
        // Tests of one process run side by side.
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::SeqCst);
        let name = format!("berth-browser-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let pipe = |name: &str| {
            let path = folder.join(name);
            let mode = Mode::RUSR | Mode::WUSR;
            mknodat(CWD, &path, FileType::Fifo, mode, 0).unwrap();
            path
        };
        let (orders, events) = (pipe("orders"), pipe("events"));
        // The browser reads descriptor 3 and writes descriptor 4.
        let script = "exec chromium --headless --no-sandbox --disable-gpu --hide-scrollbars \
             --no-first-run --disable-dev-shm-usage --remote-debugging-pipe \
             --user-data-dir=\"$1/profile\" about:blank 3<\"$1/orders\" 4>\"$1/events\"";
        let child = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut browser = Self {
            orders: File::options().write(true).open(orders).unwrap(),
            events: BufReader::new(File::open(events).unwrap()),
            child,
            folder,
            last: 0,
            session: None,
        };
        let tab = browser.order("Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": tab["targetId"], "flatten": true});
        let attached = browser.order("Target.attachToTarget", &attach);
        browser.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page.enable", "DOM.enable", "Log.enable", "Network.enable"] {
            let _ = browser.order(domain, &json!({}));
        }
        // The page has to do without; nothing below asks the page to run any.
        let off = json!({"value": true});
        let _ = browser.order("Emulation.setScriptExecutionDisabled", &off);
        browser
    }

    /// Opens an address and waits until it is there with its style sheet. Gives what the
    /// browser complained about.
    pub fn open(&mut self, address: &str, look: Look) -> Vec<String> {
        let metrics = json!({"width": look.width, "height": 900, "deviceScaleFactor": 1,
            "mobile": look.width < 500});
        let _ = self.order("Emulation.setDeviceMetricsOverride", &metrics);
        let scheme = if look.is_dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        let _ = self.order("Emulation.setEmulatedMedia", &json!({"features": features}));
        let mut complaints = Vec::new();
        let id = self.send("Page.navigate", &json!({"url": address}));
        let (mut is_sent, mut is_loaded) = (false, false);
        while !(is_sent && is_loaded) {
            let event = self.next();
            is_sent |= event["id"] == id;
            match event["method"].as_str() {
                Some("Page.loadEventFired") => is_loaded = true,
                Some("Log.entryAdded") => {
                    complaints.push(event["params"]["entry"]["text"].to_string());
                }
                Some("Network.loadingFailed") => {
                    complaints.push(event["params"]["errorText"].to_string());
                }
                _ => {}
            }
        }
        complaints
    }

    /// The size of what is to be scrolled, in pixels of the page.
    pub fn size(&mut self) -> (f64, f64) {
        let metrics = self.order("Page.getLayoutMetrics", &json!({}));
        let size = &metrics["cssContentSize"];
        let of = |name: &str| size[name].as_f64().unwrap();
        (of("width"), of("height"))
    }

    /// What a screen reader is told, in order: role and name.
    pub fn heard(&mut self) -> Vec<(String, String)> {
        let tree = self.order("Accessibility.getFullAXTree", &json!({}));
        let nodes = tree["nodes"].as_array().unwrap().iter();
        let heard = nodes.filter(|node| node["ignored"] == false).map(|node| {
            let of = |name: &str| node[name]["value"].as_str().unwrap_or_default().to_owned();
            (of("role"), of("name"))
        });
        heard.collect()
    }

    /// The page as the browser holds it.
    pub fn dom(&mut self) -> String {
        let document = self.order("DOM.getDocument", &json!({}));
        let node = json!({"nodeId": document["root"]["nodeId"]});
        let html = self.order("DOM.getOuterHTML", &node);
        html["outerHTML"].as_str().unwrap().to_owned()
    }

    /// Keeps a picture of the whole page.
    pub fn picture(&mut self, path: &Path) {
        let (width, height) = self.size();
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
        let whole = json!({"captureBeyondViewport": true, "clip": clip});
        let shot = self.order("Page.captureScreenshot", &whole);
        fs::write(path, decoded(shot["data"].as_str().unwrap())).unwrap();
    }

    /// Colors and whatever else the style sheet comes to for the body.
    pub fn style_of_body(&mut self) -> Vec<(String, String)> {
        let _ = self.order("CSS.enable", &json!({}));
        let document = self.order("DOM.getDocument", &json!({}));
        let body = json!({"nodeId": document["root"]["nodeId"], "selector": "body"});
        let body = self.order("DOM.querySelector", &body);
        let node = json!({"nodeId": body["nodeId"]});
        let style = self.order("CSS.getComputedStyleForNode", &node);
        let all = style["computedStyle"].as_array().unwrap().iter();
        let of = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
        all.map(|one| (of(one, "name"), of(one, "value"))).collect()
    }

    /// Has something done, and waits for the answer.
    fn order(&mut self, method: &str, params: &Value) -> Value {
        let id = self.send(method, params);
        loop {
            let mut event = self.next();
            if event["id"] == id {
                assert!(event.get("error").is_none(), "{method}: {event}");
                return event["result"].take();
            }
        }
    }

    fn send(&mut self, method: &str, params: &Value) -> u64 {
        self.last += 1;
        let mut order = json!({"id": self.last, "method": method, "params": params});
        if let Some(session) = &self.session {
            order["sessionId"] = json!(session);
        }
        let mut bytes = order.to_string().into_bytes();
        bytes.push(0);
        self.orders.write_all(&bytes).unwrap();
        self.last
    }

    /// The next answer or event; the test ends where the browser does.
    fn next(&mut self) -> Value {
        let mut bytes = Vec::new();
        let _ = self.events.read_until(0, &mut bytes).unwrap();
        assert_eq!(bytes.pop(), Some(0), "the browser ended");
        serde_json::from_slice(&bytes).unwrap()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Base64, as the protocol sends pictures.
fn decoded(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        other => panic!("{other} is no digit"),
    };
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| *byte != b'=')
        .map(value)
        .collect();
    let whole = digits.chunks(4).flat_map(|part| {
        let bits = part.iter().enumerate();
        let bits = bits.fold(0_u32, |all, (i, digit)| {
            all | u32::from(*digit) << (18 - 6 * i)
        });
        bits.to_be_bytes()[1..part.len()].to_vec()
    });
    whole.collect()
}
