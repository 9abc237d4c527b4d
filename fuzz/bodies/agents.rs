//! A few detectors in virtual time whose datagrams are really sealed and opened, as the shell of an agent does it; and the
//! doors through which a stranger, or a holder of the key who lies, may put something of his own.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use netsplit::detector::saved::Saved;
use netsplit::detector::settings::{Member, ModePolicy, Settings, Timing};
use netsplit::detector::time::Now;
use netsplit::detector::view::{Counters, Refusal, View};
use netsplit::detector::{Detector, Input, Listing, Output};
use netsplit::hlc::Stamp;
use netsplit::identity::{Incarnation, NodeId};
use netsplit::wire::{self, KEY_SIZE, Key, Keys, TAG_SIZE};
use ring::hmac;

/// The agent that is looked at.
pub const SUBJECT: usize = 0;

/// The name of the cluster.
pub const CLUSTER: &str = "production";

/// The key that every agent holds.
pub const KEY: [u8; KEY_SIZE] = [0x5a; KEY_SIZE];

/// How long a datagram is on its way.
const WAY: Duration = Duration::from_millis(1);

/// Runs are numbered by the time of day.
const INCARNATION: u64 = 1_763_726_400_000_000;

/// A datagram that arrived at the agent that is looked at.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// Where it came from.
    pub from: SocketAddr,
    /// The whole of it, sealed.
    pub bytes: Vec<u8>,
}

/// The agents, node-1 first.
pub struct Agents {
    detectors: Vec<Detector>,
    /// A copy of the subject that takes the same, and nothing that is put in by a stranger.
    twin: Option<Detector>,
    addresses: Vec<SocketAddr>,
    keys: Keys,
    now: Now,
    order: u64,
    on_their_way: BTreeMap<(Now, u64), (usize, Arrived)>,
    /// What arrived at the subject.
    pub arrived: Vec<Arrived>,
    /// Whether nothing passes between the first half and the others.
    pub is_cut: bool,
}

fn member(index: usize) -> Member {
    let address = SocketAddr::from((Ipv4Addr::new(10, 0, 0, u8::try_from(index + 1).unwrap()), 7475));
    Member::new(format!("node-{}", index + 1), "east", address)
}

fn detector(index: usize, now: Now) -> Detector {
    let timing = Timing::of_period(Duration::from_secs(1));
    let settings = Settings {
        cluster: CLUSTER.into(),
        node: member(index),
        timing: timing.into(),
        mode: ModePolicy::default(),
        endpoints: Vec::new(),
    };
    let run = Incarnation(INCARNATION + u64::try_from(index).unwrap());
    Detector::new(settings, Saved::default(), run, [u8::try_from(index).unwrap(); 32], now)
}

impl Agents {
    /// So many that know of each other, and have not spoken yet.
    pub fn new(count: usize) -> Self {
        let members: Vec<Member> = (0..count).map(member).collect();
        let mut agents = Self {
            detectors: (0..count).map(|index| detector(index, Now::START)).collect(),
            twin: None,
            addresses: members.iter().map(|member| member.address).collect(),
            keys: Keys::oldest_first(vec![Key::new(&KEY)]).unwrap(),
            now: Now::START,
            order: 0,
            on_their_way: BTreeMap::new(),
            arrived: Vec::new(),
            is_cut: false,
        };
        for index in 0..count {
            agents.hand_in(index, &Input::Listing(Listing::of(members.clone())));
        }
        agents
    }

    /// So many that have been acquainted for this long.
    pub fn acquainted(count: usize, time: Duration) -> Self {
        let mut agents = Self::new(count);
        agents.run_for(time);
        agents
    }

    /// As [`Self::new`], with a copy of the subject that no stranger reaches.
    pub fn with_twin(count: usize) -> Self {
        let mut agents = Self::new(count);
        let mut twin = detector(SUBJECT, Now::START);
        twin.handle(Input::Listing(Listing::of((0..count).map(member).collect())), Now::START);
        keep_all(&mut twin, Now::START);
        agents.twin = Some(twin);
        agents
    }

    /// Virtual time.
    pub fn now(&self) -> Now {
        self.now
    }

    /// The agent that is looked at.
    pub fn subject(&self) -> &Detector {
        &self.detectors[SUBJECT]
    }

    /// The id of an agent.
    pub fn id(&self, index: usize) -> NodeId {
        self.detectors[index].id()
    }

    /// The keys of all.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Where an agent listens.
    pub fn address(&self, index: usize) -> SocketAddr {
        self.addresses[index]
    }

