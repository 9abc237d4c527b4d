//! `netsplit simulate`: what would these settings detect in such a cluster, how fast, and with how many false alarms?
//!
//! `nodes` and `cut` are how the command line speaks of the cluster, `amounts` its numbers; `question` makes a `scenario` of
//! all. `play` is one run of it, held by `judge` against what `truth` says; `runs` plays many into one `outcome`. `advice`
//! tries other settings, `report` and `answer` print, `cost` is measured on this machine.

mod advice;
mod amounts;
mod answer;
mod cost;
mod cut;
mod judge;
mod nodes;
mod outcome;
mod play;
mod poisson;
mod progress;
mod question;
mod report;
mod runs;
mod scenario;
mod truth;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Exit, WrongArguments, page, print};
use amounts::{Pair, Share, StallText, ThrottleText};
use cut::CutText;
use nodes::Zones;
use progress::Progress;
use question::Question;

const EXAMPLES: &str = "\
Examples:
  Would my settings page me at 5 % loss?
    netsplit simulate --nodes 12 --loss 5% --hours 12
  How fast would a zone cut be seen at 300 nodes, where the default cap makes the period longer?
    netsplit simulate --nodes 300 --zones a,b,c --cut 'zone:a|rest' --cut-for 8s --seeds 1
  What would a relaxed profile cost and save?
    netsplit simulate --profile relaxed --nodes 30 --cut '20|10' --cut-for 2m --want 5s

What they print is in docs/simulate.md. The same arguments print the same; what is measured on this machine goes to standard
error. Nodes are n1, n2, …; a side of a cut is nodes, zones, both with commas between them, `rest`, or a number of nodes.
Exit codes: 0 every agent could tell and told what is right, nothing was told without a reason, and --want was met; 1 some did
not, something was, or it was not; 2 wrong arguments or configuration.";

/// Play a cluster in virtual time, and show what its agents would detect, how fast, and with how many false alarms.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// How many nodes, 2 to 5000 [default: those of the zones, the cut or the list of --config, or 5].
    #[arg(long, value_name = "N")]
    nodes: Option<usize>,
    /// Their zones: `a,b,c` spreads the nodes evenly, `a=3,b=2` does as it says.
    #[arg(long, value_name = "ZONES")]
    zones: Option<Zones>,
    /// The share of datagrams that are lost, each by itself.
    #[arg(long, value_name = "PERCENT", default_value = "0%")]
    loss: Share,
    /// Times in which all is lost from one node to another: their mean length and the mean pause between two.
    #[arg(long, value_name = "MEAN/PAUSE", value_parser = Pair::of_bursts)]
    bursts: Option<Pair>,
    /// The shortest time that a datagram takes, one way.
    #[arg(long, value_name = "DURATION", default_value = "200us", value_parser = amounts::delay)]
    delay: Duration,
    /// How much longer it may take, evenly.
    #[arg(long, value_name = "DURATION", default_value = "300us", value_parser = amounts::delay)]
    jitter: Duration,
    /// Whom to cut off from whom: 'zone:a|rest', '3|2', 'n1,n2|n3', 'a|b via c', one way 'n1>n2'. Several come one after another.
    #[arg(long = "cut", value_name = "CUT")]
    cuts: Vec<CutText>,
    /// For how long each cut lasts, at most 720h [default: 30s].
    #[arg(long, value_name = "DURATION", value_parser = amounts::lasting, conflicts_with = "flapping")]
    cut_for: Option<Duration>,
    /// The cuts come and go, in turn, for as long as --hours says [10 minutes]: for how long cut, for how long whole.
    #[arg(long, value_name = "ON/OFF", value_parser = Pair::of_flapping, requires = "cuts", conflicts_with = "stalls")]
    flapping: Option<Pair>,
    /// The agent of a node does not run for so long, after the cuts.
    #[arg(long = "stall", value_name = "NODE:DURATION")]
    stalls: Vec<StallText>,
    /// The agents of these nodes run for only a part of each stretch of time, always: a node, a zone, or `all`.
    #[arg(long = "throttle", value_name = "NODES:RUN/OF")]
    throttles: Vec<ThrottleText>,
    /// For how much virtual time each cluster is watched at least [default: 1, or as long as the cuts take].
    #[arg(long, value_name = "H", value_parser = amounts::hours)]
    hours: Option<Duration>,
    /// How many clusters are played [default: 10 if something is cut or stalled, else 1].
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    seeds: Option<u64>,
    /// The seed of the first; the others follow.
    #[arg(long, value_name = "S", default_value_t = 1, value_parser = clap::value_parser!(u64).range(..=1 << 62))]
    seed: u64,
    /// Judge the settings of this file: timing, cap and mode, and the nodes of its list.
    #[arg(long, value_name = "FILE", conflicts_with = "profile")]
    config: Option<PathBuf>,
    /// Judge the settings of this profile: default, fast or relaxed.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// How soon everybody is to know of a cut: if it takes longer, other settings are tried.
    #[arg(long, value_name = "DURATION", value_parser = amounts::length)]
    want: Option<Duration>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Fine only if every agent said the right thing in time, and nothing else.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let question = Question::of(arguments)?;
    if let Some(note) = &question.note {
        page::note(note);
    }
    let progress = Progress::standard();
    let before = cost::used();
    progress.begin("as it is".to_owned());
    let outcome = runs::play_all(&question.scenario, &question.settings, &progress);
    let spent = cost::used().zip(before).map(|(after, before)| after.saturating_sub(before));
    let advice = advice::of(&question, &outcome, &progress);
    progress.end();
    let answer = answer::Answer { question: &question, outcome: &outcome, advice: &advice };
    if arguments.json {
        print(&format!("{:#}\n", answer.json()))?;
    } else {
        print(&report::text(&answer))?;
    }
    page::note(&measured(&outcome, spent, &progress));
    Ok(if answer.is_fine() { Exit::Fine } else { Exit::Negative })
}

/// What is not the same from run to run: how long it took, and what an agent would cost this machine.
fn measured(outcome: &outcome::Outcome, spent: Option<Duration>, progress: &Progress) -> String {
    let elapsed = progress.elapsed().as_secs_f64();
    let datagrams = u32::try_from(outcome.whole.datagrams + outcome.cut.datagrams).unwrap_or(u32::MAX);
    let simulated = spent.map(|spent| spent / datagrams.max(1));
    let cost = simulated.zip(cost::of_heartbeat().ok().flatten()).map(|(detector, network)| detector + network);
    let Some(cost) = cost else { return format!("Played in {elapsed:.1} s.") };
    let shares =
        [&outcome.whole, &outcome.cut].map(|traffic| cost.as_secs_f64() * traffic.datagrams_per_second() * 100.0);
    let cut = if outcome.cut.datagrams > 0 { format!(", {:.2} % while cut", shares[1]) } else { String::new() };
    format!(
        "Played in {elapsed:.1} s. On this machine an agent would use about {:.2} % of a processor{cut}: {:.1} µs for each \
         heartbeat out and in, as measured just now.",
        shares[0],
        cost.as_secs_f64() * 1e6,
    )
}

impl From<nodes::NodesError> for WrongArguments {
    fn from(error: nodes::NodesError) -> Self {
        Self(error.to_string())
    }
}

impl From<cut::CutError> for WrongArguments {
    fn from(error: cut::CutError) -> Self {
        Self(error.to_string())
    }
}
