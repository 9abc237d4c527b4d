//! The end of the log that takes records: the loop's. It gives each its number and its place in the chain, and never
//! waits.

use std::sync::Arc;

use super::chain::End;
use super::counters::Counters;
use super::line::line;
use super::queue::Queue;
use crate::agent::{EventSink, Record, ShellEvent};
use crate::clock::Clock;

/// Takes records. When it is dropped, what was taken is written, and the log ends.
#[derive(Debug)]
pub struct Sink {
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    clock: Clock,
    end: End,
    lost: Option<Lost>,
}

/// Records that there was no room for, and nobody was told of yet.
#[derive(Debug)]
struct Lost {
    count: u64,
    last: Record,
}

impl Sink {
    /// One whose first line follows `end`.
    pub(super) fn new(queue: Arc<Queue>, counters: Arc<Counters>, clock: Clock, end: End) -> Self {
        Self { queue, counters, clock, end, lost: None }
    }

    fn lose(&mut self, record: Record) {
        self.counters.lose();
        let count = self.lost.as_ref().map_or(0, |lost| lost.count);
        if count == 0 {
            tracing::error!("events are lost: too many wait for the disk of the audit log; see to it");
        }
        self.lost = Some(Lost { count: count + 1, last: record });
    }

    /// Says how many were lost, as if `by` did.
    fn confess(&mut self, count: u64, by: &Record) {
        let event = ShellEvent::EventsLost { count }.into();
        self.put(&Record { event, times: None, ..by.clone() });
    }

    fn put(&mut self, record: &Record) {
        match line(record, self.end) {
            Ok((text, end)) => {
                self.end = end;
                self.queue.put(end.seq, text, self.clock.now());
            }
            Err(error) => tracing::error!(%error, "an event is lost: this is a fault in netsplit, please report it"),
        }
    }
}

impl EventSink for Sink {
    fn accept(&mut self, record: Record) {
        let lines = if self.lost.is_some() { 2 } else { 1 };
        if !self.queue.has_room(lines) {
            return self.lose(record);
        }
        if let Some(Lost { count, .. }) = self.lost.take() {
            self.confess(count, &record);
        }
        self.put(&record);
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Some(Lost { count, last }) = self.lost.take().filter(|_| self.queue.has_room(1)) {
            self.confess(count, &last);
        }
        self.queue.end();
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::tests::record;
    use super::super::queue::{RECORDS, Showing};
    use super::*;
    use crate::detector::event::Event;
    use crate::detector::time::Now;

    #[test]
    fn when_there_is_no_room_the_next_that_is_accepted_says_how_many_were_lost() {
        let clock = Clock::start();
        let counters = Arc::<Counters>::default();
        let queue = Arc::new(Queue::new(Arc::clone(&counters), Now::START));
        let mut sink = Sink::new(Arc::clone(&queue), Arc::clone(&counters), clock, End::NOTHING);
        let started = || record(Event::AgentStarted { roster: 3 });
        for _ in 0..RECORDS + 17 {
            sink.accept(started());
        }
        assert_eq!((counters.lost(), counters.queued()), (17, RECORDS as u64));
        let mut lines = Vec::new();
        let mut show = |count| {
            while lines.len() < count {
                let Some(Showing::Lines(more)) = queue.next_to_show(clock) else { panic!("there is nothing to show") };
                lines.extend(more);
            }
        };
        show(RECORDS);
        queue.became_durable(1);
        sink.accept(started());
        assert_eq!(counters.lost(), 18, "there is room for one, and two are needed");
        queue.became_durable(2);
        sink.accept(started());
        show(RECORDS + 2);
        let (lost, after) = (&lines[RECORDS], &lines[RECORDS + 1]);
        assert_eq!((lost.seq, after.seq), (4097, 4098));
        assert!(lost.text.contains(r#""event":"events_lost""#) && lost.text.ends_with(r#","count":18}"#), "{lost:?}");
        assert!(after.text.contains(r#""event":"agent_started""#));
    }

    #[test]
    fn what_was_lost_last_is_said_at_the_end() {
        let clock = Clock::start();
        let queue = Arc::new(Queue::new(Arc::default(), Now::START));
        let mut sink = Sink::new(Arc::clone(&queue), Arc::default(), clock, End::NOTHING);
        for _ in 0..=RECORDS {
            sink.accept(record(Event::AgentStarted { roster: 3 }));
        }
        let mut shown = 0;
        while shown < RECORDS {
            let Some(Showing::Lines(lines)) = queue.next_to_show(clock) else { panic!("there is nothing to show") };
            shown += lines.len();
        }
        queue.became_durable(1);
        drop(sink);
        let Some(Showing::Lines(lines)) = queue.next_to_show(clock) else { panic!("nothing is said") };
        assert!(lines[0].text.ends_with(r#","count":1}"#), "{lines:?}");
    }
}
