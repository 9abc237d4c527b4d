//! What is true of a small world in which anything happens: who runs, which links are open and since when, who heard whom.
//!
//! It knows nothing of detectors: it is what their words are held against.

use std::collections::BTreeSet;
use std::time::Duration;

use netsplit::detector::time::Now;

/// What is true now, and since when.
#[derive(Clone, Debug)]
pub struct KnownTruth {
    hosts: usize,
    /// For each sender, whom nothing of it reaches.
    blocked: Vec<Vec<bool>>,
    running: Vec<bool>,
    /// Since when what is sent arrives, for each directed pair; none while it is cut or one of them does not run.
    open_since: Vec<Vec<Option<Now>>>,
    stalled_until: Vec<Now>,
    /// Which agent heard the present run of another: what it never heard it need not miss.
    heard: Vec<Vec<bool>>,
    /// Which agent, in its present run, surely heard that of another: only who has answered it once is believed then.
    met: Vec<Vec<bool>>,
    /// Who has surely got the goodbye of a host.
    taken_leave: Vec<Vec<bool>>,
    /// Who stopped with a goodbye, whoever got it.
    left: Vec<bool>,
    changed: Now,
}

impl KnownTruth {
    /// All run, and hear each other since the beginning.
    pub fn new(hosts: usize, now: Now) -> Self {
        Self {
            hosts,
            blocked: vec![vec![false; hosts]; hosts],
            running: vec![true; hosts],
            open_since: vec![vec![Some(Now::START); hosts]; hosts],
            stalled_until: vec![Now::START; hosts],
            heard: vec![vec![true; hosts]; hosts],
            met: vec![vec![true; hosts]; hosts],
            taken_leave: vec![vec![false; hosts]; hosts],
            left: vec![false; hosts],
            changed: now,
        }
    }

    pub fn block(&mut self, links: &[(usize, usize)], now: Now) {
        for &(from, to) in links {
            self.blocked[from][to] = true;
        }
        self.change(now);
    }

    pub fn heal(&mut self, now: Now) {
        self.blocked.iter_mut().for_each(|to| to.fill(false));
        self.change(now);
    }

    /// The agent says goodbye; `surely`: nothing but a cut keeps it from anybody.
    pub fn leave(&mut self, host: usize, surely: bool, now: Now) {
        self.stop(host, surely, now);
        self.left[host] = true;
    }

    /// The agent is killed.
    pub fn kill(&mut self, host: usize, now: Now) {
        self.stop(host, false, now);
    }

    fn stop(&mut self, host: usize, said: bool, now: Now) {
        for other in 0..self.hosts {
            self.taken_leave[other][host] =
                said && self.is_whole(other, host, now, Duration::from_secs(5)) && self.stalled_until[other] < now;
            self.heard[other][host] = false;
            self.met[other][host] = false;
            self.met[host][other] = false;
        }
        self.running[host] = false;
        self.change(now);
    }

    pub fn start(&mut self, host: usize, state: bool, now: Now) {
        self.running[host] = true;
        self.left[host] = false;
        for other in 0..self.hosts {
            self.taken_leave[other][host] = false;
            self.taken_leave[host][other] = false;
            self.open_since[host][other] = None;
            self.open_since[other][host] = None;
            if !state {
                self.heard[host][other] = false;
            }
        }
        self.change(now);
    }

    /// It does not run for a while. Who called its agent down meanwhile does so until it is heard again.
    pub fn stall(&mut self, host: usize, until: Now, now: Now) {
        self.heard.iter_mut().for_each(|heard| heard[host] = false);
        self.stalled_until[host] = self.stalled_until[host].max(until);
        self.change(now);
    }

    fn change(&mut self, now: Now) {
        self.changed = now;
        for from in 0..self.hosts {
            for to in 0..self.hosts {
                let open = self.running[from] && self.running[to] && !self.blocked[from][to];
                let runs = self.stalled_until[from].max(self.stalled_until[to]);
                let since = &mut self.open_since[from][to];
                *since = open.then(|| since.unwrap_or(now).max(runs));
            }
        }
    }

    /// Notes who has heard whom until now. A new run is heard once it has answered: that takes both ways.
    pub fn hear(&mut self, now: Now) {
        for from in 0..self.hosts {
            for to in 0..self.hosts {
                let whole = self.is_whole(from, to, now, Duration::from_secs(5));
                self.heard[to][from] |= whole;
                self.met[to][from] |= whole;
            }
        }
    }

