//! The piece: everybody hears everybody, a cut, the verdicts, the heal.

use std::fmt::Write;
use std::io::Stdout;
use std::time::Duration;

use netsplit::agent::Record;
use netsplit::calendar::Calendar;
use netsplit::detector::partition::PartitionKind;
use netsplit::detector::settings::Timing;
use netsplit::detector::time::Now;
use netsplit::table;

use super::cluster::{Cluster, Node};
use super::cut::Sides;
use super::judgement::{self, Expected};
use super::logs::Checked;
use super::measures::{self, seconds};
use super::outcome::Outcome;
use super::screen::Screen;
use super::telling;
use crate::command::budget::partition_budget;

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
        let logs = self.read_the_logs(cut).await?;
        let outcome = Outcome { logs, ..self.outcome(cut, heal, named, closed) };
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
        let measured = self.show_metrics(&expected);
        let wrong = self.said_wrongly(&expected);
        for line in &wrong {
            self.screen.say(&format!("✗ said on the way: {line}\n"));
        }
        self.watch().await;
        Ok(named && agreed && measured && wrong.is_empty())
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
        let (bound, budget) = (self.cluster.timing.detection_bound(), partition_budget(&self.cluster.timing));
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

    /// Shows the line that an alert sees. Whether the metrics of every agent have it.
    fn show_metrics(&mut self, expected: &[Expected]) -> bool {
        let seen = |node: &Node| {
            let page = node.metrics();
            page.lines().find(|line| expected[node.side].is_shown_by(line)).map(str::to_owned)
        };
        let lines: Vec<(&str, Option<String>)> =
            self.cluster.nodes.iter().map(|node| (node.name.as_str(), seen(node))).collect();
        let mut text = String::new();
        if let Some((name, Some(line))) = lines.first() {
            let _ = writeln!(text, "An alert sees of {name}: {line}\n");
        }
        let silent: Vec<&str> = lines.iter().filter(|(_, line)| line.is_none()).map(|(name, _)| *name).collect();
        if !silent.is_empty() {
            let _ = writeln!(text, "✗ the metrics say nothing of it: {}\n", silent.join(" "));
        }
        self.screen.say(&text);
        silent.is_empty()
    }

    /// Shows what stands in the audit logs once all that was told does, and follows their chains.
    async fn read_the_logs(&mut self, cut: Now) -> anyhow::Result<Checked> {
        let written = |node: &Node, _: &[Record]| node.has_written();
        self.until("have written their logs", written).await?;
        let clock = self.cluster.clock;
        let cut = Calendar { now: clock.now(), wall: clock.wall() }.at(cut);
        let names = || self.cluster.nodes.iter().map(|node| node.name.as_str());
        let told = |name: &str| self.records.iter().filter(|record| *record.node == *name).count() as u64;
        let log = self.cluster.logs.told(names(), cut)?;
        let checked = self.cluster.logs.check(names().map(|name| (name, told(name))))?;
        let verdict = match &checked.flaws[..] {
            [] => format!(
                "✓ {} events in {} audit logs, every chain is whole.\n",
                checked.events,
                self.cluster.nodes.len()
            ),
            flaws => flaws.iter().flat_map(|flaw| ["✗ ", flaw, "\n"]).collect(),
        };
        let head = "The audit logs, merged by their hybrid clock; times are since the cut:";
        self.screen.say(&format!("{head}\n{log}\n{verdict}"));
        Ok(checked)
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
            partition: (measures::partition(during()), partition_budget(&self.cluster.timing)),
            closing: measures::closed(after, heal),
            logs: Checked::default(),
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
        let mut text = "\nThe agents go on until Ctrl-C:\n".to_owned();
        for node in &self.cluster.nodes {
            let _ = writeln!(text, "  {:<8} {}/udp, http://{}", node.name, node.address, node.http_address);
        }
        if let Some(first) = self.cluster.nodes.first() {
            let (http, log) = (first.http_address, self.cluster.logs.path(&first.name));
            let _ = writeln!(text, "Ask them, from another terminal:");
            let _ = writeln!(text, "  netsplit status --address {http}");
            let _ = writeln!(text, "  netsplit events --follow --address {http}");
            let _ = writeln!(text, "  netsplit events --verify {}", log.display());
            let _ = writeln!(text, "  curl http://{http}/v1/mode");
            let _ = writeln!(text, "  curl http://{http}/metrics");
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
