//! What the paths below `/v1` answer, by real connections; the view, the log and the time are those of the test.

use std::sync::Arc;
use std::time::Duration;

use netsplit::api::{Endpoint, Endpoints, Events, Matrix, Method, ModeAnswer, Partitions, Peers, Status};
use netsplit::audit::{Readers, Tail};
use netsplit::detector::mode::{Consistency, Mode, ServiceLevel};
use netsplit::detector::outcome::Cause;
use netsplit::detector::overruling::Override;
use netsplit::detector::settings::{ModePolicy, Policy};
use netsplit::detector::time::Now;
use netsplit::detector::view::View;
use serde_json::json;

use crate::api_samples::full;
use crate::endpoint_samples;
use crate::served::{self, Following, Running, ask, connect, read, view};

/// A server that shows the full view, at the moment it is of.
fn start() -> Running {
    started(full(&view()))
}

fn started(view: View) -> Running {
    let server = Running::start_with("127.0.0.1:0", view, |sources| sources.probes = Some(endpoint_samples::desk()));
    server.set_time(10_000);
    server
}

fn of_mode(mode: Mode) -> View {
    View { mode, ..full(&view()) }
}

fn tag(server: &Running, path: &str) -> String {
    server.get(path).header("etag").unwrap().to_owned()
}

#[test]
fn the_mode_tells_what_this_side_may_do_since_when_and_by_how_many() {
    let answer = start().get("/v1/mode");
    assert_eq!((answer.status.as_str(), answer.header("content-type")), ("200 OK", Some("application/json")));
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    assert_eq!(
        answer.body,
        concat!(
            r#"{"mode":"majority","service_level":"full","reads":true,"writes":true,"consistency":"strong","#,
            r#""since":"1970-01-01T00:00:05.000Z","side":{"nodes":2,"of":3},"partition":"c796305927519af9","#,
            r#""override":null,"stale":false}"#,
            "\n"
        )
    );
}

#[test]
fn what_is_required_decides_the_status_and_never_the_body() {
    for (mode, policy, reads, writes) in [
        (Mode::Starting, Policy::Cp, "503", "503"),
        (Mode::Normal, Policy::Cp, "200", "200"),
        (Mode::Degraded, Policy::Cp, "200", "200"),
        (Mode::Majority, Policy::Cp, "200", "200"),
        (Mode::Minority, Policy::Cp, "200", "503"),
        (Mode::Isolated, Policy::Cp, "200", "503"),
        (Mode::Minority, Policy::Ap, "200", "200"),
        (Mode::Isolated, Policy::Ap, "200", "200"),
    ] {
        let server = started(View { policy: ModePolicy { policy, ..ModePolicy::default() }, ..of_mode(mode) });
        let plain = server.get("/v1/mode");
        for (required, status) in [("reads", reads), ("writes", writes)] {
            let answer = server.get(&format!("/v1/mode?require={required}"));
            assert!(answer.status.starts_with(status), "{mode:?} {policy:?} {required}: {answer:?}");
            assert_eq!(answer.body, plain.body);
        }
    }
}

#[test]
fn a_view_older_than_the_timeout_is_not_relied_on() {
    let server = start();
    server.set_time(10_500);
    assert_eq!(server.get("/v1/mode").json::<ModeAnswer>().mode, Mode::Majority);
    server.set_time(10_501);
    let answer = server.get("/v1/mode?require=writes");
    assert_eq!((answer.status.as_str(), answer.json::<ModeAnswer>().mode), ("503 Service Unavailable", Mode::Starting));
}

#[test]
fn after_a_clean_stop_the_mode_before_is_told_as_stale_until_this_run_can_tell() {
    let server = started(View { mode_before: Some(Mode::Normal), ..of_mode(Mode::Starting) });
    let answer = server.get("/v1/mode?require=writes");
    assert_eq!(answer.status, "503 Service Unavailable", "a cut may have come since");
    let answer: ModeAnswer = answer.json();
    assert_eq!((answer.mode, answer.stale, answer.writes, answer.reads), (Mode::Normal, true, false, true));
    assert_eq!((answer.service_level, answer.consistency), (ServiceLevel::ReadOnly, Consistency::Unknown));
    let fresh = tag(&server, "/v1/mode");
    server.show(of_mode(Mode::Normal));
    let answer: ModeAnswer = server.get("/v1/mode").json();
    assert_eq!((answer.mode, answer.stale), (Mode::Normal, false));
    assert_ne!(tag(&server, "/v1/mode"), fresh, "whether it is stale matters");
    server.show(View { mode_before: Some(Mode::Normal), ..of_mode(Mode::Starting) });
    server.set_time(11_000);
    let answer: ModeAnswer = server.get("/v1/mode").json();
    assert_eq!((answer.mode, answer.stale), (Mode::Starting, false), "not by an agent that stalls");
}

