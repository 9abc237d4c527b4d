//! Connections that are held: one for each endpoint with `keep: true`, beside its probes, as a consumer of it would hold one. What
//! is told of them is what a consumer would have suffered: since when the connection stands, how often it was lost, why.
//!
//! It decides nothing: whether an endpoint is up is for its probes to say. `Keepers` has a task for each; `task` is that
//! task, `held` the connection, whatever its protocol, and [`connection`] what is kept of it for who asks. What is to be
//! held is in `Wanted`: what the configuration says, as far as this agent probes it.

pub mod connection;
mod held;
mod task;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};

use self::connection::Connection;
use self::task::{End, Keeper};
use super::prober::Desk;
use super::target::Target;
use crate::clock::Clock;
use crate::detector::endpoints::pauses;

/// The least and the most time between two signs of life. More often is no use to anybody; less often and a firewall may have
/// forgotten the connection (350 s in load balancers of AWS), or a broker have given it up.
const EVERY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// How often a sign of life is asked for over the connection that is held to an endpoint which is probed once in `period`: from
/// 1 to 60 s.
pub fn every(period: Duration) -> Duration {
    let [least, most] = EVERY;
    period.clamp(least, most)
}

/// One connection that is to be held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hold {
    pub(super) target: Target,
    /// How often a sign of life is asked for.
    pub(super) every: Duration,
}

/// Which connections are to be held.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Those of the configuration, by the name of the endpoint.
    kept: BTreeMap<String, Hold>,
    /// Which endpoints this agent probes: of some that is only a sample of all agents.
    mine: BTreeSet<String>,
}

impl Wanted {
    /// The configuration is another one. Returns whether that changes anything.
    pub(super) fn keep(&mut self, kept: BTreeMap<String, Hold>) -> bool {
        let is_new = self.kept != kept;
        self.kept = kept;
        is_new
    }

    /// These endpoints are probed by this agent. Returns whether that changes anything.
    pub(super) fn probe<'a>(&mut self, names: impl Iterator<Item = &'a str>) -> bool {
        let mine: BTreeSet<&str> = names.filter(|name| self.kept.contains_key(*name)).collect();
        if self.mine.iter().map(String::as_str).eq(mine.iter().copied()) {
            return false;
        }
        self.mine = mine.into_iter().map(str::to_owned).collect();
        true
    }

    fn holds(&self) -> BTreeMap<String, Hold> {
        let mine = self.kept.iter().filter(|(name, _)| self.mine.contains(*name));
        mine.map(|(name, hold)| (name.clone(), hold.clone())).collect()
    }
}

/// A connection that is held, as its task was told to.
struct Running {
    hold: Hold,
    task: Id,
    /// Once this is gone the task takes its leave of the server, and ends.
    _until: watch::Sender<()>,
}

/// The tasks that hold connections.
pub(super) struct Keepers {
    desk: Arc<Desk>,
    clock: Clock,
    wanted: watch::Receiver<Wanted>,
    running: BTreeMap<String, Running>,
    /// Also those that are about to end.
    tasks: JoinSet<()>,
}

impl Keepers {
    pub(super) fn new(desk: Arc<Desk>, clock: Clock, wanted: watch::Receiver<Wanted>) -> Self {
        Self { desk, clock, wanted, running: BTreeMap::new(), tasks: JoinSet::new() }
    }

    /// Begins and ends connections as they are wanted, for ever. May be dropped at any time.
    pub(super) async fn run(&mut self) {
        loop {
            self.take_up();
            tokio::select! {
                changed = self.wanted.changed() => {
                    if changed.is_err() {
                        // Whoever could want others has gone; those that are held stay until this is dropped.
                        std::future::pending::<()>().await;
                    }
                }
                Some(ended) = self.tasks.join_next() => self.note(ended),
            }
        }
    }

    /// Ends all of them politely, and waits until they have.
    pub(super) async fn end(mut self) {
        self.let_go_unless(|_, _| false);
        while self.tasks.join_next().await.is_some() {}
    }

    /// One that is wanted as it was goes on.
    fn take_up(&mut self) {
        let mut wanted = self.wanted.borrow_and_update().holds();
        self.let_go_unless(|name, running| wanted.get(name) == Some(&running.hold));
        wanted.retain(|name, _| !self.running.contains_key(name));
        for (name, hold) in wanted {
            self.begin(name, hold, pauses::limit(0));
        }
    }

    /// Tells the others to end. From then on nothing of them is noted: another one of the same name may have begun.
    fn let_go_unless(&mut self, is_wanted: impl Fn(&str, &Running) -> bool) {
        let (desk, now) = (&self.desk, self.clock.now());
        self.running.retain(|name, running| {
            let stays = is_wanted(name, running);
            if !stays {
                desk.change_connection(name, now, Connection::let_go);
            }
            stays
        });
    }

    /// Begins one after a pause of up to this long: not all agents at once.
    fn begin(&mut self, name: String, hold: Hold, pause: Duration) {
        self.desk.change_connection(&name, self.clock.now(), Connection::let_go);
        let (until, end) = watch::channel(());
        let keeper = Keeper::new(name.clone(), hold.clone(), Arc::clone(&self.desk), self.clock, End::at(end));
        let task = self.tasks.spawn(keeper.run(pause)).id();
        self.running.insert(name, Running { hold, task, _until: until });
    }

    /// One that failed begins anew.
    fn note(&mut self, ended: Result<(), JoinError>) {
        let Err(error) = ended else { return };
        let failed = self.running.iter().find(|(_, running)| running.task == error.id());
        let Some((name, hold)) = failed.map(|(name, running)| (name.clone(), running.hold.clone())) else { return };
        tracing::error!(
            %error, endpoint = name, "a connection failed here: this is a fault in netsplit, please report it"
        );
        self.begin(name, hold, pauses::LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::icmp::Icmp;
    use super::super::{Check, Host};
    use super::*;

    fn hold(seconds: u64) -> Hold {
        let check = Check::Icmp(Icmp { host: Host::Ip(Ipv4Addr::LOCALHOST.into()) });
        Hold { target: Target { check, timeout: Duration::from_secs(1) }, every: Duration::from_secs(seconds) }
    }

    fn kept(holds: &[(&str, u64)]) -> BTreeMap<String, Hold> {
        holds.iter().map(|(name, seconds)| ((*name).to_owned(), hold(*seconds))).collect()
    }

    #[test]
    fn what_is_held_is_what_the_configuration_says_and_this_agent_probes() {
        let mut wanted = Wanted::default();
        assert!(wanted.keep(kept(&[("cache", 1), ("database", 1)])));
        assert_eq!(wanted.holds(), kept(&[]), "nobody knows yet what is this agent's");
        assert!(wanted.probe(["cache", "web"].into_iter()));
        assert_eq!(wanted.holds(), kept(&[("cache", 1)]));
        assert!(!wanted.probe(["cache", "broker"].into_iter()), "of those that are kept there is no other");
        assert!(
            wanted.keep(kept(&[("cache", 2), ("database", 1)])) && !wanted.keep(kept(&[("cache", 2), ("database", 1)]))
        );
        assert_eq!(wanted.holds(), kept(&[("cache", 2)]));
        assert!(wanted.probe([].into_iter()));
        assert_eq!(wanted.holds(), kept(&[]));
    }

    #[test]
    fn signs_of_life_are_asked_for_once_in_a_period_within_bounds() {
        let of = |seconds: f64| every(Duration::from_secs_f64(seconds)).as_secs();
        assert_eq!([0.1, 1.0, 30.0, 60.0, 3600.0].map(of), [1, 1, 30, 60, 60]);
    }
}
