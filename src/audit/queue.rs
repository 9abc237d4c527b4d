//! Between the loop, the disk and those who show: the lines that are not durable or not shown yet, in order.
//!
//! Whoever holds the lock here does nothing else meanwhile: the loop that detects never waits for a disk or a reader.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::counters::Counters;
use crate::clock::Clock;
use crate::detector::time::Now;

/// How many lines wait for the disk at most: minutes of a bad day.
pub const RECORDS: usize = 4096;

/// How many bytes they have at most: several times what so many lines usually have. In a large cluster a line that lists
/// links can be of some hundred KiB, and the memory of the agent is limited.
pub const BYTES: usize = 8 << 20;

/// After this time a line is shown though it is not durable.
pub const SHOW_AFTER: Duration = Duration::from_millis(200);

/// After this time without an answer of the disk an operator is told.
const HUNG: Duration = Duration::from_secs(10);

/// A line on its way.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) seq: u64,
    /// Without its newline.
    pub(super) text: Arc<str>,
    accepted: Now,
}

/// Lines for the disk.
pub(super) struct Batch {
    /// At least one.
    pub(super) lines: Vec<Line>,
    /// The agent is ending: what fails now is not tried again.
    pub(super) is_last: bool,
}

/// What those who show are to do next.
pub(super) enum Showing {
    /// These lines.
    Lines(Vec<Line>),
    /// Say that the disk hangs.
    Hung,
}

