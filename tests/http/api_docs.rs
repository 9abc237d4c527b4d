//! docs/api.md says what the API answers: every path, every field with its type, every word of a closed set, and nothing
//! that is not there. Its examples are answers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use netsplit::api::{
    AuditStatus, ConfigurationStatus, DiscoveryStatus, Endpoints, Events, Link, Matrix, Method, ModeAnswer,
    OverrideAnswer, Partitions, Peers, ProbeOutcome, Refused, State, StateStatus, Status,
};
use netsplit::calendar::Calendar;
use netsplit::detector::endpoints::reach::UnreachedFrom;
use netsplit::detector::endpoints::watch::Breaker;
use netsplit::detector::event::{AgentDownCause, CloseCause};
use netsplit::detector::mode::{Consistency, Mode, ServiceLevel};
use netsplit::detector::partition::{Direction, PartitionKind, Witness};
use netsplit::detector::time::Now;
use netsplit::detector::view::View;
use netsplit::http::{Audience, ROUTES};
use netsplit::sources::{Sources, Times};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::api_samples::full;
use crate::endpoint_samples;
use crate::served::view;

fn document() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/api.md")).unwrap()
}

/// The first columns of the table behind a mark, without the backticks.
fn table(document: &str, mark: &str) -> Vec<Vec<String>> {
    let (_, rest) = document.split_once(&format!("<!-- {mark} -->\n")).unwrap_or_else(|| panic!("no mark: {mark}"));
    let lines = rest.lines().take_while(|line| line.starts_with('|')).skip(2);
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
    lines.map(cells).collect()
}

/// The names behind each mark of a kind.
fn marks(document: &str, kind: &str) -> BTreeSet<String> {
    let start = format!("<!-- {kind}: ");
    document.lines().filter_map(|line| line.strip_prefix(&start)?.strip_suffix(" -->")).map(str::to_owned).collect()
}

// ----------------------------------------------------------------------------------------------- the fields

/// Instances of a type, by its name: in each field something in one of them, and null in one if it ever is.
type Instances = BTreeMap<&'static str, Vec<Value>>;

struct Moment(Duration);

impl Times for Moment {
    fn now(&self) -> Now {
        Now::at(self.0)
    }

    fn wall(&self) -> Duration {
        self.0
    }
}

fn status(view: View) -> Value {
    let (_, views) = tokio::sync::watch::channel(Arc::new(view));
    value(&Status::of(&Sources::of_view(views, Arc::new(Moment(Duration::from_secs(10))))))
}

fn value(answer: &impl Serialize) -> Value {
    serde_json::to_value(answer).unwrap()
}

