//! The virtual network: who reaches whom, what is lost, and how long the rest takes.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use crate::detector::bits::Bits;
use crate::detector::time::Now;

/// What happens to datagrams between hosts that reach each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Conditions {
    /// The share of datagrams lost, each independently.
    pub loss: f64,
    /// Times in which everything between two hosts is lost, one way.
    pub bursts: Option<Bursts>,
    /// The shortest time a datagram takes.
    pub delay: Duration,
    /// How much longer it may take, uniformly. More than the time between datagrams reorders them.
    pub jitter: Duration,
    /// How much longer every datagram takes from a host of higher number to one of lower number.
    pub asymmetry: Duration,
    /// The share of datagrams that arrive twice.
    pub duplicates: f64,
}

impl Default for Conditions {
    /// A healthy data centre.
    fn default() -> Self {
        Self {
            loss: 0.0,
            bursts: None,
            delay: Duration::from_micros(200),
            jitter: Duration::from_micros(300),
            asymmetry: Duration::ZERO,
            duplicates: 0.0,
        }
    }
}

/// Bursts of loss on every directed pair, with exponential lengths and pauses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bursts {
    /// The mean length of a burst.
    pub mean: Duration,
    /// The mean pause between two.
    pub pause: Duration,
}

/// The state of one directed pair under bursts.
#[derive(Clone, Copy, Debug, Default)]
struct Weather {
    until: Now,
    lost: bool,
}

/// What of a machine is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Nothing,
    /// Its host, and not what runs on it.
    Host,
    Everything,
}

/// The virtual network between a fixed number of hosts.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) conditions: Conditions,
    /// For each sender, to whom nothing arrives.
    blocked: Vec<Bits>,
    /// As `blocked`, but everything else than UDP passes.
    udp_blocked: Vec<Bits>,
    /// As `blocked`, but the hosts' own addresses are on another network, which is whole.
    overlay_blocked: Vec<Bits>,
    /// Whether anything is blocked at all; nobody looks further while nothing is.
    is_cut: bool,
    weather: Vec<Weather>,
}

impl Network {
    pub(super) fn new(hosts: usize, conditions: Conditions) -> Self {
        let weather = if conditions.bursts.is_some() { vec![Weather::default(); hosts * hosts] } else { Vec::new() };
        let nothing = vec![Bits::none(hosts); hosts];
        Self {
            conditions,
            blocked: nothing.clone(),
            udp_blocked: nothing.clone(),
            overlay_blocked: nothing,
            is_cut: false,
            weather,
        }
    }

    /// Nothing that `from` sends arrives at `to`, until [`Self::heal`].
    pub(super) fn block(&mut self, from: usize, to: usize) {
        self.is_cut = true;
        self.blocked[from].set(to);
    }

    /// No datagram of `from` arrives at `to`, until [`Self::heal`]; everything else does.
    pub(super) fn block_udp(&mut self, from: usize, to: usize) {
        self.is_cut = true;
        self.udp_blocked[from].set(to);
    }

    /// Nothing that the agent of `from` sends arrives at that of `to`, until [`Self::heal`]; between the hosts it does.
    pub(super) fn block_overlay(&mut self, from: usize, to: usize) {
        self.is_cut = true;
        self.overlay_blocked[from].set(to);
    }

    /// How far two machines reach each other beside the heartbeat.
    pub(super) fn reach(&self, one: usize, other: usize) -> Reach {
        let either = |blocked: &[Bits]| blocked[one].has(other) || blocked[other].has(one);
        if either(&self.blocked) {
            Reach::Nothing
        } else if either(&self.overlay_blocked) {
            Reach::Host
        } else {
            Reach::Everything
        }
    }

    /// What `from` sends arrives at `to` again.
    pub(super) fn unblock(&mut self, from: usize, to: usize) {
        self.blocked[from].clear(to);
        self.udp_blocked[from].clear(to);
        self.overlay_blocked[from].clear(to);
        let all = [&self.blocked, &self.udp_blocked, &self.overlay_blocked];
        if all.iter().all(|blocked| blocked[from].is_empty()) {
            self.is_cut = all.into_iter().flatten().any(|blocked| !blocked.is_empty());
        }
    }

    /// Everybody reaches everybody.
    pub(super) fn heal(&mut self) {
        self.is_cut = false;
        let hosts = self.blocked.len();
        self.blocked = vec![Bits::none(hosts); hosts];
        self.udp_blocked = vec![Bits::none(hosts); hosts];
        self.overlay_blocked = vec![Bits::none(hosts); hosts];
    }

    /// When a datagram arrives; not at all if it is lost. The second time is that of a duplicate.
    pub(super) fn carry(&mut self, from: usize, to: usize, now: Now, random: &mut ChaCha8Rng) -> [Option<Now>; 2] {
        if self.is_cut && self.is_blocked(from, to) || self.is_lost(from, to, now, random) {
            return [None, None];
        }
        let arrival = now + self.delay(from, to, random);
        let twice = self.conditions.duplicates > 0.0 && chance(random) < self.conditions.duplicates;
        let again = twice.then(|| now + self.delay(from, to, random));
        [Some(arrival), again]
    }

    fn is_blocked(&self, from: usize, to: usize) -> bool {
        [&self.blocked, &self.udp_blocked, &self.overlay_blocked].iter().any(|blocked| blocked[from].has(to))
    }

    fn is_lost(&mut self, from: usize, to: usize, now: Now, random: &mut ChaCha8Rng) -> bool {
        if let Some(bursts) = self.conditions.bursts {
            let hosts = self.blocked.len();
            let weather = &mut self.weather[from * hosts + to];
            while weather.until <= now {
                weather.lost = !weather.lost;
                let mean = if weather.lost { bursts.mean } else { bursts.pause };
                weather.until = weather.until + mean.mul_f64(-(1.0 - chance(random)).ln());
            }
            if weather.lost {
                return true;
            }
        }
        self.conditions.loss > 0.0 && chance(random) < self.conditions.loss
    }

    fn delay(&self, from: usize, to: usize, random: &mut ChaCha8Rng) -> Duration {
        let conditions = &self.conditions;
        let detour = if from > to { conditions.asymmetry } else { Duration::ZERO };
        conditions.delay + detour + conditions.jitter.mul_f64(chance(random))
    }
}

/// Uniform in [0, 1).
pub(super) fn chance(random: &mut impl Rng) -> f64 {
    f64::from(random.next_u32()) / (f64::from(u32::MAX) + 1.0)
}
