//! The last stretch of an endless sequence.

use std::ops::{Index, Range};

/// Values by their index in the whole sequence; what is no longer asked for is forgotten.
pub(super) struct Tape<T> {
    first: i64,
    values: Vec<T>,
}

impl<T: Copy> Tape<T> {
    /// A sequence that begins at index `first` with `values`.
    pub(super) fn new(first: i64, values: Vec<T>) -> Self {
        Self { first, values }
    }

    /// The index after the last one.
    pub(super) fn end(&self) -> i64 {
        self.first + self.values.len() as i64
    }

    pub(super) fn extend(&mut self, values: impl Iterator<Item = T>) {
        self.values.extend(values);
    }

    /// What is before `index` may go. It goes once it is more than what stays, so that little is moved.
    pub(super) fn forget_before(&mut self, index: i64) {
        let old = usize::try_from(index - self.first).unwrap_or(0).min(self.values.len());
        if old > self.values.len() / 2 {
            self.values.drain(..old);
            self.first += old as i64;
        }
    }

    /// The values of a range; of a range that is not all there, those that are.
    pub(super) fn slice(&self, range: Range<i64>) -> &[T] {
        let place = |index: i64| usize::try_from(index - self.first).unwrap_or(0).min(self.values.len());
        &self.values[place(range.start)..place(range.end.max(range.start))]
    }
}

impl<T> Index<i64> for Tape<T> {
    type Output = T;

    fn index(&self, index: i64) -> &T {
        &self.values[(index - self.first) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_keeps_its_index_and_no_more_is_kept_than_twice_what_is_asked_for() {
        let mut tape = Tape::new(-10, Vec::new());
        for begin in (-10..100_000).step_by(100) {
            tape.extend(begin..begin + 100);
            tape.forget_before(begin);
            assert!(tape.values.len() <= 300);
            assert_eq!((tape[begin], tape[begin + 99], tape.end()), (begin, begin + 99, begin + 100));
        }
        let end = tape.end();
        assert_eq!(tape.slice(end - 3..end + 5), &[end - 3, end - 2, end - 1]);
        assert!(tape.slice(end + 3..end + 5).is_empty());
    }
}
