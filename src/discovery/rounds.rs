//! The rounds of a discovery: ask, deliver or say what is wrong, wait, for ever. The same for every source.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::chance::part_of;
use super::{Answer, Cause, Failure, Source, Status};
use crate::clock::Clock;
use crate::detector::Listing;

/// How often a source is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The least time between an answer and the next question, however short the answer is good for.
    pub shortest: Duration,
    /// The longest time between two questions, however long the answer is good for: a node that joins waits for it.
    pub longest: Duration,
    /// How long one question may take.
    pub patience: Duration,
    /// The wait after the first failure. It doubles with each further one, and each wait is lengthened at random by up to
    /// as much again, so that all agents do not ask at once a server that returns.
    pub retry: Duration,
    /// The longest such wait, before it is lengthened; `longest` bounds it all the same.
    pub slowest_retry: Duration,
    /// Whether the source is asked sooner when the agent wants a list, or only by its time.
    pub on_demand: bool,
}

impl Default for Pace {
    /// What a DNS server has to bear of each agent: two questions every 5 to 30 seconds. 5 s is the TTL that CoreDNS
    /// gives to what Kubernetes publishes; 30 s is half of the time after which a node may leave (design, section 7).
    fn default() -> Self {
        Self {
            shortest: Duration::from_secs(5),
            longest: Duration::from_secs(30),
            patience: Duration::from_secs(10),
            retry: Duration::from_secs(1),
            slowest_retry: Duration::from_secs(15),
            on_demand: false,
        }
    }
}

impl Pace {
    /// What an API server has to bear of each agent: a list every ten minutes or so, as the source says, and when the agent
    /// wants one. A cluster of 5,000 nodes that all retry at the slowest are 56 questions a second.
    pub const OF_KUBERNETES: Self = Self {
        shortest: Duration::from_secs(30),
        longest: Duration::from_mins(15),
        patience: Duration::from_secs(30),
        retry: Duration::from_secs(1),
        slowest_retry: Duration::from_secs(60),
        on_demand: true,
    };

    fn retries(&self) -> ExponentialBackoff {
        ExponentialBuilder::new()
            .with_min_delay(self.retry)
            .with_max_delay(self.slowest_retry)
            .with_factor(2.0)
            .with_jitter()
            .without_max_times()
            .build()
    }
}

/// A source that is asked for ever, or until another one comes.
pub(super) struct Rounds<S> {
    source: Arc<S>,
    others: watch::Receiver<Arc<S>>,
    wishes: watch::Receiver<Duration>,
    pace: Pace,
    retries: ExponentialBackoff,
    door: Door,
}

impl<S: Source> Rounds<S> {
    /// Asks what is in `sources`, and whatever replaces it there; sooner if `wishes` says so.
    pub(super) fn new(
        sources: watch::Receiver<Arc<S>>,
        wishes: watch::Receiver<Duration>,
        pace: Pace,
        door: Door,
    ) -> Self {
        let source = Arc::clone(&sources.borrow());
        Self { source, others: sources, wishes, pace, retries: pace.retries(), door }
    }

    /// Asks for ever, first after `wait` if there is one; another source at once.
    pub(super) async fn run(mut self, wait: Option<Duration>) {
        let mut wait = wait.unwrap_or_default();
        loop {
            let (wishes, pace) = (&mut self.wishes, self.pace);
            let asking = async {
                pause(wait, wishes, pace).await;
                ask(Arc::clone(&self.source), self.pace.patience).await
            };
            let next = tokio::select! {
                answer = asking => Next::Answer(answer),
                source = another(&mut self.others) => Next::Source(source),
            };
            wait = match next {
                Next::Answer(answer) => self.take(answer),
                Next::Source(source) => self.begin_anew(source),
            };
        }
    }

    /// What was known of the source of before does not count for another one.
    fn begin_anew(&mut self, source: Arc<S>) -> Duration {
        self.source = source;
        self.retries = self.pace.retries();
        self.door.said.clear();
        Duration::ZERO
    }

    /// Delivers an answer, or tells of a failure; how long to wait before the next question.
    pub(super) fn take(&mut self, answer: Result<Answer, Failure>) -> Duration {
        match answer.and_then(Answer::if_it_names_anybody) {
            Ok(answer) => {
                self.retries = self.pace.retries();
                self.door.deliver(answer.listing);
                answer.good_for.max(self.pace.shortest).min(self.pace.longest)
            }
            Err(failure) => {
                self.door.fail(&failure);
                self.retries.next().unwrap_or(self.pace.longest).min(self.pace.longest)
            }
        }
    }
}