fn instances() -> Instances {
    let calendar = Calendar { now: Now::at(Duration::from_secs(10)), wall: Duration::from_secs(10) };
    let (bare, full) = (view(), full(&view()));
    let mut overridden = ModeAnswer::of(&full, calendar);
    let reason = "the other site burnt down".to_owned();
    let (judged, until) = (Mode::Minority, "2026-11-21T13:55:00.000Z".to_owned());
    overridden.overridden = Some(OverrideAnswer { judged, until, reason });
    let when = || Some("2026-11-21T12:00:00.000Z".to_owned());
    let mut told = status(full.clone());
    told["audit"] = value(&AuditStatus { failing: false, queued: 0, lost: 0, last_seq: Some(1) });
    told["state"] = value(&StateStatus { writes: 1, errors: 0, last_success_at: when() });
    told["configuration"] =
        value(&ConfigurationStatus { last_reload_successful: true, last_success_at: when().unwrap() });
    told["discovery"] = value(&DiscoveryStatus { up: Some(true), last_success_at: when() });
    told["mode"] = value(&overridden);
    let bare_status = status(bare.clone());
    let unsaid = value(&AuditStatus { failing: false, queued: 0, lost: 0, last_seq: None });
    let unkept = value(&StateStatus { writes: 0, errors: 0, last_success_at: None });
    let partitions = value(&Partitions::of(&full, calendar));
    let endpoints = value(&Endpoints::of(&full, Some(&endpoint_samples::desk()), calendar));
    let (peers, matrix) = (value(&Peers::of(&full)), value(&Matrix::of(&full)));
    let event = r#"{"seq":1,"event":"link_up","durable":true}"#;
    let events = |inside: &str, oldest: &str| -> Value {
        let text = format!(r#"{{"events":[{inside}],"oldest":{oldest},"newest":1}}"#);
        value(&serde_json::from_str::<Events>(&text).unwrap())
    };
    let each = |list: &Value| list.as_array().unwrap().clone();
    let cuts = [each(&partitions["open"]), each(&partitions["recent"])].concat();
    let watched = each(&endpoints["endpoints"]);
    let probes: Vec<Value> =
        watched.iter().map(|endpoint| endpoint["probe"].clone()).filter(Value::is_object).collect();
    // A probe that spoke with nobody has no address.
    let mut lone = probes[0].clone();
    lone["address"] = Value::Null;
    let connections = watched.iter().map(|endpoint| endpoint["connection"].clone()).filter(Value::is_object);
    let connections: Vec<Value> = connections.collect();
    let mut new = connections[0].clone();
    (new["up"], new["last_close"]) = (Value::Null, Value::Null);
    let mut of_this_machine = connections[0]["last_close"].clone();
    (of_this_machine["cause"], of_this_machine["ailment"]) = (Value::Null, Value::Null);
    let mut event = events(event, "1")["events"][0].clone();
    event.as_object_mut().unwrap().remove("event");
    BTreeMap::from([
        ("ModeAnswer", vec![told["mode"].clone(), bare_status["mode"].clone()]),
        ("OverrideAnswer", vec![told["mode"]["override"].clone()]),
        ("SideAnswer", vec![told["mode"]["side"].clone()]),
        ("Names", vec![told["unheard"].clone()]),
        ("AuthenticationStatus", vec![told["authentication"].clone()]),
        ("DiscoveryStatus", vec![told["discovery"].clone(), bare_status["discovery"].clone()]),
        ("AuditStatus", vec![told["audit"].clone(), unsaid]),
        ("StateStatus", vec![told["state"].clone(), unkept]),
        ("ConfigurationStatus", vec![told["configuration"].clone()]),
        ("Peer", each(&peers["peers"])),
        ("MatrixRow", each(&matrix["rows"])),
        ("Side", each(&cuts[0]["sides"])),
        ("PartitionAnswer", with_null("direction", "witness", &cuts)),
        ("UnreachedEndpoints", vec![told["endpoints_unreached"].clone()]),
        ("UnreachedEndpoint", each(&told["endpoints_unreached"]["endpoints"])),
        ("Endpoints", vec![endpoints]),
        ("Endpoint", watched),
        ("PhaseTimes", probes.iter().map(|probe| probe["phases"].clone()).collect()),
        ("LastProbe", [probes, vec![lone]].concat()),
        ("LastClose", connections.iter().map(|held| held["last_close"].clone()).chain([of_this_machine]).collect()),
        ("HeldConnection", [connections, vec![new]].concat()),
        ("EventAnswer", vec![event]),
        ("Events", vec![events("", "null"), events("", "1")]),
        ("Status", vec![told, bare_status]),
        ("Peers", vec![peers]),
        ("Matrix", vec![matrix]),
        ("Partitions", vec![partitions]),
        ("Refused", vec![json!({"error": "…"})]),
    ])
}

/// The same, and one in which these two are null, as in most cuts.
fn with_null(one: &str, other: &str, values: &[Value]) -> Vec<Value> {
    let mut bare = values[0].clone();
    bare[one] = Value::Null;
    bare[other] = Value::Null;
    let mut all = values.to_vec();
    all.push(bare);
    all
}

/// The fields of the instances and their types, as the document writes them.
fn fields(instances: &[Value]) -> BTreeMap<String, String> {
    let mut fields: BTreeMap<String, (Option<&str>, bool)> = BTreeMap::new();
    for (name, value) in instances.iter().flat_map(|instance| instance.as_object().unwrap()) {
        let field = fields.entry(name.clone()).or_default();
        match value {
            Value::Null => field.1 = true,
            Value::Bool(_) => field.0 = Some("boolean"),
            Value::Number(_) => field.0 = Some("number"),
            Value::String(_) => field.0 = Some("string"),
            Value::Array(_) => field.0 = Some("list"),
            Value::Object(_) => field.0 = Some("object"),
        }
    }
    let told = |(kind, is_null): (Option<&str>, bool)| {
        let kind = kind.expect("a sample has something in every field");
        if is_null { format!("{kind} or null") } else { kind.to_owned() }
    };
    fields.into_iter().map(|(name, field)| (name, told(field))).collect()
}

#[test]
fn every_field_is_documented_with_its_type_and_no_other() {
    let (document, instances) = (document(), instances());
    let types: BTreeSet<String> = instances.keys().map(|name| (*name).to_owned()).collect();
    assert_eq!(marks(&document, "fields"), types);
    for (name, instances) in &instances {
        let rows = table(&document, &format!("fields: {name}"));
        let documented: BTreeMap<String, String> = rows.iter().map(|row| (row[0].clone(), row[1].clone())).collect();
        assert_eq!(documented, fields(instances), "{name}");
        assert_eq!(documented.len(), rows.len(), "{name}: a field stands there twice");
        assert!(rows.iter().all(|row| !row[2].is_empty()), "{name}: a field has no meaning");
    }
}

// ------------------------------------------------------------------------------------------------ the words

/// Every variant of an enum: one that is missing here does not compile.
macro_rules! every {
    ($kind:ident: $($variant:ident)*) => {{
        let _ = |value: $kind| match value { $($kind::$variant => {})* };
        [$(value(&$kind::$variant).as_str().unwrap().to_owned()),*].to_vec()
    }};
}

fn words() -> BTreeMap<&'static str, Vec<String>> {
    let causes = [AgentDownCause::Stopped, AgentDownCause::Stalled, AgentDownCause::HostAnswers];
    assert_eq!(every!(AgentDownCause: Stopped Stalled HostAnswers), causes.map(AgentDownCause::as_str));
    BTreeMap::from([
        ("mode", every!(Mode: Starting Normal Degraded Majority Minority Isolated)),
        ("service_level", every!(ServiceLevel: Unknown Full Cached ReadOnly Emergency)),
        ("consistency", every!(Consistency: Unknown Strong Eventual Stale)),
        ("method", every!(Method: Keys Insecure)),
        ("link", every!(Link: Itself Up Suspect Down Unknown Absent Left)),
        ("agent_down", every!(AgentDownCause: Stopped Stalled HostAnswers)),
        ("state", every!(State: Unknown Up Down)),
        ("breaker", every!(Breaker: Closed Open HalfOpen)),
        ("outcome", every!(ProbeOutcome: Success Failure Inconclusive)),
        ("unreached_from", every!(UnreachedFrom: Unknown Nowhere SomeNodes ThisSide Everywhere)),
        ("kind", every!(PartitionKind: Complete Partial Simplex Isolation Overlay Service)),
        ("direction", every!(Direction: FromFirst ToFirst)),
        ("witness", every!(Witness: Http)),
        ("cause", every!(CloseCause: Healed Stalled Restarted Left Removed AgentDown Superseded)),
    ])
}

