//! The thread that probes. It is not that of the agent: what a probe reads from a disk or computes for TLS, and a resolver that
//! hangs, must not keep heartbeats waiting.
//!
//! The detector says which endpoint is probed when, and has so many under way at once and no more; here each is a task
//! with a timeout. What came of it goes back; the last report of each endpoint, and how many probes came to what, is kept for
//! who asks. Beside them are the connections that are held ([`super::keeper`]).

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};

use super::keeper::connection::Connection;
use super::keeper::{Hold, Keepers, Wanted};
use super::{Report, Target, probe};
use crate::clock::Clock;
use crate::detector::endpoints::{ProbeOrder, Probed};
use crate::detector::outcome::Outcome;
use crate::detector::time::Now;

/// How many orders and answers may wait: more than the detector has under way at once.
const QUEUE: usize = 1024;

/// How long the end of the thread is waited for: what it has under way is left as it is, but connections that are held are
/// taken leave of.
const PATIENCE: Duration = Duration::from_secs(2);

/// The targets by the name of the endpoint.
pub type Targets = BTreeMap<String, Aim>;

/// What is done about one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aim {
    /// How it is probed.
    pub target: Target,
    /// How often a sign of life is asked for over the connection that is held to it; none if none is held.
    pub keep: Option<Duration>,
}

/// The agent's end of the thread.
#[derive(Debug)]
pub struct Prober {
    orders: mpsc::Sender<ProbeOrder>,
    answers: mpsc::Receiver<Probed>,
    desk: Arc<Desk>,
}

/// What the thread and the others share.
#[derive(Debug, Default)]
pub struct Desk {
    targets: Mutex<Targets>,
    records: Mutex<BTreeMap<String, Record>>,
    wanted: watch::Sender<Wanted>,
    /// Of each endpoint to which a connection is to be held; none before it was begun.
    connections: Mutex<BTreeMap<String, Option<Connection>>>,
}

/// The end, for whoever waits until the other ends of connections were told.
#[derive(Debug)]
pub struct Closing {
    /// Nothing is ever sent: that the sender is gone says that the thread has ended, however it ended.
    thread: Receiver<()>,
}

/// What is kept of the probes of one endpoint.
#[derive(Clone, Debug)]
pub struct Record {
    /// What the last one found out.
    pub report: Arc<Report>,
    /// When it ended.
    pub at: Now,
    /// All of them.
    pub tally: Tally,
}

/// How many probes of one endpoint came to what, since the start or since it is in the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// It answered as it should.
    pub successes: u64,
    /// It did not.
    pub failures: u64,
    /// A fault of this machine kept it from being asked.
    pub inconclusive: u64,
}

/// The thread could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the thread that probes endpoints: {0}; are there too many processes on this machine?")]
pub struct NoThread(#[source] io::Error);

impl Tally {
    fn count(&mut self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Success => &mut self.successes,
            Outcome::Failure(_) => &mut self.failures,
            Outcome::Inconclusive => &mut self.inconclusive,
        };
        *counter = counter.saturating_add(1);
    }
}

impl From<Target> for Aim {
    /// Probed, and no connection is held.
    fn from(target: Target) -> Self {
        Self { target, keep: None }
    }
}

impl Closing {
    /// Waits until connections that were held have been taken leave of, for two seconds at most. The [`Prober`] must be gone.
    pub fn finish(self) {
        if self.thread.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the thread that probes does not end: some connections are left without a word");
        }
    }
}

impl Desk {
    /// The last report of an endpoint.
    pub fn report(&self, endpoint: &str) -> Option<Arc<Report>> {
        held(&self.records).get(endpoint).map(|record| Arc::clone(&record.report))
    }

    /// What is kept of the probes of an endpoint; none before the first has ended.
    pub fn record(&self, endpoint: &str) -> Option<Record> {
        held(&self.records).get(endpoint).cloned()
    }

    /// What is kept of the connection that is held to an endpoint; none if none is, or it was not begun yet.
    pub fn connection(&self, endpoint: &str) -> Option<Connection> {
        held(&self.connections).get(endpoint).cloned().flatten()
    }