    /// Everybody runs for this long.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.next().filter(|&next| next <= end) {
            self.now = self.now.max(next);
            self.wake_those_due();
            self.deliver_what_is_due();
        }
        self.now = end;
    }

    fn next(&self) -> Option<Now> {
        let timers = self.detectors.iter().filter_map(Detector::poll_timeout);
        let arrival = self.on_their_way.keys().next().map(|&(at, _)| at);
        timers.chain(arrival).min()
    }

    fn wake_those_due(&mut self) {
        let now = self.now;
        for index in 0..self.detectors.len() {
            if self.detectors[index].poll_timeout().is_some_and(|due| due <= now) {
                self.detectors[index].handle_timeout(now);
                if let Some(twin) = self.twin.as_mut().filter(|_| index == SUBJECT) {
                    twin.handle_timeout(now);
                }
                self.take_outputs(index);
            }
        }
    }

    fn deliver_what_is_due(&mut self) {
        while let Some(entry) = self.on_their_way.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let (to, arrived) = entry.remove();
            let own = self.id(to);
            let opened = wire::open(&arrived.bytes, own, &self.keys).unwrap();
            let (from, size) = (arrived.from, arrived.bytes.len());
            if to == SUBJECT {
                self.arrived.push(arrived);
            }
            self.hand_in(to, &Input::Datagram { datagram: opened.datagram, from, size });
        }
    }

    /// Hands something to an agent, and to its twin.
    fn hand_in(&mut self, index: usize, input: &Input) {
        self.detectors[index].handle(input.clone(), self.now);
        if let Some(twin) = self.twin.as_mut().filter(|_| index == SUBJECT) {
            twin.handle(input.clone(), self.now);
        }
        self.take_outputs(index);
    }

    /// What an agent wants done is done; the twin must want the same.
    fn take_outputs(&mut self, index: usize) {
        while let Some(output) = self.detectors[index].poll_output() {
            if let Some(twin) = self.twin.as_mut().filter(|_| index == SUBJECT) {
                let same = twin.poll_output();
                assert_eq!(format!("{same:?}"), format!("{:?}", Some(&output)), "its twin wants something else");
            }
            match output {
                Output::Transmit { to, datagram } => self.send(index, to, &datagram),
                Output::Save(serial, _) => self.hand_in(index, &Input::Saved(serial)),
                _ => {}
            }
        }
        let left = self.twin.as_mut().filter(|_| index == SUBJECT).and_then(Detector::poll_output);
        assert!(left.is_none(), "only its twin wants {left:?}");
    }

    fn send(&mut self, from: usize, to: SocketAddr, datagram: &wire::Datagram) {
        let Some(to) = self.addresses.iter().position(|&address| address == to) else { return };
        let half = self.addresses.len() / 2;
        if self.is_cut && (from < half) != (to < half) {
            return;
        }
        let mut bytes = Vec::new();
        wire::seal(datagram, Stamp::default(), &self.keys, None, &mut bytes).unwrap();
        self.order += 1;
        self.on_their_way.insert((self.now + WAY, self.order), (to, Arrived { from: self.addresses[from], bytes }));
    }

    /// Bytes come to the subject from somewhere, and go the way that a shell gives them. What the wire says to them.
    pub fn put_in(&mut self, bytes: &[u8], from: SocketAddr) -> Result<(), wire::Refusal> {
        let (now, size) = (self.now, bytes.len());
        let detector = &mut self.detectors[SUBJECT];
        match wire::open(bytes, detector.id(), &self.keys) {
            Ok(opened) => {
                detector.handle(Input::Datagram { datagram: opened.datagram, from, size }, now);
                Ok(())
            }
            Err(refusal) => {
                if let wire::Refusal::NewerVersion(newer) = refusal {
                    let wire::Newer { sender, incarnation, sequence, .. } = newer;
                    detector.handle(Input::NewerVersion { sender, incarnation, sequence }, now);
                }
                Err(refusal)
            }
        }
    }

    /// What the subject wants done because of what was put in, which is then forgotten.
    pub fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.detectors[SUBJECT].poll_output()).collect()
    }

    /// All that the subject shows, but for what it counts.
    pub fn shown(&self) -> String {
        shown(&self.subject().view(self.now))
    }

    /// What the subject's twin shows.
    pub fn shown_by_twin(&self) -> String {
        self.twin.as_ref().map_or_else(String::new, |twin| shown(&twin.view(self.now)))
    }

    /// How often the subject refused for this reason.
    pub fn refused(&self, reason: Refusal) -> u64 {
        self.subject().view(self.now).counters.refused.get(&reason).copied().unwrap_or_default()
    }
}

fn shown(view: &View) -> String {
    format!("{:?}", View { counters: Counters::default(), ..view.clone() })
}

/// All that a detector wants kept is kept.
fn keep_all(detector: &mut Detector, now: Now) {
    while let Some(output) = detector.poll_output() {
        if let Output::Save(serial, _) = output {
            detector.handle(Input::Saved(serial), now);
        }
    }
}

/// Makes bytes authentic: whoever holds the key can say anything.
pub fn sign(content: &mut Vec<u8>) {
    if let Some(key) = content.get_mut(1) {
        *key = Key::new(&KEY).id().0;
    }
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &KEY), content);
    content.extend_from_slice(&tag.as_ref()[..TAG_SIZE]);
}
