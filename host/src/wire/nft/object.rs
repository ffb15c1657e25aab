//! A named object: what it was told when it was made.

use super::statement;
use crate::nft::{Object, ObjectBody};
use crate::wire::attr::Table;

/// Reads an object of that name.
pub(super) fn read(name: String, attributes: &Table<'_, 9>) -> Object {
    const TYPE: u16 = 3;
    const DATA: u16 = 4;
    const COUNTER: u32 = 1;
    const QUOTA: u32 = 2;
    const LIMIT: u32 = 4;
    let kind = attributes.be32(TYPE).unwrap_or_default();
    let data = attributes.get(DATA).unwrap_or_default();
    let body = match kind {
        COUNTER => Some(ObjectBody::Nothing),
        QUOTA => quota(&Table::of(data)),
        LIMIT => statement::limit_of(&Table::<6>::of(data)).map(ObjectBody::Limit),
        _ => None,
    };
    Object {
        name,
        kind,
        body: body.unwrap_or(ObjectBody::Unread),
    }
}

fn quota(data: &Table<'_, 5>) -> Option<ObjectBody> {
    const BYTES: u16 = 1;
    const FLAGS: u16 = 2;
    const OVER: u32 = 1;
    Some(ObjectBody::Quota {
        bytes: data.be64(BYTES)?,
        over: data.be32(FLAGS).unwrap_or_default() & OVER != 0,
    })
}
