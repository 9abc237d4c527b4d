//! Listens to every agent at every moment, and holds what it says against what is true.
//!
//! A word is right if a fault that lasts explains it, or one that ended so short a time ago that the word was on its way. A
//! word that nothing explains is an alarm without a reason; one that mistakes a fault for another is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use netsplit::detector::event::{Event, LinkRecord};
use netsplit::detector::partition::{Partition, PartitionId};
use netsplit::detector::time::Now;
use netsplit::simulation::Told as Heard;

use super::nodes::Nodes;
use super::outcome::{Alarms, Told};
use super::truth::{Claim, Truth};

/// How many wrong words are kept, to be shown.
const KEPT_WORDS: usize = 5;

/// What holds now, and what held last.
pub(super) struct Judge<'a> {
    places: BTreeMap<&'a str, usize>,
    agents: Vec<Said>,
    /// Nodes whose own troubles may be told at any time.
    troubled: BTreeSet<usize>,
    /// How long after its end a fault explains what is said.
    grace: Duration,
    fault: Option<Fault<'a>>,
    alarms: Alarms,
    /// Partitions that were told without a reason.
    alarming: BTreeSet<PartitionId>,
    /// How many agents tell of a node without a reason.
    accused: BTreeMap<usize, BTreeSet<usize>>,
}

/// One fault, from its beginning until the next one begins.
struct Fault<'a> {
    truth: &'a Truth,
    began: Now,
    ended: Option<Now>,
    told: Told,
    ids: BTreeSet<PartitionId>,
    /// Who said something wrong.
    wrong: BTreeSet<usize>,
}

/// What one agent says now.
#[derive(Clone, Debug, Default)]
struct Said {
    open: BTreeMap<PartitionId, Partition>,
    unheard: BTreeSet<usize>,
    down: BTreeSet<usize>,
    /// Since when it has said the right thing of the fault that lasts.
    right_since: Option<Now>,
    /// Whether it had something to tell when the fault ended.
    is_to_end: bool,
    /// When it told the last end.
    quiet_since: Option<Now>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(nodes: &'a Nodes, troubled: BTreeSet<usize>, grace: Duration) -> Self {
        let names = nodes.machines().iter().enumerate();
        Self {
            places: names.map(|(place, machine)| (machine.name.as_str(), place)).collect(),
            agents: vec![Said::default(); nodes.len()],
            troubled,
            grace,
            fault: None,
            alarms: Alarms::default(),
            alarming: BTreeSet::new(),
            accused: BTreeMap::new(),
        }
    }

    /// What was told without a reason so far.
    pub(super) fn alarms(&self) -> Alarms {
        self.alarms
    }

    /// From now on this is true.
    pub(super) fn begin(&mut self, truth: &'a Truth, now: Now) {
        let unended = self.agents.iter().filter(|said| !said.is_quiet(&self.troubled)).count();
        let agents = self.agents.len() as u64;
        let told = Told { rounds: 1, agents, unended: unended as u64, ..Told::default() };
        let mut fault = Fault { truth, began: now, ended: None, told, ids: BTreeSet::new(), wrong: BTreeSet::new() };
        for (agent, said) in self.agents.iter_mut().enumerate() {
            (said.is_to_end, said.quiet_since) = (false, None);
            said.right_since = said.is_right(fault.truth.claim(agent), &self.troubled).then_some(now);
            fault.ids.extend(said.right_since.iter().flat_map(|_| said.open.keys().copied()));
        }
        self.fault = Some(fault);
    }

    /// It is no longer true. `crossed` is when the last datagram arrived over what was cut.
    pub(super) fn end(&mut self, now: Now, crossed: Now, may_write: impl Fn(usize) -> bool) {
        let Some(fault) = &mut self.fault else { return };
        fault.ended = Some(now);
        let told = &mut fault.told;
        let lasted = now.since(fault.began);
        for (agent, said) in self.agents.iter_mut().enumerate() {
            said.is_to_end = !said.is_quiet(&self.troubled);
            told.writers += u64::from(may_write(agent));
            if *fault.truth.claim(agent) == Claim::Nothing {
                continue;
            }
            let is_right = said.right_since.is_some() && !fault.wrong.contains(&agent);
            if lasted < fault.truth.owed_after(agent) {
                told.excused += 1;
            } else {
                told.owed += 1;
                told.right += u64::from(is_right);
                told.silent += u64::from(said.right_since.is_none());
            }
            // Who still told the one before has told nothing of this one.
            if let Some(since) = said.right_since.filter(|&since| since > fault.began) {
                told.tellings.push(since.since(crossed));
            }
        }
    }

    /// Whether nobody has anything to tell.
    pub(super) fn is_quiet(&self) -> bool {
        self.agents.iter().all(|said| said.is_quiet(&self.troubled))
    }

