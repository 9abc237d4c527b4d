//! Where the roster comes from: a list that the operator wrote down, the addresses of a name in the DNS, or the endpoints of a
//! Service of Kubernetes.
//!
//! A [`Source`] is asked once and answers or fails. [`Discovery`] asks it again and again in a task of its own beside the
//! agent's loop, which never waits for it: the newest answer lies in a channel of one place, where a newer one replaces
//! it. **Every fresh answer is delivered, even if nothing changed**: the detector lets a node leave only when fresh
//! answers go on without it. What failed or is empty is no answer: it is counted, said, and removes nobody.

mod cause;
mod chance;
mod dns;
mod families;
mod kubernetes;
mod reading;
mod rounds;
mod static_list;
mod status;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

pub use cause::Cause;
pub use dns::{DnsList, DnsSettings};
pub use families::Families;
pub use kubernetes::{KubernetesList, KubernetesSettings};
pub use rounds::Pace;
pub use static_list::StaticList;
pub use status::Status;

use crate::clock::Clock;
use crate::detector::Listing;
use crate::detector::settings::Member;
use rounds::{Door, Rounds};

/// One way to find out who belongs.
pub trait Source: Send + Sync + 'static {
    /// What log lines call it; a word of the configuration.
    const KIND: &'static str;

    /// What an operator can do about a cause.
    fn hint(cause: Cause) -> &'static str;

    /// Asks once. However long it takes: whoever calls gives up after a time, and drops the future.
    fn ask(&self) -> impl Future<Output = Result<Answer, Failure>> + Send;
}

/// What a source answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who belongs. An empty one is taken for a failure.
    pub listing: Listing,
    /// How long it holds, as far as the source can tell. It is asked again then, within the bounds of its [`Pace`].
    pub good_for: Duration,
}

/// Why a source did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The cause, one of few.
    pub cause: Cause,
    /// What exactly, for the log.
    pub detail: String,
}

impl Failure {
    /// A failure from its two halves.
    pub fn new(cause: Cause, detail: impl Into<String>) -> Self {
        Self { cause, detail: detail.into() }
    }
}

/// Has a discovery ask another source of the same kind. What the source of before has answered is delivered no more.
#[derive(Debug)]
pub struct Switch<S>(watch::Sender<Arc<S>>);

impl<S: Source> Switch<S> {
    /// From now on, and at once, it asks this one.
    pub fn to(&self, source: S) {
        self.0.send_replace(Arc::new(source));
    }
}

/// A source that is asked again and again, seen by whoever wants the answers. To drop it is to end it.
#[derive(Debug)]
pub struct Discovery {
    listings: watch::Receiver<Option<Listing>>,
    status: watch::Receiver<Status>,
    wishes: watch::Sender<Duration>,
    is_over: bool,
    /// The task that asks: it ends when this is dropped.
    _asking: JoinSet<()>,
}

impl Discovery {
    /// Begins to ask `source`. Must be called within a tokio runtime.
    pub fn start(source: impl Source, pace: Pace, clock: Clock) -> Self {
        Self::begin(source, None, pace, clock).0
    }

    /// A list that is there at once and never changes: what an operator wrote down is always fresh, so it is delivered
    /// again at the pace of every discovery. Must be called within a tokio runtime.
    pub fn fixed(members: Vec<Member>, clock: Clock) -> Self {
        Self::fixed_with_switch(members, clock).0
    }

    /// As [`Discovery::start`], with a way to ask another source of the same kind later.
    pub fn start_with_switch<S: Source>(source: S, pace: Pace, clock: Clock) -> (Self, Switch<S>) {
        Self::begin(source, None, pace, clock)
    }

    /// As [`Discovery::fixed`], with a way to give another list later.
    pub fn fixed_with_switch(members: Vec<Member>, clock: Clock) -> (Self, Switch<StaticList>) {
        let list = StaticList::new(members);
        let first = list.answer();
        Self::begin(list, Some(first), Pace::default(), clock)
    }

    fn begin<S: Source>(source: S, first: Option<Answer>, pace: Pace, clock: Clock) -> (Self, Switch<S>) {
        let (sender, listings) = watch::channel(None);
        let (said, status) = watch::channel(Status::default());
        let (switch, sources) = watch::channel(Arc::new(source));
        let (wishes, wished) = watch::channel(Duration::ZERO);
        let mut rounds = Rounds::new(sources, wished, pace, Door::of::<S>(sender, said, clock));
        let wait = first.map(|answer| rounds.take(Ok(answer)));
        let mut asking = JoinSet::new();
        asking.spawn(rounds.run(wait));
        (Self { listings, status, wishes, is_over: false, _asking: asking }, Switch(switch))
    }

    /// The newest answer, if there is one already that nobody has taken.
    pub fn at_hand(&mut self) -> Option<Listing> {
        let is_new = self.listings.has_changed().unwrap_or(false);
        if is_new { self.listings.borrow_and_update().clone() } else { None }
    }

    /// Waits for the next answer; those that came while nobody waited are one. It may be dropped while it waits.
    pub async fn next(&mut self) -> Listing {
        loop {
            if self.is_over || self.listings.changed().await.is_err() {
                self.end().await;
            }
            if let Some(listing) = self.listings.borrow_and_update().clone() {
                return listing;
            }
        }
    }

    /// The task has ended, which it does only by a fault of its own. The roster stays as it is: there is nothing to wait
    /// for any more.
    async fn end(&mut self) {
        if !self.is_over {
            self.is_over = true;
            tracing::error!(
                "the discovery has ended by itself: this is a fault in netsplit, please report it. The agent goes on with \
                 the nodes that it knows; restart it"
            );
        }
        std::future::pending::<()>().await;
    }

    /// A list is wanted before its time, within this time at the latest. Sources that are asked often anyway have no use for
    /// it ([`Pace::on_demand`]).
    pub fn ask_within(&self, time: Duration) {
        self.wishes.send_replace(time);
    }

    /// How it fares; a new one after every round.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }
}
