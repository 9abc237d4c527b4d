//! Links that were declared down, and until when: by them a cut that was told by mere loss was there or was not.

use std::time::Duration;

use netsplit::detector::event::Event;
use netsplit::detector::partition::Partition;
use netsplit::detector::time::Now;
use netsplit::simulation::{Told, World};

/// For how long a link that came up again may be part of a cut still.
const LATELY: Duration = Duration::from_secs(15);

/// How long a link that is down may be known to rows before its agent tells of it: what was told later is not judged yet.
pub const UNTOLD: Duration = Duration::from_secs(1);

/// A link that was silent for so long that it was declared down.
#[derive(Debug)]
struct Fall {
    at: Now,
    until: Option<Now>,
    agent: String,
    peer: String,
}

/// The links that fell.
#[derive(Debug, Default)]
pub struct Falls(Vec<Fall>);

impl Falls {
    /// Takes what was told into account; returns how many links fell.
    pub fn hear(&mut self, world: &World, told: &Told) -> usize {
        let agent = world.name(told.host);
        match &told.event {
            Event::LinkDown { links } => {
                let fall = |peer: &String| Fall { at: told.at, until: None, agent: agent.into(), peer: peer.clone() };
                self.0.extend(links.iter().map(|link| fall(&link.peer)));
                links.len()
            }
            Event::LinkUp { links } => {
                for link in links {
                    let mut falls = self.0.iter_mut().rev();
                    if let Some(fall) = falls.find(|fall| fall.agent == agent && fall.peer == link.peer) {
                        fall.until.get_or_insert(told.at);
                    }
                }
                0
            }
            _ => 0,
        }
    }

    /// Forgets what is over for long.
    pub fn forget_old(&mut self, now: Now) {
        self.0.retain(|fall| fall.until.is_none_or(|until| now < until + LATELY * 8));
    }

    /// Whether of any two who are said to be cut off one did not hear the other, then or lately.
    pub fn explain(&self, partition: &Partition) -> bool {
        let is_joined = |one: &String, other: &String| {
            partition.exceptions.iter().any(|(first, second)| [first, second] == [one, other])
        };
        let is_silent = |one, other| self.between(one, other).any(|fall| fall.is_of(partition.opened));
        let (near, far) = (&partition.sides[0].nodes, &partition.sides[1].nodes);
        near.iter().all(|one| far.iter().all(|other| is_joined(one, other) || is_silent(one, other)))
    }

    fn between<'a>(&'a self, one: &'a str, other: &'a str) -> impl Iterator<Item = &'a Fall> {
        self.0.iter().filter(move |fall| {
            let nodes = [fall.agent.as_str(), fall.peer.as_str()];
            nodes == [one, other] || nodes == [other, one]
        })
    }
}

impl Fall {
    fn is_of(&self, opened: Now) -> bool {
        self.at < opened + UNTOLD && self.until.is_none_or(|until| opened < until + LATELY)
    }
}