    /// What was told of the fault that began last: its story is over.
    pub(super) fn close(&mut self) -> Told {
        let Some(mut fault) = self.fault.take() else { return Told::default() };
        if let Some(ended) = fault.ended {
            let ends = self.agents.iter().filter_map(|said| said.quiet_since);
            fault.told.ends.extend(ends.map(|end| end.since(ended)));
        }
        fault.told.wrong = fault.wrong.len() as u64;
        fault.told.named_twice = u64::from(fault.ids.len() > 1);
        fault.told
    }

    /// Somebody says something.
    pub(super) fn hear(&mut self, heard: &Heard) {
        let (agent, now) = (heard.host, heard.at);
        match &heard.event {
            Event::PartitionOpened(partition) | Event::PartitionChanged(partition) => {
                self.agents[agent].open.insert(partition.id, partition.clone());
                self.judge_partition(agent, partition, now);
            }
            Event::PartitionClosed { partition, .. } => {
                self.agents[agent].open.remove(&partition.id);
                self.judge_closing(agent, partition, now);
            }
            Event::NodeUnheard { peer } => self.learn_of_node(agent, peer, now, |said| &mut said.unheard),
            Event::AgentDown { peer, .. } => self.learn_of_node(agent, peer, now, |said| &mut said.down),
            Event::NodeHeard { peer, .. } | Event::AgentUp { peer, .. } => self.forget_node(agent, peer),
            Event::LinkDown { links } => links.iter().for_each(|link| self.judge_link(agent, link, now)),
            Event::Blind { .. } if !self.troubled.contains(&agent) && self.recent(now).is_none() => {
                self.alarms.blind += 1;
            }
            _ => return,
        }
        self.look_at(agent, now);
    }

    /// The fault that explains what is said now, if there is one.
    fn recent(&self, now: Now) -> Option<&Fault<'a>> {
        self.fault.as_ref().filter(|fault| fault.ended.is_none_or(|ended| now.since(ended) <= self.grace))
    }

    fn judge_partition(&mut self, agent: usize, partition: &Partition, now: Now) {
        let is_met = self.recent(now).map(|fault| fault.truth.claim(agent).is_met_by(partition));
        match (is_met, &mut self.fault) {
            (Some(true), Some(fault)) => {
                fault.ids.insert(partition.id);
            }
            (Some(false), _) => {
                let sides: Vec<String> = partition.sides.iter().map(|side| side.count.to_string()).collect();
                self.blame(agent, &format!("{} {}", partition.kind.as_str(), sides.join("|")));
            }
            (None, _) => self.alarms.partitions += u64::from(self.alarming.insert(partition.id)),
            (Some(true), None) => {}
        }
    }

    /// While a cut lasts it must not be told as over. What was told before it began may take its time.
    fn judge_closing(&mut self, agent: usize, partition: &Partition, now: Now) {
        let lasts = self.fault.as_ref().filter(|fault| fault.ended.is_none() && now.since(fault.began) > self.grace);
        if lasts.is_some_and(|fault| fault.truth.claim(agent).is_met_by(partition)) {
            self.blame(agent, &format!("{} over", partition.kind.as_str()));
        }
    }

    fn learn_of_node(&mut self, agent: usize, peer: &str, now: Now, of: impl Fn(&mut Said) -> &mut BTreeSet<usize>) {
        let Some(&node) = self.places.get(peer) else { return };
        of(&mut self.agents[agent]).insert(node);
        if self.troubled.contains(&node) {
            return;
        }
        let said = &self.agents[agent];
        let allowed = |claim: &Claim| {
            (!said.unheard.contains(&node) || claim.allows_unheard(node))
                && (!said.down.contains(&node) || claim.allows_down(node))
        };
        match self.recent(now).map(|fault| allowed(fault.truth.claim(agent))) {
            Some(true) => {}
            Some(false) => self.blame(agent, &format!("{peer} unheard or down")),
            None => {
                let accusers = self.accused.entry(node).or_default();
                self.alarms.nodes += u64::from(accusers.is_empty());
                accusers.insert(agent);
            }
        }
    }

    fn forget_node(&mut self, agent: usize, peer: &str) {
        let Some(node) = self.places.get(peer) else { return };
        let said = &mut self.agents[agent];
        said.unheard.remove(node);
        said.down.remove(node);
        if let Some(accusers) = self.accused.get_mut(node) {
            accusers.remove(&agent);
        }
    }

    fn judge_link(&mut self, agent: usize, link: &LinkRecord, now: Now) {
        let Some(&peer) = self.places.get(link.peer.as_str()) else { return };
        let is_cut = self.recent(now).is_some_and(|fault| fault.truth.silences(peer, agent));
        match (&mut self.fault, link.silent_for) {
            (Some(fault), Some(silence)) if is_cut => fault.told.links.push(silence),
            _ if is_cut || self.troubled.contains(&peer) => {}
            _ => self.alarms.links += 1,
        }
    }

    fn blame(&mut self, agent: usize, words: &str) {
        let Some(fault) = &mut self.fault else { return };
        fault.wrong.insert(agent);
        if fault.told.wrong_words.len() < KEPT_WORDS {
            fault.told.wrong_words.push(words.to_owned());
        }
    }

    /// Whether an agent says the right thing now, and since when.
    fn look_at(&mut self, agent: usize, now: Now) {
        let said = &mut self.agents[agent];
        let Some(fault) = &self.fault else { return };
        if fault.ended.is_some() {
            let is_over = said.is_to_end && said.is_quiet(&self.troubled);
            said.quiet_since = is_over.then(|| said.quiet_since.unwrap_or(now));
        } else if said.is_right(fault.truth.claim(agent), &self.troubled) {
            said.right_since.get_or_insert(now);
        } else {
            said.right_since = None;
        }
    }
}