    /// From now on these are the targets. What was found about others is forgotten.
    pub fn change_targets(&self, targets: Targets) {
        held(&self.records).retain(|endpoint, _| targets.contains_key(endpoint));
        let kept: BTreeMap<String, Hold> = targets.iter().filter_map(hold).collect();
        *held(&self.targets) = targets;
        let mut connections = held(&self.connections);
        connections.retain(|endpoint, _| kept.contains_key(endpoint));
        for endpoint in kept.keys() {
            connections.entry(endpoint.clone()).or_default();
        }
        drop(connections);
        self.wanted.send_if_modified(|wanted| wanted.keep(kept));
    }

    /// These endpoints are this agent's to probe, and connections are held to no others.
    pub fn hold_to<'a>(&self, probed: impl Iterator<Item = &'a str>) {
        self.wanted.send_if_modified(|wanted| wanted.probe(probed));
    }

    /// Something came of the connection to an endpoint. Of one that is to be held no more nothing is noted.
    pub fn change_connection(&self, endpoint: &str, now: Now, change: impl FnOnce(&mut Connection, Now)) {
        if let Some(connection) = held(&self.connections).get_mut(endpoint) {
            change(connection.get_or_insert_with(|| Connection::none_yet(now)), now);
        }
    }

    fn target(&self, endpoint: &str) -> Option<Target> {
        held(&self.targets).get(endpoint).map(|aim| aim.target.clone())
    }

    /// Notes what a probe found out, which ended just now. A probe of an endpoint that is no more is not noted.
    pub fn keep(&self, endpoint: &str, report: Report, at: Now) {
        if !held(&self.targets).contains_key(endpoint) {
            return;
        }
        let mut records = held(&self.records);
        let mut tally = records.get(endpoint).map(|record| record.tally).unwrap_or_default();
        tally.count(report.outcome);
        records.insert(endpoint.to_owned(), Record { report: Arc::new(report), at, tally });
    }
}

fn hold((endpoint, aim): (&String, &Aim)) -> Option<(String, Hold)> {
    Some((endpoint.clone(), Hold { target: aim.target.clone(), every: aim.keep? }))
}

/// Whoever panicked with it in hand left it whole.
fn held<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Prober {
    /// Starts the thread. It ends when this is dropped: what is under way is dropped with it, and connections that are held are
    /// taken leave of, for which [`Closing::finish`] waits.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub fn start(targets: Targets, clock: Clock) -> Result<(Self, Closing), NoThread> {
        let desk = Arc::<Desk>::default();
        desk.change_targets(targets);
        let (orders, ordered) = mpsc::channel(QUEUE);
        let (answer, answers) = mpsc::channel(QUEUE);
        let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(NoThread)?;
        let keepers = Keepers::new(Arc::clone(&desk), clock, desk.wanted.subscribe());
        let room = Room { desk: Arc::clone(&desk), clock, answer, tasks: JoinSet::new(), under_way: BTreeMap::new() };
        let (running, ended) = sync_channel(0);
        let run = move || {
            let _running: SyncSender<()> = running;
            runtime.block_on(work(room, ordered, keepers));
            // Who reads from a disk that hangs is not waited for.
            runtime.shutdown_background();
        };
        thread::Builder::new().name("probes".to_owned()).spawn(run).map_err(NoThread)?;
        Ok((Self { orders, answers, desk }, Closing { thread: ended }))
    }

    /// What is shared with who asks.
    pub fn desk(&self) -> Arc<Desk> {
        Arc::clone(&self.desk)
    }

    /// These endpoints are this agent's to probe, and connections are held to no others.
    pub fn hold_to<'a>(&self, probed: impl Iterator<Item = &'a str>) {
        self.desk.hold_to(probed);
    }

    /// Has an endpoint probed. If the thread is gone there is no more to be said of any.
    pub fn order(&self, order: ProbeOrder) -> Option<Probed> {
        self.orders.try_send(order).err().map(|refused| refused.into_inner().unanswered())
    }

    /// What came of the next probe that ended; never, once the thread is gone. May be dropped at any time.
    pub async fn next(&mut self) -> Probed {
        match self.answers.recv().await {
            Some(probed) => probed,
            None => std::future::pending().await,
        }
    }
}

/// Probes what is ordered and holds connections, until nobody orders any more.
async fn work(room: Room, ordered: mpsc::Receiver<ProbeOrder>, mut keepers: Keepers) {
    tokio::select! {
        () = room.run(ordered) => {}
        () = keepers.run() => {}
    }
    keepers.end().await;
}

/// What the thread works with.
struct Room {
    desk: Arc<Desk>,
    clock: Clock,
    answer: mpsc::Sender<Probed>,
    tasks: JoinSet<Option<Report>>,
    under_way: BTreeMap<Id, ProbeOrder>,
}

