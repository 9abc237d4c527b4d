//! The rounds of a discovery: ask, deliver or say what is wrong, wait, for ever. The same for every source.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

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
    /// as much again, so that all agents do not ask at once a server that returns; `longest` bounds it all the same.
    pub retry: Duration,
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
        }
    }
}

impl Pace {
    fn retries(&self) -> ExponentialBackoff {
        ExponentialBuilder::new()
            .with_min_delay(self.retry)
            // The jitter doubles it at most.
            .with_max_delay(self.longest / 2)
            .with_factor(2.0)
            .with_jitter()
            .without_max_times()
            .build()
    }
}

/// One source, asked for ever.
pub(super) struct Rounds<S> {
    source: Arc<S>,
    pace: Pace,
    retries: ExponentialBackoff,
    door: Door,
}

impl<S: Source> Rounds<S> {
    pub(super) fn new(source: Arc<S>, pace: Pace, door: Door) -> Self {
        Self { source, pace, retries: pace.retries(), door }
    }

    /// Asks for ever, first after `wait` if there is one.
    pub(super) async fn run(mut self, wait: Option<Duration>) {
        if let Some(wait) = wait {
            sleep(wait).await;
        }
        loop {
            let answer = self.ask().await;
            let wait = self.take(answer);
            sleep(wait).await;
        }
    }

    /// Asks once, in a task of its own: should it panic, that is one more failure, and no silence.
    async fn ask(&self) -> Result<Answer, Failure> {
        let (source, patience) = (Arc::clone(&self.source), self.pace.patience);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { timeout(patience, source.ask()).await });
        match tasks.join_next().await {
            Some(Ok(Ok(answer))) => answer,
            Some(Ok(Err(_))) => Err(Failure::new(Cause::Timeout, format!("no answer within {patience:?}"))),
            Some(Err(ended)) => Err(Failure::new(Cause::Internal, ended.to_string())),
            None => Err(Failure::new(Cause::Internal, "nobody asked")),
        }
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
    listings: watch::Sender<Option<Listing>>,
    status: watch::Sender<Status>,
    clock: Clock,
    /// What was said since the last answer: each cause once.
    said: BTreeSet<Cause>,
}

impl Door {
    pub(super) fn new(
        kind: &'static str,
        listings: watch::Sender<Option<Listing>>,
        status: watch::Sender<Status>,
        clock: Clock,
    ) -> Self {
        Self { kind, listings, status, clock, said: BTreeSet::new() }
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
            let hint = failure.cause.hint();
            tracing::warn!(kind, cause, detail, hint, "the discovery does not answer; nobody is removed for it");
        } else {
            tracing::debug!(kind, cause, detail, "the discovery still does not answer");
        }
        self.status.send_modify(|status| status.fail(failure.cause));
    }
}
