//! Each command and each situation; and agents that do not answer as they should.

use std::time::Duration;

use netsplit::api::{
    AuthenticationStatus, ConfigurationStatus, DiscoveryStatus, Link, Method, Names, OverrideAnswer, PartitionAnswer,
    UnreachedEndpoint, UnreachedEndpoints,
};
use netsplit::clock::Clock;
use netsplit::detector::endpoints::reach::UnreachedFrom;
use netsplit::detector::event::CloseCause;
use netsplit::detector::mode::Mode;
use netsplit::detector::partition::{PartitionKind, Side};
use serde_json::{Value, json};

use super::answers::{self, cut, healthy, names, one_way};
use super::server::{Said as Reply, Server};
use super::{Said, asked, fits, netsplit, serving};
use crate::ports::free_port;
use crate::shown;

#[test]
fn status_of_a_healthy_cluster() {
    shown!(asked(&healthy(5), &["status"]).shown());
}

#[test]
fn status_of_a_cut_on_the_side_of_the_majority() {
    shown!(asked(&cut(5, 1..=3, Mode::Majority), &["status"]).shown());
}

#[test]
fn status_of_a_cut_on_the_side_of_the_minority() {
    shown!(asked(&cut(5, 4..=5, Mode::Minority), &["status"]).shown());
}

#[test]
fn status_of_a_cut_says_where_the_control_plane_is() {
    shown!(asked(&answers::cut_with_landmarks(), &["status"]).shown());
}

#[test]
fn status_of_a_cut_names_the_leader_if_it_is_here() {
    let said = asked(&answers::cut_with_leader(), &["status"]).shown();
    assert!(said.contains("\n  etcd's leader etcd-2: reached from this side\n"), "{said}");
}

#[test]
fn status_of_a_cut_in_halves() {
    shown!(asked(&cut(4, 1..=2, Mode::Minority), &["status"]).shown());
}

#[test]
fn status_of_an_isolated_node() {
    shown!(asked(&cut(5, 5..=5, Mode::Isolated), &["status"]).shown());
}

#[test]
fn status_of_sixty_nodes_names_ten_of_a_side() {
    shown!(asked(&cut(60, 1..=40, Mode::Majority), &["status"]).shown());
}

#[test]
fn status_of_an_agent_that_starts() {
    let mut starting = answers::deaf(3);
    starting.status.uptime_seconds = 1.2;
    starting.status.awaited = names(2..=3);
    starting.status.discovery.up = None;
    shown!(asked(&starting, &["status"]).shown());
}

#[test]
fn status_of_an_agent_that_is_blind() {
    let mut blind = answers::deaf(3);
    blind.status.blind = true;
    shown!(asked(&blind, &["status"]).shown());
}

#[test]
fn status_of_an_agent_that_does_not_run() {
    let mut stalled = cut(5, 1..=3, Mode::Majority);
    stalled.status.age_seconds = 42.0;
    stalled.status.mode = answers::mode(Mode::Starting, 3, 5);
    shown!(asked(&stalled, &["status"]).shown());
}

#[test]
fn status_of_a_cluster_that_limps() {
    let mut limping = healthy(5);
    let status = &mut limping.status;
    let named = |number| Names { count: 1, nodes: names(number..=number) };
    (status.unheard, status.agents_down, status.links_degraded) = (named(5), named(4), named(2));
    status.links_down = Names { count: 2, nodes: names(4..=5) };
    status.coverage_ratio = 0.5;
    status.mode = answers::mode(Mode::Degraded, 3, 5);
    status.impaired = true;
    status.authentication = AuthenticationStatus { method: Method::Insecure, keys: 0 };
    status.discovery = DiscoveryStatus { up: Some(false), last_success_at: None };
    let audit = status.audit.as_mut().unwrap();
    (audit.failing, audit.queued, audit.lost) = (true, 12, 3);
    status.state.as_mut().unwrap().errors = 2;
    status.configuration =
        Some(ConfigurationStatus { last_reload_successful: false, last_success_at: answers::BEFORE.to_owned() });
    let unreached =
        |(name, unreached_from): (&str, UnreachedFrom)| UnreachedEndpoint { name: name.to_owned(), unreached_from };
    let endpoints = [("orders-database", UnreachedFrom::SomeNodes), ("stock", UnreachedFrom::Everywhere)];
    status.endpoints_unreached = UnreachedEndpoints { count: 2, endpoints: endpoints.map(unreached).to_vec() };
    shown!(asked(&limping, &["status"]).shown());
}