impl Said {
    fn is_quiet(&self, troubled: &BTreeSet<usize>) -> bool {
        self.open.is_empty() && self.unheard.union(&self.down).all(|node| troubled.contains(node))
    }

    /// Whether it says all that it ought to, and nothing else.
    fn is_right(&self, claim: &Claim, troubled: &BTreeSet<usize>) -> bool {
        let others = self.unheard.union(&self.down).filter(|node| !troubled.contains(node));
        match claim {
            Claim::Nothing => self.is_quiet(troubled),
            Claim::Unheard(node) => {
                self.open.is_empty() && self.unheard.contains(node) && others.clone().all(|other| other == node)
            }
            Claim::Gone(node) => {
                let is_told = self.unheard.contains(node) || self.down.contains(node);
                self.open.is_empty() && is_told && others.clone().all(|other| other == node)
            }
            Claim::Partition(_) => {
                self.open.len() == 1 && self.open.values().all(|open| claim.is_met_by(open)) && others.count() == 0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use netsplit::detector::settings::Timing;
    use netsplit::simulation::{Conditions, World};

    use super::super::cut::CutText;
    use super::*;

    /// Five nodes cut 3|2 for a while, and a judge who takes this to be true; `None`: that nothing is wrong.
    fn judged(believed: Option<&str>) -> (Told, Alarms) {
        let timing = Timing::of_period(Duration::from_secs(1));
        let nodes = Nodes::of(5, None).unwrap();
        let mut world = World::of(nodes.machines().to_vec(), timing, Conditions::default(), 1);
        world.start_all();
        world.run_for(Duration::from_secs(10));
        world.forget_told();
        let truth = believed.map(|cut| {
            let cut = cut.parse::<CutText>().unwrap().among(&nodes).unwrap();
            Truth::of_cut(&cut, &nodes, &timing)
        });
        let mut judge = Judge::new(&nodes, BTreeSet::new(), Duration::from_secs(5));
        if let Some(truth) = &truth {
            judge.begin(truth, world.now());
        }
        let cut = world.now();
        world.cut(&[vec![0, 1, 2], vec![3, 4]]);
        world.run_for(Duration::from_secs(20));
        world.take_told().iter().for_each(|heard| judge.hear(heard));
        judge.end(world.now(), cut, |agent| agent < 3);
        world.heal();
        world.run_for(Duration::from_secs(20));
        world.take_told().iter().for_each(|heard| judge.hear(heard));
        let alarms = judge.alarms();
        (judge.close(), alarms)
    }

    #[test]
    fn what_is_true_is_right_and_is_no_alarm() {
        let (told, alarms) = judged(Some("3|2"));
        assert_eq!((told.owed, told.right, told.wrong, told.silent), (5, 5, 0, 0));
        assert_eq!((told.links.len(), told.tellings.len(), told.ends.len(), told.writers), (12, 5, 5, 3));
        assert_eq!(alarms, Alarms::default());
    }

    #[test]
    fn other_sides_than_the_true_ones_are_wrong_at_every_agent() {
        let (told, alarms) = judged(Some("2|3"));
        assert_eq!((told.owed, told.right, told.wrong, told.silent), (5, 0, 5, 5));
        assert!(told.wrong_words.iter().all(|words| words.starts_with("complete")), "{:?}", told.wrong_words);
        assert_eq!(alarms.links, 4, "those between n3 and n4, n5, which the cut as it is believed does not touch");
    }

    #[test]
    fn another_kind_than_the_true_one_is_wrong() {
        let (told, _) = judged(Some("n1,n2|n4,n5 via n3"));
        assert_eq!((told.right, told.wrong), (0, 5));
    }

    #[test]
    fn what_nothing_explains_is_one_alarm_however_many_agents_tell_it() {
        let (_, alarms) = judged(None);
        assert_eq!((alarms.partitions, alarms.nodes, alarms.links), (1, 0, 12));
    }
}