#[test]
fn an_override_is_the_mode_and_every_answer_says_that_it_is_one() {
    let at = |seconds| Now::at(Duration::from_secs(seconds));
    let held = Override { mode: Mode::Majority, since: at(5), until: at(60), reason: "testing".to_owned() };
    let server = started(View { overridden: Some(held), ..of_mode(Mode::Minority) });
    let answer = server.get("/v1/mode?require=writes");
    let mode: ModeAnswer = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((mode.mode, mode.writes, mode.judged()), (Mode::Majority, true, Mode::Minority));
    assert_eq!(mode.overridden.unwrap().until, "1970-01-01T00:01:00.000Z");
    for path in ["/v1/mode", "/v1/status", "/v1/peers", "/metrics", "/healthz", "/nothing"] {
        let said = server.get(path).head;
        assert!(said.contains("netsplit-override: majority until 1970-01-01T00:01:00.000Z"), "{path}: {said}");
    }
}

#[test]
fn an_agent_that_stalls_answers_everywhere_that_it_cannot_tell() {
    let at = |seconds| Now::at(Duration::from_secs(seconds));
    let held = Override { mode: Mode::Majority, since: at(5), until: at(60), reason: "testing".to_owned() };
    let server = started(View { overridden: Some(held), ..of_mode(Mode::Minority) });
    server.set_time(20_000);
    let answer = server.get("/v1/status");
    let status: Status = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((status.mode.mode, status.mode.overridden, status.quorum), (Mode::Starting, None, None));
    for path in ["/v1/status", "/v1/mode", "/metrics", "/healthz"] {
        assert!(!server.get(path).head.contains("netsplit-override"), "{path}");
    }
    assert!(!server.get("/metrics").body.contains("\nnetsplit_mode_override{"));
}

#[test]
fn an_override_that_is_extended_is_another_answer() {
    let at = |seconds| Now::at(Duration::from_secs(seconds));
    let until = |seconds| {
        let held = Override { mode: Mode::Majority, since: at(5), until: at(seconds), reason: "testing".to_owned() };
        View { overridden: Some(held), ..of_mode(Mode::Minority) }
    };
    let server = started(until(60));
    let before = tag(&server, "/v1/mode");
    server.show(View { mode_since: at(6), ..until(60) });
    assert_eq!(tag(&server, "/v1/mode"), before);
    server.show(until(3600));
    assert_ne!(tag(&server, "/v1/mode"), before);
}

#[test]
fn an_asker_that_has_the_answer_is_told_so_unless_what_it_requires_is_refused() {
    let server = start();
    let tag = tag(&server, "/v1/mode");
    let had = [("if-none-match", tag.as_str())];
    let answer = server.get_with("/v1/mode?require=writes", &had);
    assert_eq!(answer.said(), ("304 Not Modified", ""));
    assert_eq!(answer.header("etag"), Some(tag.as_str()));
    server.show(View { mode_since: Now::at(Duration::from_secs(6)), ..full(&view()) });
    assert_eq!(server.get_with("/v1/mode", &had).status, "304 Not Modified", "since when does not matter");
    server.show(View { members: 3, ..full(&view()) });
    assert_eq!(server.get_with("/v1/mode", &had).status, "200 OK");
    server.show(of_mode(Mode::Minority));
    let tag = self::tag(&server, "/v1/mode");
    let answer = server.get_with("/v1/mode?require=writes", &[("if-none-match", &tag)]);
    assert_eq!((answer.status.as_str(), answer.json::<ModeAnswer>().mode), ("503 Service Unavailable", Mode::Minority));
}

#[test]
fn whoever_waits_is_answered_when_something_changes() {
    let server = start();
    let tag = tag(&server, "/v1/mode");
    let mut waiting = connect(server.address);
    ask(&mut waiting, "/v1/mode?wait=60s", &[("if-none-match", &tag), ("connection", "close")]);
    // What does not matter ends no wait.
    server.show(View { mode_since: Now::at(Duration::from_secs(6)), ..full(&view()) });
    assert_eq!(server.get_with("/v1/mode?wait=50ms", &[("if-none-match", &tag)]).status, "304 Not Modified");
    server.show(of_mode(Mode::Minority));
    let answer = read(waiting);
    assert_eq!((answer.status.as_str(), answer.json::<ModeAnswer>().mode), ("200 OK", Mode::Minority));
}

