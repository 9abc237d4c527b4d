//! `netsplit forget`: an operator says that a node will not return.

use anyhow::Context;
use clap::Args;
use netsplit::api::Events;
use netsplit::clock::Clock;
use serde_json::Value;

use super::ordering::{Ordering, unanswered};
use super::page::Page;
use super::{Exit, words};

const EXAMPLES: &str = "\
Examples:
  netsplit forget node-4
  kubectl exec POD -n observability -- netsplit forget node-4

The order is a file in the state directory, which the agent takes. A node that is forgotten no longer counts for
the majority; the others of this side learn it from the agent. So two of five that are left can write again once
three are forgotten that will never return. A node that is heard is not forgotten. Be sure that it is gone: if it
is only cut off, its side may go on writing as well. An order waits for an agent that does not run, for an hour.
Exit codes: 0 it is forgotten, or will be when the agent runs; 1 the agent refused; 2 wrong arguments; 3 the
state directory cannot be written, or the agent cannot be asked what it made of the order.";

/// What came of an order that was followed.
const FORGOTTEN: &str = "forgotten";

/// Say that a node will not return: it no longer counts.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The name of the node.
    #[arg(value_parser = name)]
    node: String,
    #[command(flatten)]
    ordering: Ordering,
}

fn name(text: &str) -> Result<String, String> {
    let is_one = !text.is_empty() && text.len() <= 253 && !text.chars().any(|sign| sign.is_control() || sign == ' ');
    if is_one { Ok(text.to_owned()) } else { Err("it is no name of a node".to_owned()) }
}

/// Fine if it is forgotten.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let (ordering, node) = (&arguments.ordering, arguments.node.as_str());
    let before = ordering.wait_until::<Events>("/v1/events?limit=1", |_| true);
    let order = ordering.orders().forget(node, Clock::start().wall()).with_context(|| ordering.cannot())?;
    let newest = match before {
        Ok(events) => events.newest,
        Err(error) => return unanswered(error),
    };
    let answer = ordering.wait_until::<Events>(&format!("/v1/events?since={newest}&limit=1000"), |events| {
        outcome(events, node).is_some()
    });
    let events = match answer {
        Ok(events) => events,
        Err(error) if order.exists() => return unanswered(error),
        Err(error) => return Err(error).context("the agent took the order, but does not say what came of it"),
    };
    let (text, exit) = match outcome(&events, node) {
        Some(FORGOTTEN) => (format!("{node} is forgotten: it no longer counts."), Exit::Fine),
        Some("heard") => (format!("{node} counts on: it is heard, so it is there."), Exit::Negative),
        Some("itself") => (format!("{node} counts on: it is this node."), Exit::Negative),
        Some(_) => (format!("No node {node} belongs to the cluster; `netsplit peers` lists them."), Exit::Negative),
        None if order.exists() => {
            let directory = ordering.directory();
            (
                format!("The agent that answers did not take the order: is {directory} its state directory?"),
                Exit::Negative,
            )
        }
        None => ("The agent took the order, and its log does not say yet what came of it.".to_owned(), Exit::Negative),
    };
    let page = Page::standard();
    page.write(&words::fold("", &text, page.width(), 2))?;
    Ok(exit)
}

/// What the agent did, as its log has it: `forgotten`, or why not; none before it is there.
fn outcome<'a>(events: &'a Events, node: &str) -> Option<&'a str> {
    events.events.iter().find_map(|event| {
        let text = |field| event.line.get(field).and_then(Value::as_str);
        match text("event").filter(|_| text("peer") == Some(node))? {
            "node_forgotten" => Some(FORGOTTEN),
            "forget_refused" => text("cause"),
            _ => None,
        }
    })
}