#[derive(Debug)]
pub(super) struct Queue {
    slots: Mutex<Slots>,
    /// There is something for the disk, or it is to end.
    work: Condvar,
    /// There may be something to show.
    news: Condvar,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Slots {
    /// All that is not both durable and shown. Their numbers have no gap.
    held: VecDeque<Line>,
    bytes: usize,
    /// The number of the last line that is durable.
    durable: u64,
    /// The number of the last line that was handed out to be shown.
    shown: u64,
    /// Since when the disk has been at work.
    busy_since: Option<Now>,
    said_hung: bool,
    /// There will be no more lines.
    ending: bool,
    /// The thread of the disk is no more.
    disk_gone: bool,
}

impl Queue {
    /// One whose disk is at work from the start: it reads what is there.
    pub(super) fn new(counters: Arc<Counters>, now: Now) -> Self {
        let slots = Slots { busy_since: Some(now), ..Slots::default() };
        Self { slots: Mutex::new(slots), work: Condvar::new(), news: Condvar::new(), counters }
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        // Whoever panicked with it left slots that are as good as any.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ------------------------------------------------------------------------------------------ the loop

    /// Whether so many more lines may come. Only they who ask add lines, so the answer stays true.
    pub(super) fn has_room(&self, lines: usize) -> bool {
        let slots = self.lock();
        slots.held.len() + lines <= RECORDS && slots.bytes < BYTES
    }

    /// Takes a line. Its number follows that of the line before.
    pub(super) fn put(&self, seq: u64, text: Arc<str>, now: Now) {
        let mut slots = self.lock();
        if slots.held.is_empty() {
            // Nothing is under way, so all before is durable and shown; the first of all may have any number.
            slots.durable = seq.saturating_sub(1);
            slots.shown = slots.durable;
        }
        slots.bytes += text.len();
        slots.held.push_back(Line { seq, text, accepted: now });
        self.counters.queue(slots.not_durable());
        drop(slots);
        self.work.notify_all();
        self.news.notify_all();
    }

    /// There will be no more lines.
    pub(super) fn end(&self) {
        self.lock().ending = true;
        self.work.notify_all();
        self.news.notify_all();
    }

    // ------------------------------------------------------------------------------------------ the disk

    /// Waits for lines that are not durable, and gives out the first ones: at most so many, and no more bytes, but at
    /// least one. None: all are durable, and there will be no more.
    pub(super) fn next_batch(&self, lines: usize, bytes: usize, clock: Clock) -> Option<Batch> {
        let idle = |slots: &mut Slots| slots.not_durable() == 0 && !slots.ending;
        let mut slots = self.work.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        let mut room = bytes;
        let fits = |line: &&Line| {
            let fits = room >= line.text.len();
            room = room.saturating_sub(line.text.len() + 1);
            fits
        };
        let waiting = || slots.held.iter().skip(slots.index_after(slots.durable));
        let mut batch: Vec<Line> = waiting().take(lines).take_while(fits).cloned().collect();
        if batch.is_empty() {
            batch.extend(waiting().next().cloned());
        }
        let is_last = slots.ending;
        slots.busy_since = (!batch.is_empty()).then(|| clock.now());
        drop(slots);
        // Whoever shows lines watches from now on for how long the disk takes.
        self.news.notify_all();
        (!batch.is_empty()).then_some(Batch { lines: batch, is_last })
    }

    /// The disk answered. Whether somebody was told that it hung.
    pub(super) fn disk_answered(&self) -> bool {
        let mut slots = self.lock();
        slots.busy_since = None;
        self.counters.hangs(false);
        std::mem::take(&mut slots.said_hung)
    }

    /// All lines up to this one are durable.
    pub(super) fn became_durable(&self, seq: u64) {
        let mut slots = self.lock();
        slots.durable = slots.durable.max(seq);
        slots.forget();
        self.counters.queue(slots.not_durable());
        drop(slots);
        self.news.notify_all();
    }

    /// Waits before the next attempt; the end cuts it short.
    pub(super) fn leave_the_disk_alone(&self, delay: Duration) {
        drop(self.work.wait_timeout_while(self.lock(), delay, |slots| !slots.ending));
    }

    /// The thread of the disk ends. How many lines it left.
    pub(super) fn disk_is_gone(&self) -> usize {
        let mut slots = self.lock();
        slots.disk_gone = true;
        let left = slots.not_durable();
        drop(slots);
        self.news.notify_all();
        left
    }

    // -------------------------------------------------------------------------------------- those who show

    /// Waits for lines to show: those that are durable or have waited for long enough. None: all were shown, and there
    /// will be no more.
    pub(super) fn next_to_show(&self, clock: Clock) -> Option<Showing> {
        let mut slots = self.lock();
        loop {
            let now = clock.now();
            let lines = slots.showable(now);
            if let Some(last) = lines.last() {
                slots.shown = last.seq;
                slots.forget();
                return Some(Showing::Lines(lines));
            }
            let unshown = slots.held.get(slots.index_after(slots.shown));
            if unshown.is_none() && slots.ending {
                return None;
            }
            let due = unshown.map(|line| line.accepted + SHOW_AFTER);
            let hung = slots.busy_since.filter(|_| !slots.said_hung).map(|since| since + HUNG);
            if hung.is_some_and(|hung| now >= hung) {
                slots.said_hung = true;
                self.counters.hangs(true);
                return Some(Showing::Hung);
            }
            let until = [due, hung].into_iter().flatten().min();
            slots = match until {
                None => self.news.wait(slots).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    self.news.wait_timeout(slots, until.since(now)).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

impl Slots {
    fn newest(&self) -> u64 {
        self.held.back().map_or(self.durable, |line| line.seq)
    }

    fn not_durable(&self) -> usize {
        usize::try_from(self.newest().saturating_sub(self.durable)).unwrap_or(usize::MAX)
    }

    /// Where the first line after this number is, or would be.
    fn index_after(&self, seq: u64) -> usize {
        self.held.partition_point(|line| line.seq <= seq)
    }

    fn showable(&self, now: Now) -> Vec<Line> {
        let is_due = |line: &&Line| {
            line.seq <= self.durable || now.since(line.accepted) >= SHOW_AFTER || self.ending && self.disk_gone
        };
        self.held.iter().skip(self.index_after(self.shown)).take_while(is_due).cloned().collect()
    }

    /// Lets go of what is durable and shown.
    fn forget(&mut self) {
        let done = self.durable.min(self.shown);
        while let Some(line) = self.held.pop_front_if(|line| line.seq <= done) {
            self.bytes = self.bytes.saturating_sub(line.text.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> Queue {
        Queue::new(Arc::default(), Now::START)
    }

    fn seqs(lines: &[Line]) -> Vec<u64> {
        lines.iter().map(|line| line.seq).collect()
    }

    fn shown(queue: &Queue) -> Vec<u64> {
        match queue.next_to_show(Clock::start()) {
            Some(Showing::Lines(lines)) => seqs(&lines),
            _ => Vec::new(),
        }
    }

    #[test]
    fn a_batch_has_no_more_lines_and_bytes_than_asked_for_but_at_least_one_line() {
        let queue = queue();
        for seq in 7..17 {
            queue.put(seq, "0123456789".into(), Now::START);
        }
        let batch = |lines, bytes| seqs(&queue.next_batch(lines, bytes, Clock::start()).unwrap().lines);
        assert_eq!(batch(3, 1000), [7, 8, 9]);
        assert_eq!(batch(100, 32), [7, 8, 9], "with the newlines between them");
        assert_eq!(batch(100, 31), [7, 8]);
        assert_eq!(batch(100, 0), [7]);
        queue.became_durable(8);
        assert_eq!(batch(2, 1000), [9, 10]);
    }

    #[test]
    fn what_is_durable_is_shown_at_once_and_in_order() {
        let queue = queue();
        // Accepted in a future that does not come: time shows nothing here.
        let never = Now::START + Duration::from_hours(1_000_000);
        for seq in 1..=5 {
            queue.put(seq, "line".into(), never);
        }
        queue.became_durable(3);
        assert_eq!(shown(&queue), [1, 2, 3]);
        queue.became_durable(5);
        assert_eq!(shown(&queue), [4, 5]);
        assert!(queue.lock().held.is_empty());
    }

    #[test]
    fn what_was_shown_before_it_was_durable_stays_for_the_disk() {
        let queue = queue();
        let clock = Clock::start();
        queue.put(1, "line".into(), clock.now());
        assert_eq!(shown(&queue), [1], "after a while");
        assert_eq!(seqs(&queue.next_batch(10, 10, clock).unwrap().lines), [1]);
        queue.became_durable(1);
        queue.end();
        assert!(queue.next_to_show(clock).is_none(), "it is not shown twice");
        assert!(queue.next_batch(10, 10, clock).is_none());
    }

    #[test]
    fn there_is_room_for_so_many_lines_and_so_many_bytes() {
        let queue = queue();
        for seq in 1..=4096 {
            assert!(queue.has_room(1));
            queue.put(seq, "line".into(), Now::START);
        }
        assert!(!queue.has_room(1));
        queue.became_durable(10);
        assert!(!queue.has_room(1), "not shown yet");
        assert_eq!(shown(&queue).len(), 10);
        assert!(queue.has_room(10) && !queue.has_room(11));
        assert_eq!(shown(&queue).len(), 4086, "after a while, though not durable: they stay");
        assert!(queue.has_room(10) && !queue.has_room(11));
        queue.became_durable(4096);
        queue.put(4097, "x".repeat(BYTES).into(), Now::START);
        assert!(!queue.has_room(1));
    }
}