#[test]
fn whoever_waits_is_answered_when_the_agent_stalls() {
    let server = start();
    let tag = tag(&server, "/v1/mode");
    let mut waiting = connect(server.address);
    ask(&mut waiting, "/v1/mode?wait=60s&require=reads", &[("if-none-match", &tag), ("connection", "close")]);
    assert_eq!(server.get_with("/v1/mode?wait=50ms", &[("if-none-match", &tag)]).status, "304 Not Modified");
    server.set_time(10_600);
    let answer = read(waiting);
    assert_eq!((answer.status.as_str(), answer.json::<ModeAnswer>().mode), ("503 Service Unavailable", Mode::Starting));
}

#[test]
fn whoever_has_no_answer_yet_does_not_wait() {
    let server = start();
    assert_eq!(server.get("/v1/mode?wait=60s").status, "200 OK");
    assert_eq!(server.get_with("/v1/mode?wait=60s", &[("if-none-match", "\"other\"")]).status, "200 OK");
}

#[test]
fn a_parameter_that_cannot_be_is_told_with_what_can() {
    let server = start();
    for (path, told) in [
        ("/v1/mode?requires=writes", "/v1/mode has no parameter `requires`: did you mean `require`?"),
        ("/v1/mode?require=write", "`require=write` is not `reads` or `writes`"),
        ("/v1/mode?wait=2m", "`wait=2m` is too long: 1m at most"),
        ("/v1/mode?wait=5", "`wait=5` has no unit: write `5s` for seconds or `5ms` for milliseconds"),
        ("/v1/status?all", "/v1/status has no parameter `all`: it has none"),
        ("/v1/endpoints?name=cache", "/v1/endpoints has no parameter `name`: it has none"),
        ("/v1/events?limit=0", "`limit=0` is no whole number from 1 to 1000"),
        ("/v1/events?since=yesterday", "`since=yesterday` is no whole number from 0 or more"),
    ] {
        let answer = server.get(path);
        assert_eq!((answer.status.as_str(), answer.error().as_str()), ("400 Bad Request", told), "{path}");
    }
}

#[test]
fn the_matrix_tells_for_each_node_to_whom_arrives_what_it_sends() {
    let answer = start().get("/v1/matrix");
    let matrix: Matrix = answer.json();
    assert_eq!(matrix.nodes, ["node-1", "node-2", "node-3", "node-4"]);
    let rows: Vec<(&str, &str)> = matrix.rows.iter().map(|row| (row.node.as_str(), row.cells.as_str())).collect();
    // node-2 distrusts its row, which so breaks nothing; node-3 and node-4 have none.
    assert_eq!(rows, [("node-1", "-.??"), ("node-2", ".-??"), ("node-3", "?.-?"), ("node-4", "X??-")]);
    let own: Vec<_> = matrix.rows.iter().map(|row| (row.age_seconds, row.impaired)).collect();
    assert_eq!(own, [(Some(0.0), Some(false)), (Some(0.25), Some(true)), (None, None), (None, None)]);
    assert_eq!(matrix, Matrix::of(&full(&view())), "row by row it is the same");
}

#[test]
fn whoever_wants_text_gets_the_matrix_as_a_table() {
    let server = start();
    let answer = server.get_with("/v1/matrix", &[("accept", "text/plain")]);
    assert_eq!((answer.status.as_str(), answer.header("content-type")), ("200 OK", Some("text/plain; charset=utf-8")));
    assert_eq!(answer.body, netsplit::table::render(&full(&view())));
    let both = server.get_with("/v1/matrix", &[("accept", "application/json, text/plain;q=0.5")]);
    assert_eq!(both.header("content-type"), Some("application/json"));
}

