//! The piece: everybody hears everybody, a cut, the verdicts, the heal.

use std::fmt::Write;
use std::io::Stdout;
use std::time::Duration;

use netsplit::agent::Record;
use netsplit::detector::event::Event;
use netsplit::detector::partition::PartitionKind;
use netsplit::detector::settings::Timing;
use netsplit::detector::time::Now;
use netsplit::table;
use serde::Serialize;

use super::cluster::{Cluster, Node};
use super::cut::Sides;
use super::judgement::{self, Expected};
use super::measures::{self, seconds};
use super::screen::Screen;
use super::telling;

/// The lab runs with the default period.
const PERIOD: Duration = Duration::from_secs(1);

/// How often it looks at its agents.
const GLANCE: Duration = Duration::from_millis(50);

/// How long a picture stands before the next act.
const READING: Duration = Duration::from_millis(2_500);

/// How long an act may last: ten times what it takes, for a machine that has other things to do.
const DEADLINE: Duration = Duration::from_mins(1);

/// The agents with their audience.
pub(super) struct Play {
    cluster: Cluster,
    sides: Vec<Vec<String>>,
    screen: Screen<Stdout>,
    records: Vec<Record>,
}

/// How it went.
pub(super) struct Outcome {
    sides: Vec<Vec<String>>,
    kind: PartitionKind,
    /// Every agent named its own side while the cut lasted.
    named: bool,
    /// Every agent saw the end, and that the others had lived through it.
    closed: bool,
    link_down: (Option<Duration>, Duration),
    partition: (Option<Duration>, Duration),
    closing: Option<Duration>,
}

impl Outcome {
    pub(super) fn is_correct(&self) -> bool {
        self.named && self.closed
    }

    /// All of it as one object.
    pub(super) fn json(&self) -> serde_json::Result<String> {
        let times = |(max, bound): (Option<Duration>, Duration)| Times { max: max.map(rounded), bound: rounded(bound) };
        serde_json::to_string(&Report {
            correct: self.is_correct(),
            kind: self.kind,
            sides: &self.sides,
            link_down_seconds: times(self.link_down),
            partition_seconds: times(self.partition),
            closed_seconds: Closed { max: self.closing.map(rounded) },
        })
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    correct: bool,
    kind: PartitionKind,
    sides: &'a [Vec<String>],
    link_down_seconds: Times,
    partition_seconds: Times,
    closed_seconds: Closed,
}

#[derive(Serialize)]
struct Times {
    /// The longest that any agent took; null if none got there.
    max: Option<f64>,
    bound: f64,
}

#[derive(Serialize)]
struct Closed {
    max: Option<f64>,
}

/// Seconds to the millisecond.
fn rounded(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e3).round() / 1e3
}

impl Play {
    /// Starts the agents. To be called within a `LocalSet`.
    pub(super) fn begin(sides: &Sides, screen: Screen<Stdout>) -> anyhow::Result<Self> {
        let sides = sides.names();
        let cluster = Cluster::start(&sides, Timing::of_period(PERIOD))?;
        Ok(Self { cluster, sides, screen, records: Vec::new() })
    }

    /// All acts.
    pub(super) async fn perform(&mut self) -> anyhow::Result<Outcome> {
        self.start().await?;
        let cut = self.cluster.clock.now();
        let named = self.cut().await?;
        let heal = self.cluster.clock.now();
        let closed = self.heal(heal).await?;
        self.tell_the_log(cut);
        let outcome = self.outcome(cut, heal, named, closed);
        self.applaud(&outcome);
        Ok(outcome)
    }

    async fn start(&mut self) -> anyhow::Result<()> {
        let count = self.cluster.nodes.len();
        self.screen.say(&format!("{count} agents on this machine, one heartbeat a second from each to each.\n\n"));
        let whole = |node: &Node, _: &[Record]| judgement::is_whole(&node.view());
        if !self.until("hear everybody", whole).await? {
            let hint = "is this machine very busy, or UDP on the loopback interface filtered?";
            anyhow::bail!("not every agent heard every other within a minute: {hint}");
        }
        let table = self.table();
        self.screen.say(&format!("{table}\n"));
        self.watch().await;
        Ok(())
    }

    async fn cut(&mut self) -> anyhow::Result<bool> {
        let sides: Vec<String> = self.sides.iter().map(|names| names.join(" ")).collect();
        self.screen.say(&format!("Now nothing passes between {}.\n\n", sides.join(" | ")));
        self.cluster.cut.cut();
        let expected = self.expected();
        let right = |node: &Node, _: &[Record]| expected[node.side].is_met_by(&node.view());
        let named = self.until("say what is cut from what", right).await?;
        let views: Vec<_> = self.cluster.nodes.iter().map(Node::view).collect();
        let agreed = judgement::agree(views.iter().map(std::convert::AsRef::as_ref));
        let (table, verdicts) = (self.table(), self.verdicts(&expected));
        self.screen.say(&format!("{table}\n{verdicts}\n"));
        if !agreed {
            self.screen.say("✗ the sides gave the cut different ids\n\n");
        }
        let wrong = self.said_wrongly(&expected);
        for line in &wrong {
            self.screen.say(&format!("✗ said on the way: {line}\n"));
        }
        self.watch().await;
        Ok(named && agreed && wrong.is_empty())
    }

    /// What an agent said of the cut that was not right.
    fn said_wrongly(&self, expected: &[Expected]) -> Vec<String> {
        let side_of =
            |record: &Record| self.cluster.nodes.iter().find(|node| *record.node == *node.name).map(|node| node.side);
        let is_wrong = |record: &&Record| {
            let said = side_of(record).zip(record.decision());
            said.is_some_and(|(side, event)| expected[side].is_contradicted_by(event))
        };
        let wrong = self.records.iter().filter(is_wrong);
        wrong.map(|record| telling::line(record, record.at)).collect()
    }