#[test]
fn every_word_is_documented_and_no_other() {
    let (document, words) = (document(), words());
    assert_eq!(marks(&document, "values"), words.keys().map(|name| (*name).to_owned()).collect());
    for (name, words) in words {
        let documented: Vec<String> =
            table(&document, &format!("values: {name}")).into_iter().map(|row| row[0].clone()).collect();
        assert_eq!(documented, words, "{name}");
    }
    let cells: Vec<String> = table(&document, "cells").into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(cells, [".", "X", "?", "-"]);
}

// ------------------------------------------------------------------------------------------------ the paths

#[test]
fn every_path_is_documented_with_who_is_answered_and_its_parameters() {
    let document = document();
    let rows: Vec<Vec<String>> = document
        .lines()
        .filter(|line| line.starts_with("| `/"))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect())
        .collect();
    let routes: Vec<[String; 3]> = ROUTES
        .iter()
        .map(|route| {
            let audience = match route.audience {
                Audience::Everybody => "everybody",
                Audience::Loopback => "this machine",
            };
            let parameters = match route.parameters {
                None => "any: they change nothing".to_owned(),
                Some([]) => "none".to_owned(),
                Some(names) => names.join(", "),
            };
            [route.path.to_owned(), audience.to_owned(), parameters]
        })
        .collect();
    assert_eq!(rows, routes);
    for path in ROUTES.iter().map(|route| route.path).filter(|path| path.starts_with("/v1/")) {
        assert!(document.contains(&format!("\n## {path}\n")), "{path} has no part of its own");
    }
}

// --------------------------------------------------------------------------------------------- the examples

/// An example reads as its type, and the type has nothing to add to it or to leave out of it.
fn is_an_answer<T: Serialize + DeserializeOwned>(example: &Value) {
    let read: T = serde_json::from_value(example.clone()).unwrap_or_else(|error| panic!("{error}: {example}"));
    assert_eq!(value(&read), *example);
}

#[test]
fn every_example_is_an_answer() {
    let document = document();
    let example = |name: &str| -> Value {
        let (_, rest) = document.split_once(&format!("<!-- example: {name} -->\n```json\n")).unwrap();
        serde_json::from_str(rest.split_once("```").unwrap().0).unwrap()
    };
    is_an_answer::<ModeAnswer>(&example("ModeAnswer"));
    is_an_answer::<Status>(&example("Status"));
    is_an_answer::<Peers>(&example("Peers"));
    is_an_answer::<Matrix>(&example("Matrix"));
    is_an_answer::<Partitions>(&example("Partitions"));
    is_an_answer::<Endpoints>(&example("Endpoints"));
    is_an_answer::<Events>(&example("Events"));
    is_an_answer::<Refused>(&example("Refused"));
    assert_eq!(marks(&document, "example").len(), 8);
}