/// Waits so long, or shorter if a list is wanted meanwhile, but never shorter than the pace allows. Whatever is wanted in the
/// end, the next question is for all of it.
async fn pause(wait: Duration, wishes: &mut watch::Receiver<Duration>, pace: Pace) {
    let wish = async {
        if !pace.on_demand || wishes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        let within = *wishes.borrow_and_update();
        sleep(part_of(within)).await;
    };
    tokio::select! {
        () = sleep(wait) => {}
        ((), ()) = async { tokio::join!(sleep(pace.shortest), wish) } => {}
    }
}

/// Asks once, in a task of its own: should it panic, that is one more failure, and no silence.
async fn ask(source: Arc<impl Source>, patience: Duration) -> Result<Answer, Failure> {
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { timeout(patience, source.ask()).await });
    match tasks.join_next().await {
        Some(Ok(Ok(answer))) => answer,
        Some(Ok(Err(_))) => Err(Failure::new(Cause::Timeout, format!("no answer within {patience:?}"))),
        Some(Err(ended)) => Err(Failure::new(Cause::Internal, ended.to_string())),
        None => Err(Failure::new(Cause::Internal, "nobody asked")),
    }
}

/// What a round waits for.
enum Next<S> {
    Answer(Result<Answer, Failure>),
    Source(Arc<S>),
}

/// Waits for another source: for ever, where nobody can give one any more.
async fn another<S>(sources: &mut watch::Receiver<Arc<S>>) -> Arc<S> {
    if sources.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
    Arc::clone(&sources.borrow_and_update())
}

impl Answer {
    fn if_it_names_anybody(self) -> Result<Self, Failure> {
        if self.listing.members.is_empty() && self.listing.addresses.is_empty() {
            return Err(Failure::new(Cause::Empty, "the answer names nobody"));
        }
        Ok(self)
    }
}

/// Through which answers leave, and what is said of failures.
pub(super) struct Door {
    kind: &'static str,
    hint: fn(Cause) -> &'static str,
    listings: watch::Sender<Option<Listing>>,
    status: watch::Sender<Status>,
    clock: Clock,
    /// What was said since the last answer: each cause once.
    said: BTreeSet<Cause>,
}

impl Door {
    /// The door of a kind of sources.
    pub(super) fn of<S: Source>(
        listings: watch::Sender<Option<Listing>>,
        status: watch::Sender<Status>,
        clock: Clock,
    ) -> Self {
        Self { kind: S::KIND, hint: S::hint, listings, status, clock, said: BTreeSet::new() }
    }

    fn deliver(&mut self, listing: Listing) {
        let (kind, entries) = (self.kind, listing.members.len() + listing.addresses.len());
        if self.said.is_empty() {
            tracing::debug!(kind, entries, "the discovery answered");
        } else {
            self.said.clear();
            tracing::info!(kind, entries, "the discovery answers again");
        }
        self.listings.send_replace(Some(listing));
        self.status.send_modify(|status| status.succeed(self.clock.wall()));
    }

    fn fail(&mut self, failure: &Failure) {
        let (kind, cause, detail) = (self.kind, failure.cause.as_str(), failure.detail.as_str());
        if self.said.insert(failure.cause) {
            let hint = (self.hint)(failure.cause);
            tracing::warn!(kind, cause, detail, hint, "the discovery does not answer; nobody is removed for it");
        } else {
            tracing::debug!(kind, cause, detail, "the discovery still does not answer");
        }
        self.status.send_modify(|status| status.fail(failure.cause));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::detector::settings::Member;
    use crate::discovery::Discovery;

    const QUICK: Pace = Pace {
        shortest: Duration::from_millis(1),
        longest: Duration::from_millis(20),
        patience: Duration::from_secs(10),
        retry: Duration::from_millis(1),
        slowest_retry: Duration::from_millis(10),
        on_demand: false,
    };

    type Line = fn() -> Result<Answer, Failure>;

    /// Answers as it was told to, one after the other, and the last for ever.
    struct Scripted {
        asked: AtomicUsize,
        lines: &'static [Line],
    }

    impl Scripted {
        fn of(lines: &'static [Line]) -> Self {
            Self { asked: AtomicUsize::new(0), lines }
        }
    }

    impl Source for Scripted {
        const KIND: &'static str = "scripted";

        fn hint(_: Cause) -> &'static str {
            "mend the test"
        }

        async fn ask(&self) -> Result<Answer, Failure> {
            let turn = self.asked.fetch_add(1, Ordering::Relaxed);
            self.lines[turn.min(self.lines.len() - 1)]()
        }
    }

