//! `netsplit mode`: what this node's side may do, in one line.

use std::time::Duration;

use clap::{Args, ValueEnum};
use netsplit::api::{ModeAnswer, OverrideAnswer};
use netsplit::clock::Clock;

use super::ask::Asking;
use super::page::{Page, Reader, write_raw};
use super::{Exit, words};

const EXAMPLES: &str = "\
Examples:
  netsplit mode
  netsplit mode --require writes && ./migrate-the-database
  netsplit mode --follow

Members count for the majority: so many of them are on this side. Stale: the agent was restarted, cannot
tell yet, and says what held before. The mode is advice for the moment at which it is
asked for, and no lock.
Exit codes: 0 fine, 1 what --require names is not allowed now, 2 wrong arguments, 3 the agent cannot be asked.";

/// For how long the agent is asked to wait for a change.
const WAIT: Duration = Duration::from_secs(30);

/// How often one is asked that cannot wait.
const PAUSE: Duration = Duration::from_millis(500);

/// Say what this node's side of the cluster may do.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    asking: Asking,
    /// End with exit code 1 unless this is allowed.
    #[arg(long, value_name = "WHAT")]
    require: Option<Required>,
    /// Print each change as it comes, until Ctrl-C.
    #[arg(long, conflicts_with = "require")]
    follow: bool,
}

/// What may be required.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Required {
    /// This side may take writes.
    Writes,
    /// This side may answer reads.
    Reads,
}

impl Required {
    fn is_allowed(self, mode: &ModeAnswer) -> bool {
        match self {
            Self::Writes => mode.writes,
            Self::Reads => mode.reads,
        }
    }
}

/// Fine unless something is required that is not allowed.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    if arguments.follow {
        return follow(&arguments.asking);
    }
    let answer = arguments.asking.ask::<ModeAnswer>("/v1/mode")?;
    let clock = Clock::start();
    arguments.asking.print(&answer, |mode, page| {
        let held = words::since(&mode.since, clock).map(|held| format!(", for {}", words::span(held)));
        words::fold("", &format!("{}{}", line(mode), held.unwrap_or_default()), page.width(), 2)
    })?;
    let is_allowed = arguments.require.is_none_or(|required| required.is_allowed(&answer.said));
    Ok(if is_allowed { Exit::Fine } else { Exit::Negative })
}

/// One line a change.
fn follow(asking: &Asking) -> anyhow::Result<Exit> {
    let page = Page::standard();
    let mut tag: Option<String> = None;
    let mut shown: Option<ModeAnswer> = None;
    asking.agent()?.follow(|agent| {
        // Without a tag the agent answers at once.
        let (path, wait) = match &tag {
            Some(_) => (format!("/v1/mode?wait={}s", WAIT.as_secs()), WAIT),
            None => ("/v1/mode".to_owned(), Duration::ZERO),
        };
        if shown.is_some() && tag.is_none() {
            agent.pause(PAUSE);
        }
        let Some(answer) = agent.wait_for::<ModeAnswer>(&path, tag.as_deref(), wait)? else {
            return Ok(Reader::Reads);
        };
        tag = answer.tag;
        let is_the_same = shown.as_ref().is_some_and(|shown| is_the_same(shown, &answer.said));
        shown = Some(answer.said.clone());
        match (is_the_same, asking.json) {
            (true, _) => Ok(Reader::Reads),
            (false, true) => write_raw(&format!("{}\n", answer.text.trim_end())),
            (false, false) => page.write(&format!("{}  {}\n", answer.said.since, line(&answer.said))),
        }
    })?;
    Ok(Exit::Fine)
}

/// Whether nothing changed: times may be told a little differently.
fn is_the_same(one: &ModeAnswer, other: &ModeAnswer) -> bool {
    let ends = one.overridden.as_ref().zip(other.overridden.as_ref());
    one.timeless() == other.timeless() && ends.is_none_or(|(one, other)| words::may_be_one(&one.until, &other.until))
}

/// The mode and what it allows.
pub(super) fn line(mode: &ModeAnswer) -> String {
    let reads = match (mode.reads, serde_json::to_value(mode.consistency)) {
        (true, Ok(consistency)) => format!("reads yes ({})", consistency.as_str().unwrap_or_default()),
        _ => "reads no".to_owned(),
    };
    let writes = if mode.writes { "writes yes" } else { "writes no" };
    let (nodes, of) = (mode.side.nodes, mode.side.of);
    let mut line = format!("{}: {writes}, {reads}, {nodes} of {of} members", mode.mode.as_str());
    if mode.stale {
        line.push_str(", stale");
    }
    if let Some(OverrideAnswer { judged, until, reason }) = &mode.overridden {
        let judged = judged.as_str();
        let told = [", by an operator's override until ", until, " (", reason, "); the agent judges ", judged];
        line.push_str(&told.concat());
    }
    line
}