#[test]
fn status_of_an_agent_that_has_only_just_come_back_cannot_tell() {
    let mut back = healthy(3);
    (back.status.mode.stale, back.status.coverage_ratio) = (true, 0.5);
    let said = asked(&back, &["status"]);
    assert!(said.out.starts_with("? CANNOT TELL YET: "), "{}", said.out);
    assert_eq!(said.code, Some(0));
}

#[test]
fn status_of_a_node_that_is_alone_without_a_partition_is_no_good_news() {
    let mut alone = healthy(3);
    (alone.status.mode, alone.status.coverage_ratio) = (answers::mode(Mode::Isolated, 1, 3), 0.0);
    let said = asked(&alone, &["status"]);
    assert!(said.out.starts_with("! No partition is known, but this node is alone\n"), "{}", said.out);
}

#[test]
fn a_further_command_asks_the_same_agent() {
    let said = asked(&cut(5, 1..=3, Mode::Majority), &["status"]);
    assert!(said.out.contains("netsplit matrix --address 127.0.0.1:7000"), "{}", said.out);
}

#[test]
fn matrix_of_a_cut_is_the_table_of_the_design() {
    shown!(asked(&cut(5, 1..=3, Mode::Majority), &["matrix"]).shown());
}

#[test]
fn matrix_of_sixty_nodes_is_a_few_groups() {
    shown!(asked(&cut(60, 1..=40, Mode::Majority), &["matrix"]).shown());
}

#[test]
fn matrix_of_thirty_nodes_has_numbers_above_its_columns() {
    shown!(asked(&cut(30, 1..=20, Mode::Majority), &["matrix"]).shown());
}

#[test]
fn matrix_shows_a_one_way_cut_in_both_places() {
    shown!(asked(&one_way(), &["matrix"]).shown());
}

#[test]
fn matrix_shows_each_direction_by_itself_if_told_to() {
    shown!(asked(&one_way(), &["matrix", "--directed"]).shown());
}

#[test]
fn matrix_of_zones_shows_which_are_cut_off_from_which() {
    shown!(asked(&cut(60, 1..=40, Mode::Majority), &["matrix", "--zones"]).shown());
}

#[test]
fn matrix_of_zones_counts_each_direction_by_itself_if_told_to() {
    let directed = asked(&one_way(), &["matrix", "--zones", "--directed"]).shown();
    assert_eq!(
        directed,
        "Source\\Target  east  west\neast [2]       2 ✓   1 ✓ 1 ✗\nwest [1]       2 ✓   –\n--- exit code 0\n"
    );
}

#[test]
fn matrix_of_zones_as_json_says_the_same_numbers() {
    let said = asked(&one_way(), &["matrix", "--zones", "--json"]);
    let links = |source: &str, destination: &str, joined: u64, broken: u64| json!({"source_zone": source, "destination_zone": destination, "joined": joined, "broken": broken, "unknown": 0});
    let expected = json!({
        "zones": [{"name": "east", "nodes": 2}, {"name": "west", "nodes": 1}],
        "links": [
            links("east", "east", 1, 0),
            links("east", "west", 1, 1),
            links("west", "east", 1, 1),
            links("west", "west", 0, 0),
        ],
    });
    assert_eq!((serde_json::from_str::<Value>(&said.out).unwrap(), said.code), (expected, Some(0)));
}