    /// Whether what is sent either way has arrived for longer than this.
    pub fn is_whole(&self, one: usize, other: usize, at: Now, longer_than: Duration) -> bool {
        [(one, other), (other, one)].into_iter().all(|(from, to)| {
            self.open_since[from][to].is_some_and(|since| at > since && at.since(since) > longer_than)
        })
    }

    /// When the network, or who runs, changed last; the end of a stall is a change.
    pub fn still_since(&self) -> Now {
        self.stalled_until.iter().copied().fold(self.changed, Now::max)
    }

    pub fn has_taken_leave(&self, host: usize, of: usize) -> bool {
        self.taken_leave[host][of]
    }

    pub fn runs(&self, host: usize) -> bool {
        self.running[host]
    }

    pub fn hosts(&self) -> usize {
        self.hosts
    }

    fn is_joined(&self, one: usize, other: usize) -> bool {
        one != other && self.open_since[one][other].is_some() && self.open_since[other][one].is_some()
    }

    /// Who talks with a host, be it by way of others; itself included.
    pub fn side_of(&self, host: usize) -> BTreeSet<usize> {
        let mut side = BTreeSet::from([host]);
        let mut from = vec![host];
        while let Some(one) = from.pop() {
            for other in (0..self.hosts).filter(|&other| self.is_joined(one, other)) {
                if side.insert(other) {
                    from.push(other);
                }
            }
        }
        side
    }

    /// Whether any two of these talk, or have one between them with whom both do. What is further apart may see
    /// different parts of the network.
    pub fn is_close(&self, side: &BTreeSet<usize>) -> bool {
        side.iter().all(|&one| side.iter().all(|&other| one == other || self.is_near(one, other)))
    }

    fn is_near(&self, one: usize, other: usize) -> bool {
        let between = |via| self.is_joined(one, via) && self.is_joined(via, other);
        self.is_joined(one, other) || (0..self.hosts).any(between)
    }

    /// Who runs and talks with nobody of this side.
    pub fn outside(&self, side: &BTreeSet<usize>) -> BTreeSet<usize> {
        (0..self.hosts).filter(|host| self.running[*host] && !side.contains(host)).collect()
    }

    /// Whether all of these have heard all of those at some time.
    pub fn have_heard(&self, these: &BTreeSet<usize>, those: &BTreeSet<usize>) -> bool {
        these.iter().all(|&one| those.iter().all(|&other| self.heard[one][other]))
    }

    /// Whether a goodbye may have reached some of a side and not all: then some wait for who left, and others do not.
    pub fn is_at_odds_about_who_left(&self, side: &BTreeSet<usize>) -> bool {
        (0..self.hosts).any(|host| self.left[host] && side.iter().any(|&other| !self.taken_leave[other][host]))
    }

    /// Whether anything of a host arrives at any of those.
    pub fn is_heard_by(&self, host: usize, those: &BTreeSet<usize>) -> bool {
        those.iter().any(|&to| self.open_since[host][to].is_some())
    }

    /// Whether what arrives is believed, too.
    fn surely_hears(&self, to: usize, from: usize) -> bool {
        self.open_since[from][to].is_some() && self.met[to][from]
    }

    /// Whether a host knows at first hand all that a side knows of who is outside: whom only others of the side hear, it
    /// cannot tell from whom they talk with.
    pub fn hears_what_its_side_hears(&self, host: usize, side: &BTreeSet<usize>, outside: &BTreeSet<usize>) -> bool {
        outside.iter().all(|&other| !self.is_heard_by(other, side) || self.surely_hears(host, other))
    }

    /// Pairs of a side that do not talk, though both have heard each other before.
    pub fn broken_within(&self, side: &BTreeSet<usize>) -> Vec<(usize, usize)> {
        let pairs = side.iter().flat_map(|&one| side.range(one + 1..).map(move |&other| (one, other)));
        let broken = |&(one, other): &(usize, usize)| !self.is_joined(one, other);
        pairs.filter(broken).filter(|&(one, other)| self.heard[one][other] && self.heard[other][one]).collect()
    }

    /// Whether a host talks with one of a pair, or is one: then its own ears tell it of that pair.
    pub fn is_beside(&self, host: usize, (one, other): (usize, usize)) -> bool {
        [one, other].into_iter().any(|node| node == host || self.is_joined(node, host))
    }
}
