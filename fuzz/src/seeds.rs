//! What fuzzing starts from: the recorded data of the test kit, cut into small pieces, and the
//! corpus of this crate.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use host::dump::{Dump, section};
use serde_json::{Value, json};

use crate::frame;

/// The largest piece of a recorded file: small inputs are quick to run and to change.
const PIECE: usize = 4096;

/// Items of a list of JSON in one piece.
const ITEMS: usize = 12;

/// The inputs of a target: those of its folder in the corpus, then pieces of recorded data.
///
/// # Errors
/// Where a file of the repository cannot be read.
pub fn of(target: &str) -> io::Result<Vec<Vec<u8>>> {
    let mut inputs = kept(target)?;
    inputs.extend(recorded(target.strip_prefix("way-").unwrap_or(target))?);
    Ok(inputs)
}

/// The inputs that fuzzing found and that were kept, by name.
///
/// # Errors
/// Where the folder of the target or a file in it cannot be read.
pub fn kept(target: &str) -> io::Result<Vec<Vec<u8>>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    files(&folder)?.iter().map(fs::read).collect()
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut paths = entries.collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// Pieces of what was recorded that the target named `reader` reads.
fn recorded(reader: &str) -> io::Result<Vec<Vec<u8>>> {
    let texts: &[&str] = match reader {
        "iptables-save" | "kind" => &["tables-save", "tables-save.txt"],
        "nft-list" => &["every.nft", "ruleset.txt"],
        "nft-json" => &["ruleset.json"],
        "ipset-save" => &["ipset-save"],
        "conntrack" => &["sockets.conntrack", "conntrack.txt"],
        "ss" => &["sockets.ss", "ss-ltnup.txt", "ss-tulpenOH.txt"],
        "ip-json" => &[
            "route.json",
            "rule.json",
            "link.json",
            "routes.links.json",
            "rules4.json",
        ],
        "sysctl" => &["sysctl.txt"],
        "manifest" => &["services.yaml", "nodes.yaml", "endpointslices.yaml"],
        _ => return wire(reader),
    };
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testkit/data");
    let mut inputs = blocks(reader)?;
    for path in below(&data)? {
        let name = path.to_string_lossy();
        if texts.iter().any(|ending| name.ends_with(ending)) {
            let file = fs::read(&path)?;
            match serde_json::from_slice(&file) {
                Ok(tree) => inputs.extend(items(&tree)),
                Err(_) => inputs.push(head(&file)),
            }
        }
    }
    Ok(inputs)
}

/// A list of JSON in pieces that are lists of the same kind.
fn items(tree: &Value) -> Vec<Vec<u8>> {
    let listed = &tree["nftables"];
    let list = tree
        .as_array()
        .or(listed.as_array())
        .map_or(&[][..], Vec::as_slice);
    let piece = |items: &[Value]| {
        let list = Value::from(items);
        let whole = if listed.is_array() {
            json!({ "nftables": list })
        } else {
            list
        };
        whole.to_string().into_bytes()
    };
    list.chunks(ITEMS).map(piece).collect()
}

/// The first lines of a text.
fn head(text: &[u8]) -> Vec<u8> {
    let head = &text[..text.len().min(PIECE)];
    let end = head.iter().rposition(|&byte| byte == b'\n');
    head[..end.map_or(head.len(), |end| end + 1)].to_vec()
}

fn below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in files(folder)? {
        if path.is_dir() {
            found.extend(below(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

/// Blocks of cases that bear the name of a reader, or the one of its kind there.
fn blocks(reader: &str) -> io::Result<Vec<Vec<u8>>> {
    let name = match reader {
        "nft-list" => "nft",
        "manifest" => "manifests",
        "sysctl" => "sysctls",
        other => other,
    };
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testkit/cases");
    let mut found = Vec::new();
    for path in files(&cases)? {
        let text = fs::read_to_string(path)?;
        let mut fences = text.split("\n```");
        let _ = fences.next();
        for fence in fences {
            let (kind, block) = fence.split_once('\n').unwrap_or_default();
            let block = head(block.as_bytes());
            if kind == name && !found.contains(&block) {
                found.push(block);
            }
        }
    }
    Ok(found)
}

/// Pieces of recorded snapshots.
fn wire(reader: &str) -> io::Result<Vec<Vec<u8>>> {
    let mut inputs = Vec::new();
    for name in ["every", "compat", "legacy", "routes", "sockets"] {
        let path = format!("../testkit/data/wire/{name}.snapshot");
        let file = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))?;
        let dump = Dump::from_bytes(&file).map_err(io::Error::other)?;
        match reader {
            "snapshot" => inputs.push(file),
            "wire-nft" => inputs.extend(rules(&dump)),
            "wire-legacy" => inputs.extend(sections(&dump, "legacy/")),
            "wire-route" => inputs.extend(pieces(&dump, "route/")),
            "wire-ipset" => inputs.extend(pieces(&dump, section::IPSET_LIST)),
            "wire-conntrack" => inputs.extend(pieces(&dump, section::CONNTRACK)),
            "wire-sockets" => inputs.extend(sections(&dump, section::SOCKETS)),
            "wire-lines" => {
                for name in [section::OWNERS, section::CGROUPS, section::IPSET_INDEX] {
                    inputs.extend(sections(&dump, name));
                }
            }
            _ => {}
        }
    }
    Ok(inputs)
}

fn sections(dump: &Dump, start: &str) -> Vec<Vec<u8>> {
    let of_start = dump
        .sections
        .iter()
        .filter(|(name, _)| name.starts_with(start));
    of_start.map(|(_, bytes)| bytes.clone()).collect()
}

/// Rules and elements a few at a time, each time with all tables, chains and sets.
fn rules(dump: &Dump) -> Vec<Vec<u8>> {
    let around = [section::NFT_TABLES, section::NFT_CHAINS, section::NFT_SETS];
    let around: Vec<u8> = around.map(|name| dump.section(name)).concat();
    let inner = [
        section::NFT_RULES,
        section::NFT_ELEMENTS,
        section::NFT_OBJECTS,
    ];
    let inner = inner.iter().flat_map(|name| pieces(dump, name));
    inner
        .map(|piece| [around.clone(), piece].concat())
        .collect()
}

/// The messages of the sections with this start, as many as fit into a piece.
fn pieces(dump: &Dump, start: &str) -> Vec<Vec<u8>> {
    let all = sections(dump, start).concat();
    let mut rest = all.as_slice();
    let mut pieces = vec![Vec::new()];
    while !rest.is_empty() {
        let (message, after) = rest.split_at(frame::first(rest));
        if pieces
            .last()
            .is_some_and(|last| last.len() + message.len() > PIECE)
        {
            pieces.push(Vec::new());
        }
        if let Some(last) = pieces.last_mut() {
            last.extend_from_slice(message);
        }
        rest = after;
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}
