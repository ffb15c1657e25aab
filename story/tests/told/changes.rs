//! What a comparison tells, and its document.

use serde_json::Value;
use story::term::{Options, changes};
use story::{Comparison, json};
use trace::{Cause, Change, Client, Verdict};

use crate::schema::{breaks, lost};
use crate::world::{self, World, expect, world};

/// The contract's example as what became of a port that was served before.
fn change(world: &World) -> Change {
    let mut before = world.answers[0].clone();
    before.outcomes[0].verdict = Verdict::Delivered;
    before.outcomes[0].cause = Cause::Socket;
    before.outcomes[0].client = Client::Connected;
    before.outcomes[0].steps.clear();
    before.outcomes[0].request = 0;
    Change {
        question: world.question.clone(),
        from: before.from,
        iif: before.iif.clone(),
        region: before.region.clone(),
        is_whole: true,
        before: Some(before),
        after: Some(world.answers[0].clone()),
    }
}

fn comparison<'a>(world: &'a World, changes: &'a [Change]) -> Comparison<'a> {
    Comparison {
        before: &world.host,
        after: &world.host,
        changes,
        unasked: 0,
    }
}

#[test]
fn networks_that_were_not_asked_about_are_said() {
    let world = world::world();
    let comparison = Comparison {
        unasked: 3,
        ..comparison(&world, &[])
    };
    let text = changes(&comparison, &Options::default());
    let said = "3 networks elsewhere that rules ask for were not asked about";
    assert!(text.contains(said), "{text}");
}

#[test]
fn a_difference_is_told_with_both_its_sides() {
    let world = world();
    let mut other = change(&world);
    other.question.to = world::end("192.168.77.2:30584");
    let list = [change(&world), other];
    let text = changes(&comparison(&world, &list), &Options::default());
    expect("changes.txt", &text);
}

#[test]
fn no_difference_is_said_so() {
    let world = world();
    let text = changes(&comparison(&world, &[]), &Options::default());
    assert_eq!(text, "every connection ends as before\n");
}

#[test]
fn the_schema_is_published_word_for_word() {
    let text = serde_json::to_string_pretty(&json::changes_schema()).unwrap();
    expect("changes-schema.json", &format!("{text}\n"));
}

#[test]
fn no_published_field_is_removed_or_renamed() {
    let published: Value = serde_json::from_str(include_str!("changes-schema.json")).unwrap();
    let gone = lost(&published, &json::changes_schema(), "");
    assert_eq!(gone, Vec::<String>::new());
}

#[test]
fn what_is_rendered_fits_the_schema() {
    let world = world();
    let mut gone = change(&world);
    gone.after = None;
    let list = [change(&world), gone];
    let text = json::render_changes(&comparison(&world, &list));
    let document: Value = serde_json::from_str(&text).unwrap();
    let wrong = breaks(&json::changes_schema(), &document, "");
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(document["changes"][1]["after"], Value::Null);
}