#[test]
fn five_thousand_nodes_are_answered_and_drawn_elsewhere() {
    let mut large = full(&view());
    let nodes = 5000;
    large.nodes = (0..nodes)
        .map(|place| {
            let mut node = large.nodes[place % 4].clone();
            let member =
                netsplit::detector::settings::Member { name: format!("node-{place:04}"), ..(*node.member).clone() };
            node.member = Arc::new(member);
            node
        })
        .collect();
    let expected = Peers::of(&large);
    let server = started(large);
    let matrix: Matrix = server.get("/v1/matrix").json();
    assert_eq!((matrix.nodes.len(), matrix.rows.len(), matrix.rows[4999].cells.len()), (nodes, nodes, nodes));
    assert_eq!(server.get("/v1/peers").json::<Peers>(), expected);
    let told = server.get_with("/v1/matrix", &[("accept", "text/plain")]);
    assert_eq!(told.status, "406 Not Acceptable");
    assert_eq!(told.error(), "a table of 5000 nodes is too large: ask for JSON, or let `netsplit matrix` draw it");
    let status: Status = server.get("/v1/status").json();
    assert_eq!((status.unheard.count, status.unheard.nodes.len()), (1250, 50));
}

#[test]
fn the_peers_are_told_by_name() {
    let peers: Peers = start().get("/v1/peers").json();
    assert_eq!(peers, Peers::of(&full(&view())));
    let names: Vec<&str> = peers.peers.iter().map(|peer| peer.name.as_str()).collect();
    assert_eq!(names, ["node-1", "node-2", "node-3", "node-4"]);
}

#[test]
fn partitions_are_told_with_their_times_and_a_tag() {
    let server = start();
    let partitions: Partitions = server.get("/v1/partitions").json();
    let open = &partitions.open[0];
    assert_eq!((open.id.as_str(), open.opened_at.as_str()), ("c796305927519af9", "1970-01-01T00:00:05.000Z"));
    let recent = &partitions.recent[0];
    assert_eq!(
        (recent.id.as_str(), recent.closed_at.as_deref()),
        ("0000000000000001", Some("1970-01-01T00:00:04.000Z"))
    );
    let had = tag(&server, "/v1/partitions");
    let had = [("if-none-match", had.as_str())];
    assert_eq!(server.get_with("/v1/partitions", &had).said(), ("304 Not Modified", ""));
    server.show(View { partitions: Vec::new(), ..full(&view()) });
    assert_eq!(server.get_with("/v1/partitions", &had).status, "200 OK");
}

/// The endpoints that are told, by name.
fn told_of(server: &Running) -> std::collections::BTreeMap<String, Endpoint> {
    let Endpoints { endpoints } = server.get("/v1/endpoints").json();
    endpoints.into_iter().map(|endpoint| (endpoint.name.clone(), endpoint)).collect()
}

#[test]
fn endpoints_are_told_with_what_is_judged_and_what_the_last_probe_found() {
    let told = told_of(&start());
    let json = |name: &str| serde_json::to_value(&told[name]).unwrap();
    assert_eq!(
        json("orders-database"),
        json!({
            "name": "orders-database", "type": "postgres", "partition": false, "probed": true,
            "state": "down", "since": "1970-01-01T00:00:06.000Z", "cause": "unhealthy", "ailment": "replication_down",
            "failures": 7, "breaker": "open",
            "probe": {
                "at": "1970-01-01T00:00:08.000Z", "outcome": "failure", "cause": "unhealthy",
                "ailment": "replication_down", "detail": "the link to its primary is down", "address": "10.0.0.7",
                "took_seconds": 0.01,
                "phases": {"dns_seconds": null, "connect_seconds": null, "tls_seconds": null, "exchange_seconds": null},
                "facts": {},
            },
            "connection": {
                "up": false, "since": "1970-01-01T00:00:07.000Z", "address": null, "cause": "unhealthy",
                "ailment": "not_serving", "detail": "the database system is starting up (57P03)",
                "established": 1, "lost": 1,
                "last_close": {
                    "at": "1970-01-01T00:00:07.000Z", "lasted_seconds": 5.0, "cause": "unhealthy", "ailment": "not_serving",
                    "detail": "terminating connection due to administrator command (57P01)",
                },
            },
            "unreached_from": "some_nodes", "unreached": 2, "nodes": ["node-1", "node-2"], "zones": ["west"],
            "reached": 1, "undecided": 1,
        })
    );
    let probe = &json("cache")["probe"];
    assert_eq!((&probe["address"], &probe["phases"]["tls_seconds"]), (&json!("10.0.0.7:6379"), &json!(0.003)));
    let facts =
        json!({"certificate_expires": endpoint_samples::EXPIRES, "in_recovery": false, "lag": 1.5, "replicas": 2});
    assert_eq!(probe["facts"], facts);
    let held = &json("cache")["connection"];
    assert_eq!((&held["up"], &held["address"], &held["cause"]), (&json!(true), &json!("10.0.0.7:6379"), &json!(null)));
    assert_eq!(
        (&held["established"], &held["lost"], &held["last_close"]["cause"]),
        (&json!(2), &json!(1), &json!("tls"))
    );
    assert_eq!(json("central-prometheus")["connection"], json!(null), "none is held to it");
}