impl Room {
    async fn run(mut self, mut orders: mpsc::Receiver<ProbeOrder>) {
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.begin(order),
                    None => return,
                },
                Some(ended) = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => {
                    if self.end(ended).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn begin(&mut self, order: ProbeOrder) {
        let (desk, clock) = (Arc::clone(&self.desk), self.clock);
        let (name, turn) = (order.endpoint.name.clone(), usize::try_from(order.number.0).unwrap_or_default());
        let task = self.tasks.spawn(async move {
            // A reload may have taken it away since.
            let target = desk.target(&name)?;
            Some(probe(&target, clock, turn).await)
        });
        self.under_way.insert(task.id(), order);
    }

    /// Errs when nobody waits for answers any more.
    async fn end(
        &mut self,
        ended: Result<(Id, Option<Report>), JoinError>,
    ) -> Result<(), mpsc::error::SendError<Probed>> {
        let order = self.under_way.remove(&ended.as_ref().map_or_else(JoinError::id, |&(id, _)| id));
        let Some(order) = order else { return Ok(()) };
        let mut probed = order.unanswered();
        match ended {
            Ok((_, Some(report))) => {
                probed.outcome = report.outcome;
                self.desk.keep(&order.endpoint.name, report, self.clock.now());
            }
            Ok((_, None)) => {}
            Err(error) => tracing::error!(
                %error, endpoint = order.endpoint.name, "a probe failed: this is a fault in netsplit, please report it"
            ),
        }
        self.answer.send(probed).await
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::icmp::Icmp;
    use super::super::{Check, Host, Phases};
    use super::*;
    use crate::detector::outcome::Cause;

    fn targets(names: &[&str]) -> Targets {
        let check = Check::Icmp(Icmp { host: Host::Ip(Ipv4Addr::LOCALHOST.into()) });
        let aim = Aim::from(Target { check, timeout: Duration::from_secs(1) });
        names.iter().map(|name| ((*name).to_owned(), aim.clone())).collect()
    }

    fn report(outcome: Outcome) -> Report {
        let (detail, phases, took) = (String::new(), Phases::default(), Duration::ZERO);
        Report { outcome, detail, address: None, phases, took, facts: Vec::new() }
    }

    #[test]
    fn probes_are_counted_by_what_came_of_them_for_as_long_as_the_endpoint_is_there() {
        let desk = Desk::default();
        desk.change_targets(targets(&["cache", "database"]));
        let outcomes = [Outcome::Success, Outcome::Failure(Cause::Reset), Outcome::Success, Outcome::Inconclusive];
        for (second, outcome) in (1..).zip(outcomes) {
            desk.keep("cache", report(outcome), Now::at(Duration::from_secs(second)));
            desk.keep("nobody", report(outcome), Now::START);
        }
        let record = desk.record("cache").unwrap();
        assert_eq!(record.tally, Tally { successes: 2, failures: 1, inconclusive: 1 });
        assert_eq!((record.report.outcome, record.at), (Outcome::Inconclusive, Now::at(Duration::from_secs(4))));
        assert!(desk.record("nobody").is_none() && desk.record("database").is_none());
        desk.change_targets(targets(&["database"]));
        assert!(desk.record("cache").is_none());
    }

    fn kept(names: &[&str]) -> Targets {
        let keep = |(name, aim): (String, Aim)| (name, Aim { keep: Some(Duration::from_secs(30)), ..aim });
        targets(names).into_iter().map(keep).collect()
    }

    #[test]
    fn what_is_known_of_a_connection_outlives_a_changed_target_and_ends_with_the_wish_for_it() {
        let desk = Desk::default();
        desk.change_targets(kept(&["cache"]));
        assert!(desk.connection("cache").is_none(), "nobody has begun yet");
        let establish = |name| desk.change_connection(name, Now::START, |held, now| held.establish(None, now));
        ["cache", "nobody"].into_iter().for_each(establish);
        let mut other = kept(&["cache"]);
        for aim in other.values_mut() {
            aim.target.timeout *= 2;
        }
        desk.change_targets(other);
        assert_eq!(desk.connection("cache").map(|held| held.established), Some(1), "a counter does not go back");
        assert!(desk.connection("nobody").is_none());
        desk.change_targets(targets(&["cache"]));
        establish("cache");
        assert!(desk.connection("cache").is_none());
    }
}