#[test]
fn peers_are_listed_with_trouble_first() {
    let mut situation = healthy(8);
    let peers = &mut situation.peers.peers;
    peers[1].degraded = true;
    peers[1].loss_ratio = 0.124;
    peers[1].rtt_seconds = Some(0.123);
    peers[2] = answers::peer("node-3", "east", Link::Down);
    peers[2].unheard = true;
    peers[3] = answers::peer("node-4", "east", Link::Down);
    peers[3].agent_down = Some("host_answers".to_owned());
    peers[4] = answers::peer("node-5", "east", Link::Suspect);
    peers[5] = answers::peer("node-6", "west", Link::Absent);
    peers[6] = answers::peer("node-7", "", Link::Left);
    peers[7] = answers::peer("node-10", "west", Link::Unknown);
    shown!(asked(&situation, &["peers"]).shown());
}

#[test]
fn status_says_what_to_type_where_only_an_endpoint_is_not_reached() {
    let mut situation = healthy(3);
    let cache = UnreachedEndpoint { name: "cache".to_owned(), unreached_from: UnreachedFrom::ThisSide };
    situation.status.endpoints_unreached = UnreachedEndpoints { count: 1, endpoints: vec![cache] };
    let said = asked(&situation, &["status"]);
    assert!(said.out.contains("  Not reached   cache (from this side)\n"), "{}", said.out);
    assert!(said.out.contains("netsplit endpoints --address 127.0.0.1:7000"), "{}", said.out);
    assert_eq!(said.code, Some(0), "no partition is open");
}

#[test]
fn status_of_an_endpoint_that_must_not_be_lost() {
    let mut situation = healthy(5);
    let sides = [names(4..=5), names(1..=3)].map(|nodes| Side::new(nodes, true));
    let partition = PartitionAnswer {
        endpoint: Some("central-prometheus".to_owned()),
        own_side: false,
        ..answers::partition(PartitionKind::Service, sides.to_vec())
    };
    situation.status.partitions = vec![partition];
    let from = UnreachedFrom::SomeNodes;
    let unreached = UnreachedEndpoint { name: "central-prometheus".to_owned(), unreached_from: from };
    situation.status.endpoints_unreached = UnreachedEndpoints { count: 1, endpoints: vec![unreached] };
    shown!(asked(&situation, &["status"]).shown());
}

#[test]
fn endpoints_are_listed_with_trouble_first() {
    shown!(asked(&answers::leaning(), &["endpoints"]).shown());
}

#[test]
fn an_endpoint_that_is_named_is_shown_with_its_last_probe() {
    shown!(asked(&answers::leaning(), &["endpoints", "orders-database"]).shown());
}

#[test]
fn endpoints_in_every_state_are_shown_by_name() {
    let said = asked(&answers::leaning(), &["endpoints", "central-prometheus", "queue", "registry", "cache", "stock"]);
    shown!(said.shown());
}

#[test]
fn endpoints_that_are_all_reached_are_fine_and_so_are_none() {
    let mut sound = healthy(5);
    let none = asked(&sound, &["endpoints"]);
    assert_eq!((none.out.as_str(), none.code), ("No endpoints are configured.\n", Some(0)));
    sound.endpoints.endpoints = vec![answers::endpoint("cache", "redis")];
    let all = asked(&sound, &["endpoints"]);
    assert!(all.out.starts_with("✓ All endpoints are reached: 1\n"), "{}", all.out);
    assert_eq!(all.code, Some(0));
    let leaning = answers::leaning();
    assert_eq!(asked(&leaning, &["endpoints", "central-prometheus"]).code, Some(0), "of those shown none is lost");
    assert_eq!(asked(&leaning, &["endpoints", "queue"]).code, Some(0), "unknown is no bad news");
}

