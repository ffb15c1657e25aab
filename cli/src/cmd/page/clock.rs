//! The time: how old a reading is, and how long a client and the last connections may take.

use std::time::Instant;

/// Now.
#[expect(
    clippy::disallowed_methods,
    reason = "ages and deadlines depend on the clock"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}
