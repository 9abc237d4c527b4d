//! Every query of the dashboards, asked of a real Prometheus during a cut and after it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use netsplit::clock::Clock;

use super::files::{self, Chosen, Dashboard, Moments, Query, list, text, values};
use super::server::{Server, silent, storage};
use crate::laboratory;
use crate::laboratory::cluster::Cluster;
use crate::laboratory::network::Family;
use crate::monitoring::{Monitoring, Series, what_is_missing};
use crate::needs;
use crate::shipped::Pace;

const NODES: usize = 5;

/// How long it may take until every query has something to show: some scrapes and evaluations.
const PATIENCE: Duration = Duration::from_secs(40);

/// Where the endpoints are: on a machine without an agent, which is on no side.
const OPEN: u16 = 5432;
const CLOSED: u16 = 5433;

/// Where the remote storage is that answers.
const STORAGE: u16 = 9201;

/// The agents once more, as those of another cluster and of the nodes' network; Prometheus itself; a remote storage that
/// answers and one that does not.
const FURTHER: &str = r#"
  - job_name: network-partition-detector-host
    scrape_interval: 1s
    scrape_timeout: 1s
    static_configs:
      - {targets: ["10.0.0.1:7476"], labels: {node: node-1, cluster: other}}
      - {targets: ["10.0.0.2:7476"], labels: {node: node-2, cluster: other}}
      - {targets: ["10.0.0.3:7476"], labels: {node: node-3, cluster: other}}
      - {targets: ["10.0.0.4:7476"], labels: {node: node-4, cluster: other}}
      - {targets: ["10.0.0.5:7476"], labels: {node: node-5, cluster: other}}
  - job_name: prometheus
    scrape_interval: 1s
    scrape_timeout: 1s
    static_configs:
      - {targets: ["127.0.0.1:9090"], labels: {cluster: other}}
remote_write:
  - {name: answers, url: "http://127.0.0.1:9201/write"}
  - {name: dead, url: "http://127.0.0.1:9202/write", queue_config: {min_backoff: 30ms, max_backoff: 1s}}
"#;

/// How the places of queries end that have no result at all here, and why. Each is asked all the same, and must be right.
const MAY_BE_EMPTY: [(&str, &str); 2] = [
    ("netsplit-endpoints: Certificates that expire first, A", "no endpoint here has TLS"),
    (": annotation Node alone", "nobody is alone in this cut"),
];

/// What the first panel says.
const ANSWER: &str = "netsplit-overview: Is there a partition?, A";
const NO_AGENT: f64 = -2.0;
const NOBODY_CAN_TELL: f64 = -1.0;
pub(super) const NO_PARTITION: f64 = 0.0;
const PARTITION: f64 = 4.0;

fn now() -> u64 {
    Clock::start().wall().as_secs()
}

/// All variables as they are when a dashboard is opened: everything.
fn everything(monitoring: &Monitoring, dashboards: &[Dashboard]) -> Chosen {
    let mut chosen = Chosen::of(&[]);
    for variable in dashboards.iter().flat_map(Dashboard::variables) {
        let name = text(&variable["name"]);
        let path = values(variable, &chosen);
        let found = monitoring.data(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let found: Vec<&str> = list(&found).map(text).collect();
        assert!(!found.is_empty(), "the variable {name} has no values: {path}");
        let all = variable["allValue"].as_str().map_or_else(|| format!("({})", found.join("|")), str::to_owned);
        chosen.put(name, all);
    }
    chosen
}

fn one_cluster(name: &str) -> Chosen {
    Chosen::of(&[
        ("cluster", name),
        ("job", "network-partition-detector-host"),
        ("endpoint", ".*"),
        ("prometheus", ".*"),
    ])
}

/// The overview of a Prometheus that has one cluster, as it is opened.
pub(super) fn of_overview() -> Chosen {
    Chosen::of(&[("cluster", ".*"), ("job", ".*"), ("endpoint", ".*"), ("prometheus", ".*")])
}

/// Whether there is anything to see: a number, at any time.
fn says_something(series: &[Series]) -> bool {
    series.iter().flat_map(|one| &one.samples).any(|&(_, value)| !value.is_nan())
}

/// The query at this place.
fn of<'a>(queries: &'a [Query], place: &str) -> &'a Query {
    queries.iter().find(|query| query.place == place).unwrap_or_else(|| panic!("there is no {place}"))
}

fn asked(monitoring: &Monitoring, query: &Query, chosen: &Chosen, time: u64) -> Vec<Series> {
    let found = monitoring.series(&query.path(chosen, time));
    found.unwrap_or_else(|error| panic!("{}: {error}\n{}", query.place, chosen.fill(&query.expression)))
}

/// The places of all queries that have nothing to show.
fn empty(monitoring: &Monitoring, queries: &[Query], chosen: &Chosen) -> BTreeSet<String> {
    let time = now();
    let empty = queries.iter().filter(|query| !says_something(&asked(monitoring, query, chosen, time)));
    empty.map(|query| query.place.clone()).collect()
}

