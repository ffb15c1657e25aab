//! Packets on their ways: states, each with what became of it.

use crate::packet::State;

/// States, each with what became of it.
pub(crate) type Ways<T> = Vec<(State, T)>;

/// Sends every state on, one after the other.
pub(crate) fn each<T>(states: Vec<State>, mut send: impl FnMut(State) -> Ways<T>) -> Ways<T> {
    match <[State; 1]>::try_from(states) {
        Ok([only]) => send(only),
        Err(states) => states.into_iter().flat_map(send).collect(),
    }
}

/// Keeps those that are done in `done`; the others are returned.
pub(crate) fn sift<T>(
    ways: Ways<T>,
    done: &mut Ways<T>,
    goes_on: impl Fn(&T) -> bool,
) -> Vec<State> {
    let mut open = Vec::with_capacity(ways.len());
    for (state, became) in ways {
        if goes_on(&became) {
            open.push(state);
        } else {
            done.push((state, became));
        }
    }
    open
}

/// The same end for all of these.
pub(crate) fn all<T: Clone>(states: Vec<State>, became: &T) -> Ways<T> {
    states
        .into_iter()
        .map(|state| (state, became.clone()))
        .collect()
}
