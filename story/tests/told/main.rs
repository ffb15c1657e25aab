//! Stories and documents of hand-made answers, checked letter by letter.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(unreachable_pub, reason = "a test binary is nobody's library")]

mod changes;
mod document;
mod html;
mod markup;
mod scan;
mod schema;
mod stories;
mod traced;
mod world;
