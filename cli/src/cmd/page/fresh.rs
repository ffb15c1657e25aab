//! A thing that is read anew when asked for, but not too often, and by one reader at a time.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::clock::now;

/// What was read, or why not.
pub(super) type Outcome<T> = Arc<Result<T, String>>;

/// Keeps the last reading. Who asks for it while it is young gets it; who asks while another
/// reads it anew gets the old one; who asks for another key waits until a reading is due.
pub(super) struct Fresh<K, T> {
    /// How long a reading is young; forever where absent.
    period: Option<Duration>,
    state: Mutex<State<K, T>>,
    changed: Condvar,
}

struct State<K, T> {
    kept: Option<(K, Outcome<T>)>,
    /// When the last reading began.
    begun: Option<Instant>,
    is_reading: bool,
}

impl<K: PartialEq, T> Fresh<K, T> {
    pub(super) fn new(period: Option<Duration>) -> Self {
        Self {
            period,
            state: Mutex::new(State {
                kept: None,
                begun: None,
                is_reading: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// The reading for `key`, by `read` where the last one is too old or for another key.
    pub(super) fn get(&self, key: K, read: impl FnOnce() -> anyhow::Result<T>) -> Outcome<T> {
        let mut state = self.lock();
        loop {
            let rest = state.begun.and_then(|begun| self.rest(begun));
            match &state.kept {
                Some((kept, outcome)) if *kept == key && (rest.is_some() || state.is_reading) => {
                    return outcome.clone();
                }
                _ => {}
            }
            state = match rest {
                _ if state.is_reading => self.wait(state),
                Some(rest) if rest < Duration::MAX => self.wait_for(state, rest),
                _ => break,
            };
        }
        state.is_reading = true;
        state.begun = Some(now());
        drop(state);
        let reader = Reader(self);
        let outcome = Arc::new(read().map_err(|error| format!("{error:#}")));
        self.lock().kept = Some((key, outcome.clone()));
        drop(reader);
        outcome
    }

    /// The last reading, whatever its age and its key.
    pub(super) fn last(&self) -> Option<Outcome<T>> {
        let state = self.lock();
        state.kept.as_ref().map(|(_, outcome)| outcome.clone())
    }

    /// How long a reading that began then is still young.
    fn rest(&self, begun: Instant) -> Option<Duration> {
        let Some(period) = self.period else {
            return Some(Duration::MAX);
        };
        period
            .checked_sub(now().saturating_duration_since(begun))
            .filter(|rest| !rest.is_zero())
    }

    fn lock(&self) -> MutexGuard<'_, State<K, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<K, T>>) -> MutexGuard<'a, State<K, T>> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for<'a>(
        &self,
        state: MutexGuard<'a, State<K, T>>,
        rest: Duration,
    ) -> MutexGuard<'a, State<K, T>> {
        let waited = self.changed.wait_timeout(state, rest);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Ends a reading, also one that panics.
struct Reader<'a, K: PartialEq, T>(&'a Fresh<K, T>);

impl<K: PartialEq, T> Drop for Reader<'_, K, T> {
    fn drop(&mut self) {
        self.0.lock().is_reading = false;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    fn young() -> Fresh<u8, u32> {
        Fresh::new(Some(Duration::from_hours(1)))
    }

    #[test]
    fn a_young_reading_is_given_again_and_an_old_one_is_not() {
        let reads = Cell::new(0);
        let read = || {
            reads.set(reads.get() + 1);
            Ok(reads.get())
        };
        let fresh = young();
        let twice = |fresh: &Fresh<u8, u32>| {
            let numbers = [fresh.get(1, read), fresh.get(1, read)];
            numbers.map(|read| read.as_ref().clone().unwrap())
        };
        assert_eq!(twice(&fresh), [1, 1]);
        let old = Fresh::new(Some(Duration::ZERO));
        assert_eq!(twice(&old), [2, 3]);
        let kept: Fresh<u8, u32> = Fresh::new(None);
        assert_eq!(twice(&kept), [4, 4]);
    }

    #[test]
    fn who_asks_while_another_reads_gets_the_last_reading() {
        let fresh: Fresh<u8, u32> = Fresh::new(Some(Duration::ZERO));
        let _ = fresh.get(1, || Ok(1));
        let (begun, begins) = mpsc::channel();
        let (may_end, ends) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                fresh.get(1, move || {
                    begun.send(()).unwrap();
                    ends.recv().unwrap();
                    Ok(2)
                })
            });
            begins.recv().unwrap();
            assert_eq!(*fresh.get(1, || Ok(3)), Ok(1));
            may_end.send(()).unwrap();
            assert_eq!(*reader.join().unwrap(), Ok(2));
        });
    }

    #[test]
    fn another_key_is_read_when_its_time_has_come() {
        let fresh: Fresh<u8, u32> = Fresh::new(Some(Duration::from_millis(30)));
        let start = now();
        let _ = fresh.get(1, || Ok(1));
        assert_eq!(*fresh.get(2, || Ok(2)), Ok(2));
        assert!(now() - start >= Duration::from_millis(30));
    }

    #[test]
    fn why_it_could_not_be_read_is_kept_as_well() {
        let fresh = young();
        let failed = fresh.get(1, || anyhow::bail!("no such file"));
        assert_eq!(*failed, Err("no such file".to_owned()));
        assert_eq!(*fresh.get(1, || Ok(1)), Err("no such file".to_owned()));
    }

    #[test]
    fn a_reading_that_panics_does_not_keep_others_waiting() {
        let fresh = young();
        thread::scope(|scope| {
            let reader = scope.spawn(|| fresh.get(1, || panic!("on purpose")));
            assert!(reader.join().is_err());
        });
        assert!(!fresh.lock().is_reading);
    }
}