#[test]
fn what_is_not_known_of_an_endpoint_is_null_and_no_judgement() {
    let told = told_of(&start());
    let (unknown, others) = (&told["central-prometheus"], &told["registry"]);
    assert_eq!((unknown.partition, unknown.probed, unknown.probe.is_none()), (true, true, true));
    assert!(!unknown.is_in_trouble() && unknown.cause.is_none());
    assert_eq!((others.probed, others.since.as_ref(), others.breaker), (false, None, None));
}

#[test]
fn the_tag_of_endpoints_changes_with_what_is_judged_and_not_with_the_time() {
    let server = start();
    let had = tag(&server, "/v1/endpoints");
    let had = [("if-none-match", had.as_str())];
    assert_eq!(server.get_with("/v1/endpoints", &had).said(), ("304 Not Modified", ""));
    server.set_time(11_000);
    assert_eq!(server.get_with("/v1/endpoints", &had).status, "304 Not Modified", "only the time is another");
    let mut view = full(&view());
    view.endpoints[0] = endpoint_samples::down("cache", "redis", Cause::Timeout);
    server.show(view);
    assert_eq!(server.get_with("/v1/endpoints", &had).status, "200 OK");
}

#[test]
fn a_thousand_endpoints_are_told_in_parts() {
    let endpoints = (0..1000).map(|number| endpoint_samples::up(&format!("endpoint-{number:03}"), "tcp"));
    let server = started(View { endpoints: endpoints.collect(), ..full(&view()) });
    let names: Vec<String> = told_of(&server).into_keys().collect();
    assert_eq!((names.len(), names[999].as_str()), (1000, "endpoint-999"));
}

#[test]
fn without_endpoints_none_are_told() {
    let server = started(View { endpoints: Vec::new(), ..full(&view()) });
    assert_eq!(server.get("/v1/endpoints").body, "{\"endpoints\":[]}\n");
}

#[test]
fn the_status_tells_what_matters_at_once() {
    let status: Status = start().get("/v1/status").json();
    assert_eq!((status.cluster.as_str(), status.node.as_str(), status.zone.as_str()), ("test", "node-1", "east"));
    assert_eq!((status.started_at.as_str(), status.uptime_seconds), ("1970-01-01T00:00:00.000Z", 10.0));
    assert_eq!((status.mode.mode, status.partitions.len(), status.quorum), (Mode::Majority, 1, Some(true)));
    let names = [&status.unheard, &status.agents_down, &status.links_down, &status.links_degraded];
    let names = names.map(|names| names.nodes.join(" "));
    assert_eq!(names, ["node-3", "node-4", "node-3 node-4", "node-2"]);
    let unreached = &status.endpoints_unreached;
    assert_eq!((unreached.count, unreached.endpoints[0].name.as_str()), (1, "orders-database"));
    assert_eq!((status.awaited, status.roster_size), (vec!["node-9".to_owned()], 4));
    assert!((status.coverage_ratio - 1.0 / 3.0).abs() < 1e-9);
    assert_eq!((status.period_seconds, status.detection_bound_seconds), (1.0, 2.5));
    assert_eq!((status.authentication.method, status.authentication.keys), (Method::Insecure, 0));
    assert_eq!((status.discovery.up, status.audit, status.state, status.configuration), (None, None, None, None));
}

/// A log that holds these numbers.
fn log(seqs: impl IntoIterator<Item = u64>) -> (Readers, Tail) {
    let tail = Tail::default();
    tail.became_durable(2);
    seqs.into_iter().for_each(|seq| append(&tail, seq));
    (Readers::of_tail(tail.clone()), tail)
}