#[test]
fn an_endpoint_that_nobody_knows_is_told_with_those_there_are() {
    let said = asked(&answers::leaning(), &["endpoints", "orders"]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    let there = "cache, central-prometheus, orders-database, queue, registry, stock";
    assert_eq!(said.error, format!("error: the agent knows no endpoint `orders`; there are: {there}\n"));
}

#[test]
fn endpoints_as_json_are_those_that_are_named() {
    let leaning = answers::leaning();
    let said = asked(&leaning, &["endpoints", "stock", "--json"]);
    let expected = json!({"endpoints": [leaning.endpoints.endpoints[5]]});
    assert_eq!((serde_json::from_str::<Value>(&said.out).unwrap(), said.code), (expected, Some(1)));
}

/// A situation whose times are so long before the real now, which commands without a time in their answer go by.
fn recent(mut situation: answers::Situation) -> (answers::Situation, String) {
    let wall = Clock::start().wall().saturating_sub(Duration::from_secs(750));
    let since = jiff::Timestamp::from_millisecond(i64::try_from(wall.as_millis()).unwrap()).unwrap();
    let since = format!("{since:.3}");
    situation.mode.since.clone_from(&since);
    for partition in &mut situation.partitions.open {
        partition.opened_at.clone_from(&since);
    }
    (situation, since)
}

#[test]
fn mode_is_one_line() {
    let normal = asked(&recent(healthy(5)).0, &["mode"]).shown();
    let minority = asked(&recent(cut(5, 4..=5, Mode::Minority)).0, &["mode"]).shown();
    let mut stale = recent(healthy(5)).0;
    stale.mode.stale = true;
    let stale = asked(&stale, &["mode"]).shown();
    let starting = asked(&recent(answers::deaf(3)).0, &["mode"]).shown();
    shown!([normal, minority, stale, starting].concat());
}

#[test]
fn what_is_required_of_a_mode_is_the_exit_code() {
    let minority = cut(5, 4..=5, Mode::Minority);
    assert_eq!(asked(&minority, &["mode", "--require", "writes"]).code, Some(1));
    assert_eq!(asked(&minority, &["mode", "--require", "reads"]).code, Some(0));
    assert_eq!(asked(&answers::deaf(3), &["mode", "--require", "reads", "--json"]).code, Some(1));
    assert_eq!(asked(&healthy(3), &["mode", "--require", "writes"]).code, Some(0));
    assert_eq!(Said::by(&["mode", "--require", "everything"]).code, Some(2));
}

#[test]
fn partitions_that_are_open() {
    let (situation, since) = recent(cut(60, 1..=40, Mode::Majority));
    shown!(asked(&situation, &["partitions"]).shown().replace(&since, answers::BEFORE));
}

#[test]
fn a_partition_with_everything_that_can_be_said_of_it() {
    let (mut situation, since) = recent(one_way());
    let partition = &mut situation.partitions.open[0];
    partition.certain = false;
    partition.exceptions = vec![("node-1".to_owned(), "node-9".to_owned())];
    partition.quorum = false;
    shown!(asked(&situation, &["partitions"]).shown().replace(&since, answers::BEFORE));
}

#[test]
fn partitions_that_are_over() {
    let mut situation = healthy(5);
    let over = |cause, confirmed| {
        let mut partition = cut(5, 1..=3, Mode::Majority).partitions.open.remove(0);
        (partition.cause, partition.confirmed) = (Some(cause), confirmed);
        partition.closed_at = Some(answers::NOW.to_owned());
        partition
    };
    situation.partitions.recent = vec![over(CloseCause::Healed, Some(true)), over(CloseCause::Restarted, Some(false))];
    shown!(asked(&situation, &["partitions"]).shown());
}

#[test]
fn no_partition_is_fine() {
    shown!(asked(&healthy(5), &["partitions"]).shown());
}

#[test]
fn json_is_what_the_agent_said() {
    let situation = cut(5, 1..=3, Mode::Majority);
    let said = |command: &str| -> (Value, Option<i32>) {
        let said = asked(&situation, &[command, "--json"]);
        (serde_json::from_str(&said.out).unwrap(), said.code)
    };
    assert_eq!(said("status"), (json!(situation.status), Some(1)));
    assert_eq!(said("mode"), (json!(situation.mode), Some(0)));
    assert_eq!(said("peers"), (json!(situation.peers), Some(0)));
    assert_eq!(said("matrix"), (json!(situation.matrix), Some(0)));
    assert_eq!(said("partitions"), (json!(situation.partitions), Some(1)));
    assert_eq!(said("endpoints"), (json!(situation.endpoints), Some(0)));
}

const COMMANDS: [&str; 7] = ["status", "mode", "matrix", "peers", "partitions", "endpoints", "events"];

/// Each command's complaint about a server that says this, with code 3. All of them say the same.
fn complaint(reply: &Reply) -> String {
    let server = Server::start();
    let mut complaints = COMMANDS.map(|command| {
        let path = format!("/v1/{command}");
        server.says(&path, reply.clone());
        let said = Said::by(&[command, "--address", &server.address.to_string()]);
        assert_eq!((said.code, said.out.as_str()), (Some(3), ""), "{command}: {}", said.error);
        let error = said.error.replace(&server.address.to_string(), "127.0.0.1:7000").replace(&path, "PATH");
        assert_eq!(error.lines().count(), 1, "{error}");
        error
    });
    complaints.sort();
    assert_eq!(complaints.first(), complaints.last());
    complaints[0].clone()
}

#[test]
fn whoever_is_not_netsplit_is_told_apart() {
    let json = |status, body: &str| Reply::Answer(status, body.to_owned());
    let all = [
        complaint(&json(403, r#"{"error":"only this machine may ask for that"}"#)),
        complaint(&json(429, r#"{"error":"too many large answers at once: try again"}"#)),
        complaint(&json(404, "<html>Not Found</html>")),
        complaint(&json(200, "<html>Welcome to nginx</html>")),
        complaint(&json(200, "")),
        complaint(&Reply::Bytes(b"-ERR unknown command\r\n")),
        complaint(&Reply::Bytes(b"")),
        complaint(&Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{\"mode\":")),
        complaint(&json(403, "{\"error\":\"\\u001b[2J\\u001b]0;x\\u0007\"}")),
    ];
    shown!(all.concat());
}

#[test]
fn an_answer_of_another_shape_says_what_was_not_understood() {
    let server = Server::start();
    server.answers("/v1/mode", &json!({"mode": "serene"}));
    let said = Said::by(&["mode", "--address", &server.address.to_string()]);
    assert_eq!(said.code, Some(3));
    assert!(said.error.contains("its answer to /v1/mode is not that of netsplit 0.1.0"), "{}", said.error);
    assert!(said.error.contains("serene"), "{}", said.error);
}

#[test]
fn an_address_where_nobody_listens_is_told_in_one_sentence() {
    let port = free_port();
    for command in COMMANDS {
        let address = format!("127.0.0.1:{port}");
        let said = Said::by(&[command, "--address", &address]);
        assert_eq!(said.code, Some(3));
        let told = format!(
            "cannot ask {address}: nobody listens there; is the agent running? Say where it is with --address HOST:PORT\n"
        );
        assert_eq!(said.error, told);
    }
}

#[test]
fn an_agent_that_does_not_answer_is_given_up_after_five_seconds() {
    let server = Server::start();
    server.says("/v1/mode", Reply::Nothing);
    let clock = Clock::start();
    let said = Said::by(&["mode", "--address", &server.address.to_string()]);
    assert!(clock.now().since_start() >= Duration::from_secs(5));
    assert_eq!(said.code, Some(3));
    assert!(said.error.contains("no answer within 5 s"), "{}", said.error);
}

#[test]
fn a_name_without_an_address_is_told() {
    let said = Said::by(&["mode", "--address", "no-such-host.invalid:7476"]);
    assert_eq!(said.code, Some(3));
    assert!(said.error.contains("cannot ask no-such-host.invalid:7476: this name has no address"), "{}", said.error);
}

#[test]
fn the_environment_says_where_to_ask_and_the_option_overrules_it() {
    let server = serving(&healthy(3));
    let address = server.address.to_string();
    let with = |environment: &str, arguments: &[&str]| {
        Said::of(netsplit(arguments).env("NETSPLIT_ADDRESS", environment).output().unwrap())
    };
    assert_eq!(with(&address, &["mode"]).code, Some(0));
    assert_eq!(with("127.0.0.1:1", &["mode", "--address", &address]).code, Some(0));
    assert_eq!(with("127.0.0.1:1", &["mode"]).code, Some(3));
    assert_eq!(with("::1", &["mode"]).code, Some(2));
}

#[test]
fn an_agent_is_asked_by_ipv6_in_brackets() {
    let Some(server) = Server::start_on_ipv6() else { return crate::needs::skip("there is no IPv6 here") };
    server.answers("/v1/mode", &healthy(3).mode);
    let said = Said::by(&["mode", "--address", &format!("[::1]:{}", server.address.port())]);
    assert_eq!(said.code, Some(0), "{}", said.error);
}

#[test]
fn names_from_elsewhere_do_not_steer_the_terminal() {
    let mut situation = healthy(3);
    situation.peers.peers[1].name = "node\u{1b}[2J\u{7}".to_owned();
    let said = asked(&situation, &["peers"]);
    assert!(!said.out.contains('\u{1b}') && !said.out.contains('\u{7}'), "{:?}", said.out);
    assert!(said.out.contains("node\u{fffd}[2J\u{fffd}"));
}

#[test]
fn answers_that_do_not_fit_each_other_are_shown_as_far_as_they_go() {
    let mut situation = cut(5, 1..=3, Mode::Majority);
    situation.matrix.rows.truncate(2);
    situation.matrix.rows[0].cells = "-.".to_owned();
    situation.peers.peers.remove(4);
    let said = asked(&situation, &["matrix"]);
    assert_eq!((said.code, said.out.lines().count()), (Some(0), 6), "{}", said.out);
    assert!(said.out.lines().last().unwrap().ends_with("unknown"), "{}", said.out);
}

#[test]
fn long_names_alone_make_a_line_wide() {
    let mut situation = cut(5, 1..=3, Mode::Majority);
    let long = "a".repeat(100);
    situation.partitions.open[0].sides[1].nodes[0].clone_from(&long);
    let said = {
        let server = serving(&situation);
        Said::by(&["partitions", "--address", &server.address.to_string()])
    };
    let others: Vec<&str> = said.out.lines().filter(|line| !line.contains(&long)).collect();
    fits(&others.join("\n"), 80);
    assert!(said.out.contains(&long));
}

#[test]
fn mode_is_followed_by_its_tag_until_nobody_reads() {
    use std::io::{BufRead, BufReader};
    let server = serving(&healthy(3));
    let address = server.address.to_string();
    let mut child =
        netsplit(&["mode", "--follow", "--address", &address]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().contains("normal: writes yes"));
    server.answers("/v1/mode", &cut(3, 1..=1, Mode::Isolated).mode);
    assert!(lines.any(|line| line.contains("isolated: writes no")));
    let mut held = cut(3, 1..=1, Mode::Isolated).mode;
    for until in ["2026-11-21T13:00:00.000Z", "2026-11-21T17:00:00.000Z"] {
        held.overridden = Some(OverrideAnswer { judged: Mode::Isolated, until: until.into(), reason: "so".into() });
        server.answers("/v1/mode", &held);
        assert!(lines.next().unwrap().contains(&format!("by an operator's override until {until}")));
    }
    drop(lines);
    server.answers("/v1/mode", &healthy(3).mode);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
