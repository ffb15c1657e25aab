//! `log`: written out as nft lists it, for no packet can tell what was logged.

use std::fmt::Write as _;

use super::expr::Args;

/// Levels of syslog, from the most urgent.
const LEVELS: [&str; 9] = [
    "emerg", "alert", "crit", "err", "warn", "notice", "info", "debug", "audit",
];

/// The level that is meant where none is written.
const WARN: u32 = 4;

/// The statement.
pub(super) fn text(args: &Args<'_>) -> String {
    const GROUP: u16 = 1;
    const PREFIX: u16 = 2;
    const SNAPLEN: u16 = 3;
    const THRESHOLD: u16 = 4;
    const LEVEL: u16 = 5;
    const FLAGS: u16 = 6;
    let mut log = String::from("log");
    if let Some(prefix) = args.text(PREFIX) {
        let _ = write!(log, " prefix \"{prefix}\"");
    }
    if let Some(group) = args.be16(GROUP) {
        let _ = write!(log, " group {group}");
        for (kind, word) in [(SNAPLEN, "snaplen"), (THRESHOLD, "queue-threshold")] {
            // The threshold has two bytes, the other four.
            let number = args.be32(kind).or_else(|| args.be16(kind).map(u32::from));
            if let Some(number) = number.filter(|&number| number != 0) {
                let _ = write!(log, " {word} {number}");
            }
        }
    }
    let level = args.be32(LEVEL).unwrap_or(WARN);
    if let Some(level) = LEVELS.get(level as usize).filter(|_| level != WARN) {
        let _ = write!(log, " level {level}");
    }
    log + &flags(args.be32(FLAGS).unwrap_or_default())
}

/// `NF_LOG_*` (nf_log.h).
fn flags(bits: u32) -> String {
    const ALL: u32 = 0x2f;
    if bits & ALL == ALL {
        return " flags all".to_owned();
    }
    let tcp = match bits & 3 {
        1 => " flags tcp sequence",
        2 => " flags tcp options",
        3 => " flags tcp sequence,options",
        _ => "",
    };
    let others = [
        (4, " flags ip options"),
        (8, " flags skuid"),
        (0x20, " flags ether"),
    ];
    let others = others.iter().filter(|(bit, _)| bits & bit != 0);
    others.fold(tcp.to_owned(), |text, (_, word)| text + word)
}