fn line(seq: u64) -> String {
    format!(r#"{{"seq":{seq},"event":"link_up","prev":"00","links":[]}}"#)
}

fn append(tail: &Tail, seq: u64) {
    tail.show([(seq, line(seq).into())]);
}

fn logging(readers: Readers) -> Running {
    Running::start_with("127.0.0.1:0", full(&view()), |sources| sources.audit = Some(readers))
}

fn seqs(server: &Running, path: &str) -> Vec<u64> {
    server.get(path).json::<Events>().events.iter().map(|event| event.seq).collect()
}

#[test]
fn events_are_the_lines_of_the_log_with_what_became_of_them() {
    let server = logging(log(2..=3).0);
    let answer = server.get("/v1/events");
    let lines = [line(2).replace("[]}", "[],\"durable\":true}"), line(3).replace("[]}", "[],\"durable\":false}")];
    assert_eq!(answer.body, format!("{{\"events\":[{}],\"oldest\":2,\"newest\":3}}\n", lines.join(",")));
    let events: Events = answer.json();
    assert_eq!(events.events[1].line["event"], "link_up");
}

#[test]
fn events_are_asked_for_by_number_and_without_one_the_newest_are_told() {
    let server = logging(log(11..=250).0);
    assert_eq!(seqs(&server, "/v1/events"), (151..=250).collect::<Vec<_>>());
    assert_eq!(seqs(&server, "/v1/events?limit=2"), [249, 250]);
    assert_eq!(seqs(&server, "/v1/events?since=20&limit=3"), [21, 22, 23]);
    assert_eq!(seqs(&server, "/v1/events?since=0&limit=1000"), (11..=250).collect::<Vec<_>>());
    assert_eq!(seqs(&server, "/v1/events?since=250"), [0; 0]);
    assert_eq!(seqs(&server, "/v1/events?since=18446744073709551615"), [0; 0]);
}

#[test]
fn without_a_log_there_are_no_events() {
    assert_eq!(start().get("/v1/events").body, "{\"events\":[],\"oldest\":null,\"newest\":0}\n");
    let server = logging(log([]).0);
    assert_eq!(server.get("/v1/events").body, "{\"events\":[],\"oldest\":null,\"newest\":0}\n");
}

#[test]
fn a_stream_tells_events_as_they_come_from_where_it_was() {
    let (readers, tail) = log(1..=9);
    let server = logging(readers);
    let told = |seq: u64| vec![format!("id: {seq}"), format!("data: {}", line(seq))];
    let mut from_now = Following::begin(server.address, "/v1/events", &[]);
    let mut since = Following::begin(server.address, "/v1/events?since=8", &[]);
    let mut back = Following::begin(server.address, "/v1/events?since=1", &[("last-event-id", "7")]);
    append(&tail, 10);
    assert_eq!(from_now.next(), told(10));
    assert_eq!([since.next(), since.next()], [9, 10].map(told));
    assert_eq!([back.next(), back.next(), back.next()], [8, 9, 10].map(told));
    (11..=300).for_each(|seq| append(&tail, seq));
    assert!((11..=300).all(|seq| from_now.next() == told(seq)));
}

#[test]
fn a_stream_says_what_it_can_no_longer_tell() {
    let (readers, _) = log(20..=21);
    let server = logging(readers);
    let mut following = Following::begin(server.address, "/v1/events?since=8", &[]);
    assert_eq!(following.next(), [": events 9 to 19 are in the log, and no longer here"]);
    assert_eq!(following.next()[0], "id: 20");
}

#[test]
fn a_stream_of_a_log_that_began_anew_begins_anew() {
    let (readers, tail) = log([]);
    let server = logging(readers);
    let mut following = Following::begin(server.address, "/v1/events?since=500", &[]);
    append(&tail, 1);
    assert_eq!(following.next()[0], "id: 1");
}

#[test]
fn a_stream_has_no_limit() {
    let server = logging(log([1]).0);
    let answer = server.get_with("/v1/events?limit=3", &[("accept", "text/event-stream")]);
    assert_eq!(
        (answer.status.as_str(), answer.error().as_str()),
        ("400 Bad Request", "a stream has no `limit`: leave it out")
    );
}

#[test]
fn the_head_of_an_answer_can_be_had_alone() {
    let server = start();
    for path in ["/v1/mode", "/v1/status", "/v1/peers", "/v1/matrix", "/v1/partitions", "/v1/endpoints", "/v1/events"] {
        let request = format!("HEAD {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        let told = served::said(server.address, &request);
        assert!(told.starts_with("HTTP/1.1 200 OK\r\n") && told.ends_with("\r\n\r\n"), "{told}");
    }
}
