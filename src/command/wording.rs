//! What an event says, in words: the same for a line of the log, for what an agent answers, and for the lab's records.
//!
//! An event is read as JSON, since the agent or the log may be of another version: what is not known, or not as it is known
//! here, is shown as it is.

use std::time::Duration;

use serde_json::{Map, Value};

use super::words;

/// Fields that every event has; what is its own is the rest.
const COMMON: [&str; 9] = ["seq", "time", "hlc", "cluster", "node", "incarnation", "event", "prev", "durable"];

/// What happened, without who says it and when.
pub(super) fn told(event: &Map<String, Value>) -> String {
    known(event).unwrap_or_else(|| as_it_is(event))
}

/// What kind of event it is.
pub(super) fn kind(event: &Map<String, Value>) -> &str {
    text(event, "event").unwrap_or("?")
}

fn known(event: &Map<String, Value>) -> Option<String> {
    Some(match text(event, "event")? {
        "agent_started" => format!("with a roster of {}", number(event, "roster")?),
        "agent_stopped" => text(event, "reason")?.to_owned(),
        "peer_joined" | "peer_restarted" | "node_unheard" | "roster_conflict" | "link_degraded" | "link_recovered" => {
            text(event, "peer")?.to_owned()
        }
        "peer_left" => format!("{} {}", text(event, "peer")?, text(event, "reason")?),
        "node_heard" | "agent_up" => format!("{} {}", text(event, "peer")?, ending(event)?),
        "agent_down" => format!("{} {}", text(event, "peer")?, text(event, "cause")?),
        "link_down" | "link_up" => format!("from {}", links(event)?),
        "partition_opened" | "partition_changed" => {
            let last = if event.contains_key("endpoint") { "the first probe that failed" } else { "the last datagram" };
            format!("{}, {} after {last}", partition(event)?, seconds(event, "detection_seconds")?)
        }
        "partition_closed" => {
            format!("{} {}, after {}", text(event, "id")?, ending(event)?, seconds(event, "duration_seconds")?)
        }
        "mode_changed" => format!(
            "{} → {}, {} of {}",
            text(event, "from")?,
            text(event, "to")?,
            number(event, "members")?,
            number(event, "electorate")?
        ),
        "mode_overridden" => {
            format!("{} for {}: {}", text(event, "mode")?, seconds(event, "lasts_seconds")?, text(event, "reason")?)
        }
        "mode_override_ended" => format!("{} {}", text(event, "mode")?, text(event, "cause")?),
        "node_forgotten" => text(event, "peer")?.to_owned(),
        "forget_refused" => format!("{} {}", text(event, "peer")?, text(event, "cause")?),
        "endpoint_down" => format!("{} {}", text(event, "endpoint")?, failure(event)?),
        "endpoint_up" => format!("{} after {}", text(event, "endpoint")?, seconds(event, "down_seconds")?),
        "stalled" => format!("for {}", seconds(event, "seconds")?),
        "blind" => text(event, "cause")?.to_owned(),
        "incarnation_adopted" => format!("{} from now on", number(event, "adopted")?),
        "config_reloaded" => list(event, "changed")?,
        "events_lost" => number(event, "count")?.to_string(),
        _ => return None,
    })
}

/// Why an endpoint is down: the cause, and what it says of itself.
fn failure(event: &Map<String, Value>) -> Option<String> {
    let cause = text(event, "cause")?;
    Some(text(event, "ailment").map_or_else(|| cause.to_owned(), |ailment| format!("{cause}: {ailment}")))
}

/// What a partition says: its id, its kind, its sides.
pub(super) fn partition(partition: &Map<String, Value>) -> Option<String> {
    let sides = partition.get("sides")?.as_array()?.iter().map(side).collect::<Option<Vec<String>>>()?;
    let endpoint = text(partition, "endpoint").map(|endpoint| format!(" {endpoint}")).unwrap_or_default();
    Some(format!("{} {}{endpoint}: {}", text(partition, "id")?, text(partition, "kind")?, sides.join(" | ")))
}