/// Whether there is a partition, as the first panel says of each cluster at this time.
pub(super) fn told(monitoring: &Monitoring, queries: &[Query], chosen: &Chosen, time: u64) -> BTreeMap<String, f64> {
    let found = asked(monitoring, of(queries, ANSWER), chosen, time).into_iter();
    found.map(|one| (one.labels.get("cluster").cloned().unwrap_or_default(), one.samples[0].1)).collect()
}

/// Two zones, and three endpoints on the machine behind the nodes: one that is reached, one that is not, and one that ends
/// each connection that is held.
fn configure(cluster: &Cluster) {
    let place = cluster.network.address(cluster.stranger());
    let pace = "period: 1s, timeout: 500ms, confirm_period: 500ms";
    cluster.configure_further(&format!(
        "endpoints:\n  - {{name: reached, type: tcp, address: \"{place}:{OPEN}\", {pace}}}\n  \
         - {{name: refused, type: tcp, address: \"{place}:{CLOSED}\", {pace}}}\n  \
         - {{name: held, type: tcp, address: \"{place}:{OPEN}\", {pace}, keep: true}}\n"
    ));
    for node in cluster.all() {
        let file = cluster.node(node).configuration();
        let mut configuration = fs::read_to_string(&file).unwrap();
        for (number, zone) in (1..=NODES).zip(["east", "east", "east", "west", "west"]) {
            let (entry, name) =
                (format!("- {{name: node-{number},"), format!("- {{name: node-{number}, zone: {zone},"));
            assert!(configuration.contains(&entry), "{configuration}");
            configuration = configuration.replace(&entry, &name);
        }
        fs::write(file, configuration).unwrap();
    }
}

