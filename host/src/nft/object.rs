//! Named stateful objects.

use super::Limit;

/// A named stateful object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its name.
    pub name: String,
    /// `NFT_OBJECT_*`: 1 counter, 2 quota, 3 ct helper, 4 limit, 5 connlimit, 7 ct timeout,
    /// 8 secmark, 9 ct expectation, 10 synproxy.
    pub kind: u32,
    /// What it was told.
    pub body: ObjectBody,
}

/// What an object was told when it was made. What it has counted since is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectBody {
    /// Nothing: a counter.
    Nothing,
    /// `quota`: so many bytes, and whether it is true beyond them.
    Quota {
        /// The bytes.
        bytes: u64,
        /// True beyond them rather than up to them.
        over: bool,
    },
    /// `limit`.
    Limit(Limit),
    /// What is not modelled.
    Unread,
}