fn side(side: &Value) -> Option<String> {
    let nodes: Vec<&str> = side.get("nodes")?.as_array()?.iter().filter_map(Value::as_str).collect();
    let count = side.get("count").and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok());
    Some(words::names(&nodes, count.unwrap_or(nodes.len()), " "))
}

/// What ended it, and whether it was what it seemed.
fn ending(event: &Map<String, Value>) -> Option<String> {
    let cause = match text(event, "cause")? {
        "agent_down" => "agents down",
        cause => cause,
    };
    Some(match event.get("confirmed")?.as_bool() {
        Some(true) => format!("{cause} (confirmed)"),
        Some(false) => format!("{cause} (it was no cut)"),
        None => cause.to_owned(),
    })
}

fn links(event: &Map<String, Value>) -> Option<String> {
    let one = |link: &Value| {
        let peer = link.get("peer")?.as_str()?;
        let silence = link.get("silent_seconds").and_then(Value::as_f64);
        Some(silence.map_or_else(|| peer.to_owned(), |silence| format!("{peer} ({silence:.2} s silent)")))
    };
    let links: Vec<String> = event.get("links")?.as_array()?.iter().map(one).collect::<Option<_>>()?;
    Some(words::names(&links, links.len(), ", "))
}

fn list(event: &Map<String, Value>, field: &str) -> Option<String> {
    let items: Vec<&str> = event.get(field)?.as_array()?.iter().map(Value::as_str).collect::<Option<_>>()?;
    Some(words::names(&items, items.len(), ", "))
}

fn as_it_is(event: &Map<String, Value>) -> String {
    let own = event.iter().filter(|(field, _)| !COMMON.contains(&field.as_str()));
    own.map(|(field, value)| format!("{field}={value}")).collect::<Vec<_>>().join(" ")
}

fn text<'a>(event: &'a Map<String, Value>, field: &str) -> Option<&'a str> {
    event.get(field)?.as_str()
}

fn number(event: &Map<String, Value>, field: &str) -> Option<u64> {
    event.get(field)?.as_u64()
}

fn seconds(event: &Map<String, Value>, field: &str) -> Option<String> {
    let seconds = event.get(field)?.as_f64()?;
    let duration = Duration::try_from_secs_f64(seconds).ok()?;
    // What is short was measured, and its hundredths matter.
    Some(if seconds < 60.0 { format!("{seconds:.2} s") } else { words::span(duration) })
}

#[cfg(test)]
mod tests {
    use netsplit::agent::ShellEvent;
    use netsplit::detector::event::{
        AgentDownCause, BlindCause, CloseCause, Event, ForgetRefusal, LeaveReason, LinkRecord, OverrideEnd,
    };
    use netsplit::detector::mode::Mode;
    use netsplit::identity::{Digest, Incarnation};
    use netsplit::wire::GoodbyeReason;
    use serde::Serialize;
    use serde_json::json;

    use super::*;

    fn said(event: &impl Serialize) -> String {
        let value = serde_json::to_value(event).unwrap();
        let event = value.as_object().unwrap();
        format!("{} {}", kind(event), told(event))
    }

