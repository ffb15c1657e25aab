//! `berth demo`: a port with two owners, on the real kernel, with nothing left behind.
//!
//! Three network namespaces stand for three computers. In each act something changes, the
//! client connects for real, and `berth why` is asked; an act fails where they disagree.

mod client;
mod foretell;
mod rules;
mod server;
mod tell;
mod user;
mod wait;
mod world;

use anyhow::{Context as _, ensure};
use clap::Parser as _;

use client::{Attempt, Connection, Seen};
use foretell::foretell;
use tell::Row;
use world::{CLIENT, TARGET, World};

use super::why;
use crate::args::{Args, Command};
use crate::out;

pub(crate) use server::serve;

/// Exit status of a demo that did not go as told.
const FAILED: u8 = 1;

/// Plays it, and gives the exit status.
pub(crate) fn run() -> u8 {
    match play() {
        Ok(()) => 0,
        Err(error) => {
            out::say(&format!("demo: {error:#}"));
            FAILED
        }
    }
}

fn play() -> anyhow::Result<()> {
    user::prepare()?;
    let world = World::new().context("cannot set the scene")?;
    rules::load(&world.node, rules::WITHOUT_SERVICE)?;
    tell::scene(&world)?;
    let (first, mut kept) = undisturbed(&world).context("act 1 failed")?;
    let second = refused(&world).context("act 2 failed")?;
    let third = hijacked(&world).context("act 3 failed")?;
    let fourth = kept_open(&world, &mut kept).context("act 4 failed")?;
    drop((kept, world));
    tell::ending(&[first, second, third, fourth])?;
    Ok(())
}

/// Act 1: a process listens, and a client gets it.
fn undisturbed(world: &World) -> anyhow::Result<(Row, Connection)> {
    tell::listening()?;
    let attempt = connect(world)?;
    tell::staying()?;
    let row = Row {
        when: "1  before the Service",
        got: "web",
        said: ask(world, &attempt.seen, &world.web.greeting().into(), None)?,
    };
    Ok((row, attempt.open.context("no connection stands")?))
}

/// Act 2: a Service without endpoints gets the same number.
fn refused(world: &World) -> anyhow::Result<Row> {
    rules::load(&world.node, rules::WITHOUT_ENDPOINT)?;
    tell::without_endpoint()?;
    let attempt = connect(world)?;
    tell::refusal()?;
    let refused = Seen::Error("ECONNREFUSED".to_owned());
    let code = Some("nodeport-shadows-listener");
    Ok(Row {
        when: "2  Service without endpoints",
        got: "ECONNREFUSED",
        said: ask(world, &attempt.seen, &refused, code)?,
    })
}

/// Act 3: the Service gets an endpoint.
fn hijacked(world: &World) -> anyhow::Result<Row> {
    rules::load(&world.node, rules::WITH_ENDPOINT)?;
    tell::with_endpoint()?;
    let attempt = connect(world)?;
    tell::hijack()?;
    let code = Some("nodeport-hijacks-listener");
    Ok(Row {
        when: "3  Service with an endpoint",
        got: "nginx",
        said: ask(world, &attempt.seen, &world.nginx.greeting().into(), code)?,
    })
}

/// Act 4: the connection of act 1 is where it was.
fn kept_open(world: &World, kept: &mut Connection) -> anyhow::Result<Row> {
    const LINE: &str = "are you still there?";
    const CODE: &str = "old-connections-survive";
    tell::old_connection(LINE)?;
    let (seen, took) = kept.say(LINE);
    tell::client(&seen, took)?;
    expect(&seen, &world.web.reply(LINE).into())?;
    foretell(world)?.names(CODE)?;
    tell::old_and_new(CODE)?;
    Ok(Row {
        when: "4  the one opened in act 1",
        got: "web",
        said: format!("note: {CODE}"),
    })
}

fn connect(world: &World) -> anyhow::Result<Attempt> {
    let attempt = client::connect(&world.client, TARGET)?;
    tell::client(&attempt.seen, attempt.took)?;
    Ok(attempt)
}

/// Prints the answer of `berth why`, holds what the client got against it and against the
/// story, and gives the verdict.
fn ask(world: &World, seen: &Seen, story: &Seen, code: Option<&str>) -> anyhow::Result<String> {
    why(world)?;
    let foretold = foretell(world)?;
    tell::agreement(&foretold, seen)?;
    expect(seen, story)?;
    foretold.came_true(seen)?;
    if let Some(code) = code {
        foretold.names(code)?;
    }
    Ok(foretold.verdict)
}

/// The command as a user of the node would call it.
fn why(world: &World) -> anyhow::Result<()> {
    let words = ["why", &TARGET.to_string(), "--from", &CLIENT.to_string()];
    tell::prompt(&words)?;
    let here = world::path(&world.node);
    let words = ["berth"].into_iter().chain(words).chain(["--netns", &here]);
    if let Command::Why(args) = Args::try_parse_from(words)?.command {
        // Its exit status tells a fault from none; what was foretold tells more.
        let _ = why::run(&args)?;
    }
    Ok(())
}

fn expect(seen: &Seen, expected: &Seen) -> anyhow::Result<()> {
    ensure!(
        seen == expected,
        "the client was to get {expected}, and got {seen}"
    );
    Ok(())
}
