//! An operator's word in the place of the mode: of this node alone, for a time, with a reason. What the detector judges by
//! itself goes on beneath it, and holds again when it ends.

use std::time::Duration;

use super::Detector;
use super::event::{Event, OverrideEnd};
use super::mode::Mode;
use super::time::Now;

/// Two ends that differ by less are one: each time the order is read its end is reckoned anew, by two clocks.
const SAME: Duration = Duration::from_secs(2);

/// What an operator wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overruling {
    /// The mode that holds instead.
    pub mode: Mode,
    /// For how long from now on.
    pub lasts: Duration,
    /// Why.
    pub reason: String,
}

/// What holds in the place of the mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The mode that holds instead.
    pub mode: Mode,
    /// Since when.
    pub since: Now,
    /// Until when.
    pub until: Now,
    /// Why, as the operator wrote it.
    pub reason: String,
}

impl Detector {
    /// An operator overrules the mode, or no longer does.
    pub(super) fn overrule(&mut self, wanted: Option<Overruling>, now: Now) {
        let Some(Overruling { mode, lasts, reason }) = wanted else {
            self.end_override(OverrideEnd::Cleared);
            return;
        };
        let until = now + lasts;
        let is_the_same = self.overridden.as_ref().is_some_and(|held| {
            let apart = held.until.since(until).max(until.since(held.until));
            held.mode == mode && held.reason == reason && apart < SAME
        });
        if is_the_same || lasts.is_zero() {
            return;
        }
        self.end_override(OverrideEnd::Replaced);
        self.emit_event(Event::ModeOverridden { mode, lasts, reason: reason.clone() });
        self.overridden = Some(Override { mode, since: now, until, reason });
        self.view_is_old = true;
    }

    /// When the override ends.
    pub(super) fn override_ends(&self) -> Option<Now> {
        self.overridden.as_ref().map(|held| held.until)
    }

    pub(super) fn expire_override(&mut self, now: Now) {
        if self.override_ends().is_some_and(|end| end <= now) {
            self.end_override(OverrideEnd::Expired);
        }
    }

    fn end_override(&mut self, cause: OverrideEnd) {
        if let Some(Override { mode, .. }) = self.overridden.take() {
            self.emit_event(Event::ModeOverrideEnded { mode, cause });
            self.view_is_old = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::retiming::tests::detector;
    use super::super::{Input, Output};
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn overrule(detector: &mut Detector, mode: Mode, lasts: u64, at: u64) {
        let wanted = Overruling { mode, lasts: seconds(lasts), reason: "the other site burnt down".to_owned() };
        detector.handle(Input::Overrule(Some(wanted)), Now::at(seconds(at)));
    }

    fn told(detector: &mut Detector) -> Vec<Event> {
        let outputs = std::iter::from_fn(|| detector.poll_output());
        let events = outputs.filter_map(|output| if let Output::Event(event) = output { Some(*event) } else { None });
        let is_of_it = |event: &Event| matches!(event, Event::ModeOverridden { .. } | Event::ModeOverrideEnded { .. });
        events.filter(is_of_it).collect()
    }

    #[test]
    fn an_override_holds_until_its_end_and_is_told_at_both() {
        let mut detector = detector();
        overrule(&mut detector, Mode::Majority, 60, 0);
        let lasts = seconds(60);
        let reason = "the other site burnt down".to_owned();
        assert_eq!(told(&mut detector), [Event::ModeOverridden { mode: Mode::Majority, lasts, reason }]);
        let view = detector.view(Now::START);
        assert_eq!((view.mode, view.overridden.as_ref().unwrap().mode), (Mode::Starting, Mode::Majority));
        // It is read again, as after a restart of who reads it: nothing happens.
        overrule(&mut detector, Mode::Majority, 30, 30);
        assert_eq!(told(&mut detector), []);
        let end = Now::at(seconds(60));
        while detector.poll_timeout().unwrap() < end {
            let due = detector.poll_timeout().unwrap();
            detector.handle_timeout(due);
        }
        assert!(told(&mut detector).is_empty());
        detector.handle_timeout(end);
        let ended = Event::ModeOverrideEnded { mode: Mode::Majority, cause: OverrideEnd::Expired };
        assert_eq!(told(&mut detector), [ended]);
        assert!(detector.view(end).overridden.is_none());
    }

    #[test]
    fn an_override_is_replaced_and_taken_back() {
        let mut detector = detector();
        detector.handle(Input::Overrule(None), Now::START);
        assert_eq!(told(&mut detector), []);
        overrule(&mut detector, Mode::Majority, 60, 0);
        overrule(&mut detector, Mode::Minority, 60, 0);
        detector.handle(Input::Overrule(None), Now::START);
        let causes = told(&mut detector).into_iter().filter_map(|event| match event {
            Event::ModeOverrideEnded { cause, .. } => Some(cause),
            _ => None,
        });
        assert_eq!(causes.collect::<Vec<_>>(), [OverrideEnd::Replaced, OverrideEnd::Cleared]);
    }
}