/// An operator overrules the mode of a node.
fn overrule(cluster: &Cluster, node: usize) {
    let state = cluster.node(node).configuration().with_file_name("state");
    let mut command = Command::new(env!("CARGO_BIN_EXE_netsplit"));
    command.args(["override", "majority", "--for", "1h", "--reason", "a test", "--state-directory"]).arg(state);
    let done = cluster.network.within(node, || command.output().unwrap());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn may_be_empty(place: &str) -> bool {
    MAY_BE_EMPTY.iter().any(|(end, _)| place.ends_with(end))
}

/// Waits until every query has something to show, but for those that may have nothing, which must have nothing.
#[track_caller]
fn all_say_something(cluster: &Cluster, monitoring: &Monitoring, queries: &[Query], chosen: &Chosen) {
    let places = queries.iter().map(|query| query.place.clone());
    let may_be_empty: BTreeSet<String> = places.filter(|place| may_be_empty(place)).collect();
    let start = cluster.words.now();
    loop {
        let found = empty(monitoring, queries, chosen);
        if found == may_be_empty {
            return;
        }
        if cluster.words.now().since(start) > PATIENCE {
            let report = monitoring.report();
            assert_eq!(
                found, may_be_empty,
                "left: these have nothing to show; right: these should have nothing\n{report}"
            );
        }
        cluster.listen(Duration::from_secs(1));
    }
}

/// What is asked of a cluster that does not exist: nothing of the others may show.
fn nothing_of_others(monitoring: &Monitoring, queries: &[Query]) {
    let nobody = one_cluster("nobody");
    let unsaid = empty(monitoring, queries, &nobody);
    let shown: Vec<&str> =
        queries.iter().map(|query| query.place.as_str()).filter(|place| !unsaid.contains(*place)).collect();
    assert_eq!(shown, [ANSWER], "these do not ask for the cluster that was chosen");
    assert_eq!(told(monitoring, queries, &nobody, now()), BTreeMap::from([(String::new(), NO_AGENT)]));
}

/// The first panel is right all the way, and every query is asked at every stage.
fn play(cluster: &mut Cluster) {
    let dashboards = files::all();
    let queries: Vec<Query> = dashboards.iter().flat_map(Dashboard::queries).collect();
    assert!(queries.len() > 100, "the dashboards were read");

    configure(cluster);
    let stranger = cluster.stranger();
    let place = (cluster.network.address(stranger), OPEN).into();
    let _endpoint = cluster.network.within(stranger, || Server::start(place, silent));
    let monitoring = Monitoring::with_further(cluster, Pace::Fast, FURTHER);
    let at_home = (Ipv4Addr::LOCALHOST, STORAGE).into();
    let _storage = monitoring.management.within(|| Server::start(at_home, storage));
    cluster.settle();
    monitoring.until_scraped(cluster, 2 * NODES + 1);
    monitoring.until(cluster, "something was written to the remote storage", || {
        let sent = monitoring.query("prometheus_remote_storage_queue_highest_sent_timestamp_seconds > 0");
        (!sent.is_empty()).then_some(())
    });

    let all = everything(&monitoring, &dashboards);
    let answer = |time| told(&monitoring, &queries, &all, time);
    let of_both = |value| BTreeMap::from([(String::new(), value), ("other".to_owned(), value)]);
    monitoring.until(cluster, "there is no partition", || (answer(now()) == of_both(NO_PARTITION)).then_some(()));

    cluster.cut(&[&[1, 2, 3], &[4, 5]]);
    cluster.wait_for_all(1..=NODES, "partition_opened");
    overrule(cluster, 5);
    monitoring.until(cluster, "there is a partition", || (answer(now()) == of_both(PARTITION)).then_some(()));
    for chosen in [&all, &one_cluster("other")] {
        all_say_something(cluster, &monitoring, &queries, chosen);
    }
    names_who_is_not_heard(&monitoring, &queries, &all);
    modes_of_nodes(&monitoring, &queries, &all);
    colours_of_zones(&monitoring, &queries, &all);
    lags(&monitoring, &queries, &all);
    nothing_of_others(&monitoring, &queries);

    // The scrape is cut off as well: the answer stays for a while, and then it is that nobody can tell.
    monitoring.management.plug(false);
    monitoring.until_scraped(cluster, 1);
    assert_eq!(answer(now()), of_both(PARTITION));
    assert_eq!(answer(now() + 90), of_both(NOBODY_CAN_TELL));
    monitoring.management.plug(true);
    monitoring.until_scraped(cluster, 2 * NODES + 1);

    cluster.heal();
    cluster.wait_for_all(1..=NODES, "partition_closed");
    monitoring.until(cluster, "it is over", || (answer(now()) == of_both(NO_PARTITION)).then_some(()));
    // A query for this moment may have nothing to show any more; the others still have what was.
    let past: Vec<Query> = queries.into_iter().filter(|query| query.moments == Moments::Past).collect();
    let unsaid = empty(&monitoring, &past, &all);
    let lost: Vec<_> = unsaid.iter().filter(|place| !may_be_empty(place)).collect();
    assert!(lost.is_empty(), "what was is gone from {lost:?}");
}

/// The first panel names all five, those of the smaller side first: three agents do not hear each of them.
fn names_who_is_not_heard(monitoring: &Monitoring, queries: &[Query], all: &Chosen) {
    let unheard = asked(monitoring, of(queries, "netsplit-overview: Is there a partition?, C"), all, now());
    let of_one: Vec<(&str, &str, f64)> = unheard
        .iter()
        .filter(|one| !one.labels.contains_key("cluster"))
        .map(|one| (one.labels["peer"].as_str(), one.labels["zone"].as_str(), one.samples[0].1))
        .collect();
    let named: BTreeSet<(&str, &str)> = of_one.iter().map(|&(peer, zone, _)| (peer, zone)).collect();
    let (east, west) = (["node-1", "node-2", "node-3"], ["node-4", "node-5"]);
    let expected = east.map(|node| (node, "east")).into_iter().chain(west.map(|node| (node, "west")));
    assert_eq!(named, expected.collect());
    assert_eq!(of_one.iter().map(|&(_, _, agents)| agents).collect::<Vec<_>>(), [3.0, 3.0, 2.0, 2.0, 2.0]);
}

/// The numbers that stand for majority and minority, node by node.
fn modes_of_nodes(monitoring: &Monitoring, queries: &[Query], all: &Chosen) {
    let modes = asked(monitoring, of(queries, "netsplit-overview: Who is on which side, A"), all, now());
    let (majority, minority) = (4.0, 5.0);
    let expected = [1, 2, 3].map(|node| (node, majority)).into_iter().chain([4, 5].map(|node| (node, minority)));
    let expected = expected.map(|(node, mode)| (format!("node-{node}"), mode));
    let of_other = modes.iter().filter(|one| one.labels.contains_key("cluster"));
    let found: BTreeMap<String, f64> = of_other.map(|one| (one.labels["node"].clone(), one.samples[0].1)).collect();
    assert_eq!(found, expected.collect());
}

/// Between the zones nothing passes, within them all of it.
fn colours_of_zones(monitoring: &Monitoring, queries: &[Query], all: &Chosen) {
    let zones = asked(monitoring, of(queries, "netsplit-links: Zones now, A"), all, now());
    for one in zones {
        let (from, to) = (&one.labels["source_zone"], &one.labels["destination_zone"]);
        let broken = if from == to { 0.0 } else { 1.0 };
        assert!((one.samples[0].1 - broken).abs() < 1e-9, "{from} → {to}: {:?}", one.samples);
    }
}

/// The queue whose storage answers is seconds behind; the other one since its Prometheus started, and not since 1970.
fn lags(monitoring: &Monitoring, queries: &[Query], all: &Chosen) {
    let lags = asked(monitoring, of(queries, "netsplit-remote-write: Behind by, A"), all, now());
    let lag = |name: &str| lags.iter().find(|one| one.labels["remote_name"] == name).expect(name).samples[0].1;
    assert!((0.0..3600.0).contains(&lag("dead")), "{}", lag("dead"));
    assert!(lag("answers") < lag("dead"), "{} and {}", lag("answers"), lag("dead"));
}

#[test]
fn every_query_says_something_through_a_cut_and_the_first_panel_is_right() {
    if let Some(reason) = what_is_missing() {
        return needs::skip(&reason);
    }
    laboratory::play(NODES, Family::V4, play);
}