    /// Time for the audience to read.
    async fn watch(&self) {
        if !self.screen.is_silent() {
            tokio::time::sleep(READING).await;
        }
    }

    async fn heal(&mut self, heal: Now) -> anyhow::Result<bool> {
        self.screen.say("Now everything passes again.\n\n");
        self.cluster.cut.heal();
        let expected = self.expected();
        let over = |node: &Node, records: &[Record]| {
            let own = records.iter().filter(|record| record.at >= heal && *record.node == *node.name);
            let mut said = own.filter_map(Record::decision);
            judgement::is_whole(&node.view()) && said.any(|event| expected[node.side].is_ended_by(event))
        };
        let closed = self.until("see that it is over", over).await?;
        let table = self.table();
        self.screen.say(&format!("{table}\n"));
        self.watch().await;
        Ok(closed)
    }

    /// Waits until every agent is as it ought to be, and shows how it comes. Whether it came.
    async fn until(&mut self, what: &str, is_met: impl Fn(&Node, &[Record]) -> bool) -> anyhow::Result<bool> {
        let begun = self.cluster.clock.now();
        loop {
            self.records.extend(self.cluster.records()?);
            let nodes = &self.cluster.nodes;
            let met = nodes.iter().filter(|node| is_met(node, &self.records)).count();
            let progress = format!("{met} of {} agents {what}", nodes.len());
            let table = self.table();
            self.screen.show(&table, &progress);
            if met == self.cluster.nodes.len() {
                return Ok(true);
            }
            if self.cluster.clock.now().since(begun) > DEADLINE {
                return Ok(false);
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// What the first agent sees.
    fn table(&self) -> String {
        self.cluster.nodes.first().map(|node| table::render(&node.view())).unwrap_or_default()
    }

    /// What each side ought to say.
    fn expected(&self) -> Vec<Expected> {
        (0..self.sides.len()).map(|side| Expected::on_side(&self.sides, side)).collect()
    }

    /// One line an agent: right or wrong, its mode, how long it took, what it says.
    fn verdicts(&self, expected: &[Expected]) -> String {
        let (bound, budget) = (self.cluster.timing.detection_bound(), measures::partition_budget(&self.cluster.timing));
        let mut text = format!("Links are down within {}, ", seconds(bound));
        let _ = writeln!(text, "a cut is a partition within {} of the last datagram:", seconds(budget));
        for node in &self.cluster.nodes {
            let view = node.view();
            let mark = if expected[node.side].is_met_by(&view) { '✓' } else { '✗' };
            let own = || self.records.iter().filter(|record| *record.node == *node.name);
            let time = |time: Option<Duration>| time.map_or_else(|| "–".to_owned(), seconds);
            let (down, opened) = (time(measures::link_down(own())), time(measures::partition(own())));
            let said = view.partitions.first().map_or_else(|| unheard(&view), telling::told);
            let _ = writeln!(text, "{mark} {:<8} {:<9} {down:>6} {opened:>6}  {said}", node.name, view.mode.as_str());
        }
        text
    }

    fn tell_the_log(&mut self, cut: Now) {
        self.records.sort_by_key(|record| record.hlc);
        let mut text = "What the agents wrote, by their hybrid clock; times are since the cut:\n".to_owned();
        for record in
            self.records.iter().filter(|record| !matches!(record.decision(), Some(Event::AgentStarted { .. })))
        {
            let _ = writeln!(text, "{}", telling::line(record, cut));
        }
        self.screen.say(&format!("{text}\n"));
    }

    fn outcome(&self, cut: Now, heal: Now, named: bool, closed: bool) -> Outcome {
        let during = || self.records.iter().filter(|record| record.at >= cut && record.at <= heal);
        let after = self.records.iter().filter(|record| record.at >= heal);
        let is_complete = self.expected().iter().any(|expected| expected.kind() == Some(PartitionKind::Complete));
        Outcome {
            sides: self.sides.clone(),
            kind: if is_complete { PartitionKind::Complete } else { PartitionKind::Isolation },
            named,
            closed,
            link_down: (measures::link_down(during()), self.cluster.timing.detection_bound()),
            partition: (measures::partition(during()), measures::partition_budget(&self.cluster.timing)),
            closing: measures::closed(after, heal),
        }
    }

    fn applaud(&mut self, outcome: &Outcome) {
        let text = match (outcome.named, outcome.closed) {
            (true, true) => "✓ Every agent named its own side, and saw the end.\n",
            (true, false) => "✗ Every agent named its own side, but not every one saw the end.\n",
            (false, _) => "✗ Not every agent named its own side.\n",
        };
        self.screen.say(text);
    }

    /// Where the agents are, for who wants to talk to them.
    pub(super) fn addresses(&self) -> String {
        let mut text = "The agents go on until Ctrl-C:\n".to_owned();
        for node in &self.cluster.nodes {
            let _ = writeln!(text, "  {:<8} {}/udp, http://{}/healthz", node.name, node.address, node.http_address);
        }
        text
    }

    /// Shows text.
    pub(super) fn say(&mut self, text: &str) {
        self.screen.say(text);
    }

    /// Lets the agents say goodbye.
    pub(super) async fn end(self) {
        self.cluster.stop().await;
    }
}

/// What an agent says that sees no cut.
fn unheard(view: &netsplit::detector::view::View) -> String {
    let unheard = view.nodes.iter().filter(|node| node.unheard).map(|node| node.member.name.as_str());
    let unheard: Vec<&str> = unheard.collect();
    if unheard.is_empty() { "no partition".to_owned() } else { format!("nobody here hears {}", unheard.join(" ")) }
}