    struct Silent;

    impl Source for Silent {
        const KIND: &'static str = "silent";

        fn hint(_: Cause) -> &'static str {
            "mend the test"
        }

        async fn ask(&self) -> Result<Answer, Failure> {
            std::future::pending().await
        }
    }

    /// Two of one kind, as another source has to be.
    enum Either {
        Silent,
        Scripted(Scripted),
    }

    impl Source for Either {
        const KIND: &'static str = "either";

        fn hint(_: Cause) -> &'static str {
            "mend the test"
        }

        async fn ask(&self) -> Result<Answer, Failure> {
            match self {
                Self::Silent => Silent.ask().await,
                Self::Scripted(source) => source.ask().await,
            }
        }
    }

    fn members(names: &[&str]) -> Vec<Member> {
        names.iter().map(|name| Member::new(*name, "", "10.0.0.1:7475".parse().unwrap())).collect()
    }

    fn answer(names: &[&str]) -> Answer {
        Answer { listing: Listing::of(members(names)), good_for: Duration::ZERO }
    }

    #[expect(clippy::unnecessary_wraps, reason = "one of several answers, some of which failed")]
    fn good() -> Result<Answer, Failure> {
        Ok(answer(&["node-1"]))
    }

    #[expect(clippy::unnecessary_wraps, reason = "one of several answers, some of which failed")]
    fn lasting() -> Result<Answer, Failure> {
        Ok(Answer { good_for: Duration::from_hours(1), ..answer(&["node-1"]) })
    }

    #[expect(clippy::unnecessary_wraps, reason = "one of several answers, some of which failed")]
    fn empty() -> Result<Answer, Failure> {
        Ok(answer(&[]))
    }

    fn failed() -> Result<Answer, Failure> {
        Err(Failure::new(Cause::Refused, "no"))
    }

    fn broken() -> Result<Answer, Failure> {
        panic!("a fault, made for the test")
    }

    fn run(test: impl Future<Output = ()>) {
        let within = async { timeout(Duration::from_mins(1), test).await.expect("a minute was enough") };
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(within);
    }

    fn rounds(pace: Pace) -> Rounds<Silent> {
        let door = Door::of::<Silent>(watch::channel(None).0, watch::channel(Status::default()).0, Clock::start());
        Rounds::new(watch::channel(Arc::new(Silent)).1, watch::channel(Duration::ZERO).1, pace, door)
    }

    async fn status(discovery: &Discovery, is_so: impl FnMut(&Status) -> bool) -> Status {
        discovery.status().wait_for(is_so).await.unwrap().clone()
    }

    #[test]
    fn a_fixed_list_is_there_at_once_and_comes_again() {
        run(async {
            let source = super::super::StaticList::new(members(&["node-1", "node-2"]));
            let first = source.answer();
            let (mut discovery, _) = Discovery::begin(source, Some(first.clone()), QUICK, Clock::start());
            assert_eq!(discovery.status().borrow().up, Some(true));
            assert_eq!(discovery.at_hand(), Some(first.listing.clone()));
            assert_eq!(discovery.at_hand(), None, "it was taken");
            for _ in 0..3 {
                assert_eq!(discovery.next().await, first.listing);
            }
        });
    }

    #[test]
    fn another_list_is_delivered_at_once_as_a_fresh_answer() {
        run(async {
            let (mut discovery, switch) = Discovery::fixed_with_switch(members(&["node-1"]), Clock::start());
            assert_eq!(discovery.at_hand(), Some(answer(&["node-1"]).listing));
            // The next one would be due in 30 s, which is longer than this test lasts.
            let second = timeout(Duration::from_secs(10), async {
                switch.to(super::super::StaticList::new(members(&["node-1", "node-2"])));
                discovery.next().await
            });
            assert_eq!(second.await.unwrap(), answer(&["node-1", "node-2"]).listing);
        });
    }

    #[test]
    fn a_source_that_was_replaced_while_it_was_asked_is_not_waited_for() {
        run(async {
            let asked = || Scripted::of(&[good]);
            let (mut discovery, switch) = Discovery::start_with_switch(Either::Silent, QUICK, Clock::start());
            tokio::task::yield_now().await;
            switch.to(Either::Scripted(asked()));
            assert_eq!(discovery.next().await, good().unwrap().listing);
            assert_eq!(discovery.status().borrow().failures().map(|(_, count)| count).sum::<u64>(), 0);
        });
    }

    #[test]
    fn what_is_empty_or_failed_is_counted_and_never_delivered() {
        run(async {
            let source = Scripted::of(&[empty, failed, failed, good, failed]);
            let mut discovery = Discovery::start(source, QUICK, Clock::start());
            assert_eq!(discovery.next().await, good().unwrap().listing);
            let status = status(&discovery, |status| status.failed(Cause::Refused) > 4).await;
            assert_eq!((status.up, status.failed(Cause::Empty)), (Some(false), 1));
            assert_eq!(discovery.at_hand(), None);
        });
    }

    #[test]
    fn a_source_that_panics_has_failed_and_is_asked_again() {
        run(async {
            let mut discovery = Discovery::start(Scripted::of(&[broken, good]), QUICK, Clock::start());
            assert_eq!(discovery.next().await, good().unwrap().listing);
            assert_eq!(discovery.status().borrow().failed(Cause::Internal), 1);
        });
    }

    #[test]
    fn a_source_that_never_answers_is_given_up() {
        run(async {
            let pace = Pace { patience: Duration::from_millis(1), ..QUICK };
            let discovery = Discovery::start(Silent, pace, Clock::start());
            status(&discovery, |status| status.failed(Cause::Timeout) > 2).await;
        });
    }

    #[test]
    fn a_list_that_is_wanted_is_asked_for_before_its_time_if_the_pace_has_it_so() {
        run(async {
            // Good for an hour, and asked for again at any time.
            let long = Pace { shortest: Duration::ZERO, longest: Duration::from_hours(1), ..QUICK };
            let begin =
                |on_demand| Discovery::start(Scripted::of(&[lasting]), Pace { on_demand, ..long }, Clock::start());
            let mut discovery = begin(true);
            discovery.next().await;
            for _ in 0..3 {
                discovery.ask_within(Duration::from_millis(5));
                discovery.next().await;
            }
            let mut discovery = begin(false);
            discovery.next().await;
            discovery.ask_within(Duration::ZERO);
            assert!(timeout(Duration::from_millis(50), discovery.next()).await.is_err());
        });
    }

    #[test]
    fn what_is_wanted_at_once_waits_for_the_least_time_between_two_questions() {
        run(async {
            let rare = Pace { shortest: Duration::from_hours(1), on_demand: true, ..QUICK };
            let (wish, mut wishes) = watch::channel(Duration::ZERO);
            wish.send_replace(Duration::ZERO);
            let an_hour = Duration::from_hours(1);
            assert!(timeout(Duration::from_millis(50), pause(an_hour, &mut wishes, rare)).await.is_err());
            wish.send_replace(Duration::ZERO);
            pause(an_hour, &mut wishes, Pace { shortest: Duration::ZERO, ..rare }).await;
            // A retry after a failure has a time of its own.
            pause(Duration::ZERO, &mut wishes, rare).await;
        });
    }

    #[test]
    fn an_answer_is_asked_for_again_by_its_time_within_bounds() {
        let wait = |seconds| {
            let good_for = Duration::from_secs(seconds);
            rounds(Pace::default()).take(good().map(|answer| Answer { good_for, ..answer })).as_secs()
        };
        assert_eq!([0, 4, 5, 17, 30, 31, u64::MAX].map(wait), [5, 5, 5, 17, 30, 30, 30]);
    }

    #[test]
    fn failures_are_retried_ever_more_rarely_up_to_a_cap_and_an_answer_forgets_them() {
        let mut rounds = rounds(Pace::default());
        let waits: Vec<f64> = (0..9).map(|_| rounds.take(failed()).as_secs_f64()).collect();
        // Each doubles, and its jitter may double it once more.
        for (wait, least) in waits.iter().zip([1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0, 15.0, 15.0]) {
            assert!((least..=2.0 * least).contains(wait), "{waits:?}");
        }
        rounds.take(good());
        assert!(rounds.take(failed()) <= Duration::from_secs(2));
    }
}