    #[test]
    fn every_event_that_the_code_has_is_told_in_words() {
        let peer = || "node-4".to_owned();
        let link = |silent_for| LinkRecord { peer: peer(), silent_for };
        let healed = CloseCause::Healed;
        let told = [
            said(&Event::AgentStarted { roster: 5 }),
            said(&Event::AgentStopped { reason: GoodbyeReason::Stopped }),
            said(&Event::PeerJoined { peer: peer() }),
            said(&Event::PeerLeft { peer: peer(), reason: LeaveReason::Removed }),
            said(&Event::RosterConflict { peer: peer() }),
            said(&Event::PeerRestarted { peer: peer() }),
            said(&Event::NodeUnheard { peer: peer() }),
            said(&Event::NodeHeard { peer: peer(), cause: healed, confirmed: Some(true) }),
            said(&Event::AgentDown { peer: peer(), cause: AgentDownCause::HostAnswers }),
            said(&Event::AgentUp { peer: peer(), cause: CloseCause::Restarted, confirmed: Some(false) }),
            said(&Event::LinkDown { links: vec![link(Some(Duration::from_millis(2470))), link(None)] }),
            said(&Event::LinkUp { links: vec![link(None)] }),
            said(&Event::LinkDegraded { peer: peer() }),
            said(&Event::LinkRecovered { peer: peer() }),
            said(&Event::ModeChanged {
                from: Mode::Normal,
                to: Mode::Minority,
                members: 2,
                electorate: 5,
                electorate_digest: Digest(7),
            }),
            said(&Event::ModeOverridden {
                mode: Mode::Majority,
                lasts: Duration::from_secs(3600),
                reason: "the other site burnt down".into(),
            }),
            said(&Event::ModeOverrideEnded { mode: Mode::Majority, cause: OverrideEnd::Expired }),
            said(&Event::NodeForgotten { peer: peer() }),
            said(&Event::ForgetRefused { peer: peer(), cause: ForgetRefusal::Heard }),
            said(&Event::Stalled { length: Duration::from_secs(90) }),
            said(&Event::Blind { cause: BlindCause::NeverHeard }),
            said(&Event::IncarnationAdopted { incarnation: Incarnation(8) }),
            said(&ShellEvent::ConfigReloaded { changed: vec!["peers.period".into(), "mode.tie".into()] }),
            said(&ShellEvent::EventsLost { count: 12 }),
        ];
        insta::assert_snapshot!(told.join("\n"), @r"
        agent_started with a roster of 5
        agent_stopped stopped
        peer_joined node-4
        peer_left node-4 removed
        roster_conflict node-4
        peer_restarted node-4
        node_unheard node-4
        node_heard node-4 healed (confirmed)
        agent_down node-4 host_answers
        agent_up node-4 restarted (it was no cut)
        link_down from node-4 (2.47 s silent), node-4
        link_up from node-4
        link_degraded node-4
        link_recovered node-4
        mode_changed normal → minority, 2 of 5
        mode_overridden majority for 60 min: the other site burnt down
        mode_override_ended majority expired
        node_forgotten node-4
        forget_refused node-4 heard
        stalled for 90 s
        blind never_heard
        incarnation_adopted 8 from now on
        config_reloaded peers.period, mode.tie
        events_lost 12
        ");
    }

    #[test]
    fn partitions_are_told_by_their_sides_and_their_end() {
        let sides = json!([{"count": 3, "nodes": ["a", "b", "c"], "seen": true}, {"count": 120, "nodes": ["d"], "seen": false}]);
        let opened = json!({"event": "partition_opened", "id": "c796305927519af9", "kind": "complete", "sides": sides,
            "detection_seconds": 3.08});
        assert_eq!(
            said(&opened),
            "partition_opened c796305927519af9 complete: a b c | d and 119 more, 3.08 s after the last datagram"
        );
        let closed = json!({"event": "partition_closed", "id": "c796305927519af9", "cause": "agent_down",
            "confirmed": null, "duration_seconds": 4000.5});
        assert_eq!(said(&closed), "partition_closed c796305927519af9 agents down, after 66 min");
    }

    #[test]
    fn an_endpoint_that_is_lost_is_told_by_its_name() {
        let sides =
            json!([{"count": 2, "nodes": ["a", "b"], "seen": true}, {"count": 1, "nodes": ["c"], "seen": true}]);
        let opened = json!({"event": "partition_opened", "id": "c796305927519af9", "kind": "service",
            "endpoint": "central-prometheus", "sides": sides, "detection_seconds": 12.5});
        assert_eq!(
            said(&opened),
            "partition_opened c796305927519af9 service central-prometheus: a b | c, 12.50 s after the first probe that failed"
        );
    }

    #[test]
    fn what_a_newer_agent_says_is_shown_as_it_is() {
        let newer = json!({"seq": 3, "event": "endpoint_down", "endpoint": "db", "prev": "00"});
        assert_eq!(said(&newer), r#"endpoint_down endpoint="db""#);
        let other = json!({"event": "stalled", "seconds": "long"});
        assert_eq!(said(&other), r#"stalled seconds="long""#);
    }
}
