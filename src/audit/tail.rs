//! The last lines, in memory, for whoever asks over HTTP. They are shown as soon as they are durable or have waited for
//! long enough, so a disk that hangs silences nothing.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// How many lines are held, and how many bytes, whichever is less. The newest line is held however long it is.
const LINES: usize = 1000;
const BYTES: usize = 1 << 20;

/// The last lines. Its copies show the same.
#[derive(Clone, Debug)]
pub struct Tail(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    held: Mutex<Held>,
    durable: AtomicU64,
    newest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Held {
    lines: VecDeque<(u64, Arc<str>)>,
    bytes: usize,
}

/// A part of the tail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The lines asked for, the oldest first.
    pub lines: Vec<Shown>,
    /// The number of the oldest line that is still held. What came before is in the files.
    pub oldest: Option<u64>,
    /// The number of the newest line that was shown. 0: none was yet.
    pub newest: u64,
}

/// A line that was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its number.
    pub seq: u64,
    /// One JSON object, without a newline.
    pub line: Arc<str>,
    /// Whether it is on the disk for good. It may become so later.
    pub durable: bool,
}

impl Default for Tail {
    /// One that shows nothing yet.
    fn default() -> Self {
        let newest = watch::Sender::new(0);
        Self(Arc::new(Shared { held: Mutex::default(), durable: AtomicU64::new(0), newest }))
    }
}

impl Tail {
    /// At most `limit` lines with a larger number than `seq`: the oldest of them that are held.
    pub fn since(&self, seq: u64, limit: usize) -> Page {
        let durable = self.0.durable.load(Ordering::Acquire);
        let held = self.lock();
        let from = held.lines.partition_point(|(number, _)| *number <= seq);
        let lines = held.lines.iter().skip(from).take(limit);
        let shown =
            lines.map(|(seq, line)| Shown { seq: *seq, line: Arc::clone(line), durable: *seq <= durable }).collect();
        let number = |line: &(u64, Arc<str>)| line.0;
        Page { lines: shown, oldest: held.lines.front().map(number), newest: held.lines.back().map_or(0, number) }
    }

    /// Tells the number of the newest line whenever there are new ones.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.newest.subscribe()
    }

    /// Shows lines, by their numbers, that follow those before.
    pub fn show(&self, lines: impl IntoIterator<Item = (u64, Arc<str>)>) {
        let mut held = self.lock();
        for line in lines {
            held.bytes += line.1.len();
            held.lines.push_back(line);
            while held.lines.len() > LINES || held.bytes > BYTES && held.lines.len() > 1 {
                let length = held.lines.pop_front().map_or(0, |(_, text)| text.len());
                held.bytes -= length;
            }
        }
        let newest = held.lines.back().map_or(0, |(seq, _)| *seq);
        drop(held);
        self.0.newest.send_if_modified(|shown| std::mem::replace(shown, newest) != newest);
    }

    /// All lines up to this number are on the disk for good.
    pub fn became_durable(&self, seq: u64) {
        self.0.durable.fetch_max(seq, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(seqs: std::ops::RangeInclusive<u64>, length: usize) -> impl Iterator<Item = (u64, Arc<str>)> {
        seqs.map(move |seq| (seq, "x".repeat(length).into()))
    }

    fn seqs(page: &Page) -> Vec<u64> {
        page.lines.iter().map(|line| line.seq).collect()
    }

    #[test]
    fn a_page_has_what_comes_after_a_number_and_says_what_is_held() {
        let tail = Tail::default();
        assert_eq!(tail.since(0, 10), Page::default());
        tail.show(lines(5..=9, 3));
        tail.became_durable(7);
        let page = tail.since(6, 2);
        assert_eq!((seqs(&page), page.oldest, page.newest), (vec![7, 8], Some(5), 9));
        assert_eq!(page.lines.iter().map(|line| line.durable).collect::<Vec<_>>(), [true, false]);
        assert_eq!(seqs(&tail.since(0, 100)), [5, 6, 7, 8, 9]);
        assert_eq!(seqs(&tail.since(9, 100)), [0; 0]);
    }

    #[test]
    fn a_thousand_lines_or_a_mebibyte_are_held_and_the_newest_in_any_case() {
        let tail = Tail::default();
        tail.show(lines(1..=1500, 10));
        assert_eq!((tail.since(0, usize::MAX).lines.len(), tail.since(0, 0).oldest), (1000, Some(501)));
        tail.show(lines(1501..=1700, 1 << 13));
        assert_eq!(seqs(&tail.since(0, usize::MAX)), (1573..=1700).collect::<Vec<_>>());
        tail.show(lines(1701..=1701, 2 << 20));
        assert_eq!(seqs(&tail.since(0, usize::MAX)), [1701]);
    }

    #[test]
    fn who_follows_is_told_of_new_lines() {
        let tail = Tail::default();
        let mut changes = tail.changes();
        assert_eq!(*changes.borrow_and_update(), 0);
        assert!(!changes.has_changed().unwrap());
        tail.show(lines(1..=3, 3));
        assert!(changes.has_changed().unwrap());
        assert_eq!(*changes.borrow_and_update(), 3);
    }
}
