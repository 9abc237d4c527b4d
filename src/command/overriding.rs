//! `netsplit override`: an operator puts another mode in the place of the one that this node's agent judges.

use std::time::Duration;

use anyhow::Context;
use clap::{ArgGroup, Args};
use netsplit::api::ModeAnswer;
use netsplit::clock::Clock;
use netsplit::config::{Human, parse_duration};
use netsplit::detector::mode::Mode;
use netsplit::orders::{LONGEST, OverrideOrder};

use super::ordering::{Ordering, unanswered};
use super::page::Page;
use super::{Exit, WrongArguments, mode, words};

const EXAMPLES: &str = "\
Examples:
  netsplit override majority --for 1h --reason 'the other site burnt down'
  kubectl exec POD -n observability -- netsplit override minority --for 30m --reason 'storage moves'
  netsplit override --clear

The order is a file in the state directory, so that it works while the node is cut off and outlives a restart
of the agent. It is of this node alone: give it to the agent of every node whose applications are meant.
It ends by itself. It is in the audit log when it begins and when it ends, in /v1/mode, in the metric
netsplit_mode_override, and every command says that it holds; what the agent judges goes on beneath it,
and so do its alerts. Two sides that both write have to be reconciled by hand.
Exit codes: 0 the agent follows, or will when it runs; 1 it does not follow; 2 wrong arguments; 3 the state
directory cannot be written, or the agent cannot be asked whether it follows.";

/// Longer ones are for the journal of who was on call.
const LONGEST_REASON: usize = 200;

/// Overrule the mode of this node for a time, or take that back.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, group = ArgGroup::new("what").required(true).args(["mode", "clear"]))]
pub(crate) struct Arguments {
    /// The mode that holds instead: normal, degraded, majority, minority or isolated.
    #[arg(value_parser = mode_of, requires_all = ["lasts", "reason"])]
    mode: Option<Mode>,
    /// For how long: up to 168h.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, conflicts_with = "clear")]
    lasts: Option<Duration>,
    /// Why, for whoever reads the audit log: at most 200 characters.
    #[arg(long, value_parser = reason, conflicts_with = "clear")]
    reason: Option<String>,
    /// Take the override back.
    #[arg(long)]
    clear: bool,
    #[command(flatten)]
    ordering: Ordering,
}

fn mode_of(text: &str) -> Result<Mode, String> {
    let mode = Mode::ALL.into_iter().find(|mode| *mode != Mode::Starting && mode.as_str() == text);
    mode.ok_or_else(|| "it is one of normal, degraded, majority, minority and isolated".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let lasts = parse_duration(text).map_err(|refusal| format!("{}; {}", refusal.message, refusal.hint))?;
    if lasts < Duration::from_secs(1) || lasts > LONGEST {
        return Err("an override lasts for 1s to 168h".to_owned());
    }
    Ok(lasts)
}

fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > LONGEST_REASON || text.chars().any(char::is_control) {
        return Err("a reason has 1 to 200 characters, in one line".to_owned());
    }
    Ok(text.to_owned())
}

/// Fine if the agent follows, or does not run.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let ordering = &arguments.ordering;
    let orders = ordering.orders();
    let wanted = match (arguments.mode, arguments.lasts, &arguments.reason) {
        (Some(mode), Some(lasts), Some(reason)) => {
            let order = OverrideOrder::from(Clock::start().wall(), mode, lasts, reason.clone());
            orders.overrule(&order).with_context(|| ordering.cannot())?;
            say(&format!("Ordered: {} for {}, until {}.", mode.as_str(), Human(lasts), order.until))?;
            Some(order)
        }
        _ if arguments.clear => {
            let was_there = orders.clear().with_context(|| ordering.cannot())?;
            say(if was_there { "Taken back." } else { "Nothing was overridden." })?;
            None
        }
        _ => return Err(WrongArguments("say MODE, --for and --reason, or --clear".to_owned()).into()),
    };
    follow_up(ordering, wanted.as_ref())
}

/// What the agent makes of it.
fn follow_up(ordering: &Ordering, wanted: Option<&OverrideOrder>) -> anyhow::Result<Exit> {
    let is_followed = |answer: &ModeAnswer| match (wanted, &answer.overridden) {
        (Some(order), Some(held)) => {
            answer.mode == order.mode && held.reason == order.reason && words::may_be_one(&held.until, &order.until)
        }
        (None, None) => true,
        _ => false,
    };
    let answer = match ordering.wait_until::<ModeAnswer>("/v1/mode", is_followed) {
        Ok(answer) => answer,
        Err(error) => return unanswered(error),
    };
    if is_followed(&answer) {
        say(&mode::line(&answer))?;
        return Ok(Exit::Fine);
    }
    say(&format!("The agent that answers does not follow: is {} its state directory?", ordering.directory()))?;
    Ok(Exit::Negative)
}

fn say(text: &str) -> anyhow::Result<()> {
    let page = Page::standard();
    page.write(&words::fold("", text, page.width(), 2))?;
    Ok(())
}
