//! `/metrics`: what it says of views of real detectors, how much of it there is, and that it says it well.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod crowd;
mod endpoint_samples;
mod needs;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crowd::Crowd;
use netsplit::audit;
use netsplit::clock::Clock;
use netsplit::config::Reloads;
use netsplit::detector::endpoints::reach::{Reach, UnreachedFrom};
use netsplit::detector::endpoints::watch::Breaker;
use netsplit::detector::mode::Mode;
use netsplit::detector::outcome::{Ailment, Cause};
use netsplit::detector::overruling::Override;
use netsplit::detector::row::{Cell, Cells};
use netsplit::detector::settings::{Member, Timing};
use netsplit::detector::time::Now;
use netsplit::detector::view::{EndpointView, RowView, View};
use netsplit::detector::{Input, LocalFault};
use netsplit::discovery::Status;
use netsplit::metrics::{CONTENT_TYPE, Exporter, LIMIT, NAMED, SERIES_EACH, SERIES_KEPT, ZONES, families};
use netsplit::probe::keeper::connection::{Connection, Why};
use netsplit::probe::prober::Desk;
use netsplit::sources::{Sources, Times};
use netsplit::state::{self, Directory, Whose};
use netsplit::table;
use tokio::sync::watch;

/// The day begins with the first second of a view's own time.
struct Fixed(Now);

impl Times for Fixed {
    fn now(&self) -> Now {
        self.0
    }

    fn wall(&self) -> Duration {
        Duration::from_hours(498_684) + self.0.since_start()
    }
}

fn sources(view: Arc<View>) -> Sources {
    let now = view.at;
    let (_, view) = watch::channel(view);
    Sources::of_view(view, Arc::new(Fixed(now)))
}

fn text(sources: Sources) -> String {
    let (content_type, text) = Exporter::new(sources).render();
    assert_eq!(content_type, CONTENT_TYPE);
    String::from_utf8(text).unwrap()
}

fn text_of(view: Arc<View>) -> String {
    text(sources(view))
}

/// One second: bounds of 2.5 s.
fn fast() -> Timing {
    Timing::of_period(Duration::from_secs(1))
}

fn series(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with('#'))
}

/// The value of a series, by its name and labels as they are written.
fn value(text: &str, name: &str) -> Option<f64> {
    let found = series(text).find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found.map(|value| value.parse().unwrap())
}

fn names_down(text: &str) -> usize {
    series(text).filter(|line| line.starts_with("netsplit_peer_down{")).count()
}

/// As much as an agent has that keeps a state and a log, and whose discovery answers.
fn with_surroundings(view: Arc<View>, directory: &Path) -> Sources {
    let mut sources = sources(view);
    let mut status = Status::default();
    status.up = Some(true);
    status.last_success = Some(sources.times.wall());
    sources.discovery = watch::channel(status).1;
    let whose = Whose { cluster: "crowd".to_owned(), node: "node-0000".to_owned() };
    let opened = state::open(Directory::at(directory), "DIRECTORY", whose, Clock::start()).unwrap();
    sources.state = Some(opened.keeper.counters());
    drop(opened.keeper);
    assert!(opened.closing.finish());
    let settings = audit::Settings { path: directory.join("events.log"), stdout: false, ..audit::Settings::default() };
    let (_, readers, closing) = audit::start(&settings, Clock::start()).unwrap();
    sources.audit = Some(readers);
    closing.finish();
    sources.reloads = Some(Arc::new(Reloads::since(sources.times.wall())));
    sources.kafka_consumer_lag = Some(Arc::new(AtomicU64::new(10_000)));
    sources.probes = Some(endpoint_samples::desk());
    sources
}

/// The same view of a cluster that leans on these.
fn leaning_on(view: &View, endpoints: Vec<EndpointView>) -> Arc<View> {
    Arc::new(View { endpoints, ..view.clone() })
}

/// All that an agent can say at once: a cut, a name for a silent node, endpoints, every source.
fn everything() -> String {
    let directory = tempfile::tempdir().unwrap();
    let mut crowd = Crowd::gathered(4, 2, fast());
    crowd.cut_off(|peer| peer >= 2);
    let mut view = leaning_on(&crowd.view(), endpoint_samples::endpoints());
    let (since, until) = (view.at, view.at + Duration::from_secs(60));
    Arc::make_mut(&mut view).overridden =
        Some(Override { mode: Mode::Majority, since, until, reason: "testing".to_owned() });
    text(with_surroundings(view, directory.path()))
}

/// A family: its type, and its labels with all values that were seen.
#[derive(Debug, Default, PartialEq)]
struct Said {
    kind: String,
    labels: BTreeMap<String, BTreeSet<String>>,
}

/// The families of a text.
fn families_in(text: &str) -> BTreeMap<String, Said> {
    let mut families: BTreeMap<String, Said> = BTreeMap::new();
    let mut family = String::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            name.clone_into(&mut family);
            kind.clone_into(&mut families.entry(family.clone()).or_default().kind);
        } else if let Some((_, rest)) = line.split_once('{').filter(|_| !line.starts_with('#')) {
            let pairs = rest.rsplit_once('}').unwrap().0.split("\",").map(|pair| pair.trim_end_matches('"'));
            for (label, value) in pairs.filter_map(|pair| pair.split_once("=\"")).filter(|(label, _)| *label != "le") {
                let said = families.get_mut(&family).unwrap();
                said.labels.entry(label.to_owned()).or_default().insert(value.to_owned());
            }
        }
    }
    families
}

/// The families of the table in docs/metrics.md. A label whose values are open has none.
fn families_in_the_docs() -> BTreeMap<String, Said> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 6, "{row}");
        let quoted = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        let labels = cells[2].split(';').filter_map(|label| {
            let mut words = quoted(label).into_iter();
            Some((words.next()?, words.collect()))
        });
        (quoted(cells[0]).remove(0), Said { kind: cells[1].to_owned(), labels: labels.collect() })
    })
    .collect()
}

#[test]
fn what_a_loop_that_stands_still_judged_last_is_not_told_any_more() {
    let mut crowd = Crowd::gathered(5, 1, fast());
    crowd.cut_off(|peer| peer >= 2);
    let view = crowd.view();
    let text_at = |age: Duration| {
        let (_, held) = watch::channel(Arc::clone(&view));
        text(Sources::of_view(held, Arc::new(Fixed(view.at + age))))
    };
    let judged = ["netsplit_partition_active{", "netsplit_partition_side_nodes{", "netsplit_quorum "];
    let (now, later) = (text_at(Duration::from_secs(5)), text_at(Duration::from_millis(5001)));
    assert!(judged.iter().all(|judgement| now.contains(judgement)), "{now}");
    assert!(!judged.iter().any(|judgement| series(&later).any(|line| line.starts_with(judgement))), "{later}");
    assert!(later.contains("netsplit_mode{mode=\"starting\"} 1\n") && later.contains("netsplit_partitions_total{"));
}

#[test]
fn the_table_in_the_docs_is_what_the_code_says() {
    let told = families_in_the_docs();
    let mut said = families_in(&everything());
    // The kind, its own copy of it, and the values that are open.
    for (name, family) in &mut said {
        let documented = told.get(name).unwrap_or_else(|| panic!("{name} is not in docs/metrics.md"));
        for (label, values) in &mut family.labels {
            let is_open = documented.labels.get(label).is_some_and(BTreeSet::is_empty);
            if is_open {
                values.clear();
            }
        }
    }
    // Not every value can be there at once.
    let partly = [
        "netsplit_mode_override",
        "netsplit_peer_down",
        "netsplit_partition_side_nodes",
        "netsplit_partition_opened_timestamp_seconds",
        "netsplit_endpoint_up",
        "netsplit_endpoint_down",
        "netsplit_endpoint_unreached",
        "netsplit_endpoint_breaker",
        "netsplit_endpoint_connection_losses_total",
    ];
    for (name, documented) in &told {
        let family = said.get(name).unwrap_or_else(|| panic!("{name} is in docs/metrics.md, and nobody says it"));
        assert_eq!(family.kind, documented.kind, "{name}");
        if !partly.contains(&name.as_str()) {
            assert_eq!(family.labels, documented.labels, "{name}");
        }
        for (label, values) in &family.labels {
            assert!(documented.labels.get(label).is_some_and(|told| told.is_superset(values)), "{name}: {label}");
        }
    }
}

#[test]
fn every_family_that_is_declared_is_said_with_its_labels() {
    let declared = families().map(|family| {
        let labels = family.labels.iter().map(|&label| label.to_owned()).collect();
        (family.name.to_owned(), (family.kind.as_str().to_owned(), labels))
    });
    let said = families_in(&everything()).into_iter();
    let said = said.map(|(name, family)| (name, (family.kind, family.labels.into_keys().collect())));
    let declared: BTreeMap<String, (String, BTreeSet<String>)> = declared.collect();
    assert_eq!(said.collect::<BTreeMap<_, _>>(), declared);
}

#[test]
fn a_cut_of_a_small_cluster_reads_like_this() {
    let mut crowd = Crowd::gathered(4, 2, fast());
    crowd.cut_off(|peer| peer >= 2);
    let text = text_of(crowd.view());
    let without_process: Vec<&str> = text.lines().filter(|line| !line.contains("process_")).collect();
    let version = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
    insta::assert_snapshot!(without_process.join("\n").replace(&version, "version=\"VERSION\""));
}

#[test]
fn nothing_is_judged_before_the_first_bound_has_passed() {
    let mut crowd = Crowd::started(4, 1, fast());
    crowd.run_for(Duration::from_secs(1));
    let text = text_of(crowd.view());
    for absent in ["netsplit_partition_active", "netsplit_quorum", "netsplit_discovery_up", "netsplit_partition_side"] {
        assert!(!series(&text).any(|line| line.starts_with(absent)), "{absent} is a judgement");
    }
    assert_eq!(value(&text, "netsplit_mode{mode=\"starting\"}"), Some(1.0));
    for counter in ["netsplit_partitions_total{kind=\"complete\"}", "netsplit_stalls_total"] {
        assert_eq!(value(&text, counter), Some(0.0), "{counter} is there from the start");
    }
    crowd.run_for(Duration::from_secs(5));
    let text = text_of(crowd.view());
    assert_eq!(value(&text, "netsplit_partition_active{kind=\"complete\"}"), Some(0.0));
    assert_eq!(value(&text, "netsplit_quorum"), Some(1.0));
}

#[test]
fn whoever_hears_nobody_is_blind_and_sees_no_partition_nor_none() {
    let mut crowd = Crowd::started(4, 1, fast());
    crowd.cut_off(|_| true);
    let text = text_of(crowd.view());
    assert_eq!(value(&text, "netsplit_blind{cause=\"never_heard\"}"), Some(1.0));
    assert_eq!(value(&text, "netsplit_blind{cause=\"udp\"}"), Some(0.0));
    assert_eq!(value(&text, "netsplit_coverage_ratio"), Some(0.0));
    assert_eq!(value(&text, "netsplit_heartbeat_loss_ratio"), None, "no link is up");
    assert_eq!(value(&text, "netsplit_partition_active{kind=\"complete\"}"), None);
}

#[test]
fn an_open_partition_is_told_while_the_agent_itself_cannot_judge() {
    let mut crowd = Crowd::gathered(4, 1, fast());
    crowd.cut_off(|peer| peer >= 2);
    crowd.tell(Input::LocalFault(LocalFault::Drops { datagrams: 1 }));
    let text = text_of(crowd.view());
    assert_eq!(value(&text, "netsplit_impaired"), Some(1.0));
    assert_eq!(value(&text, "netsplit_partition_active{kind=\"complete\"}"), Some(1.0));
    assert_eq!(
        value(&text, "netsplit_zone_links{source_zone=\"zone-00\",destination_zone=\"zone-00\",state=\"broken\"}"),
        Some(0.0)
    );
    assert_eq!(value(&text, "netsplit_links{state=\"down\"}"), Some(2.0), "the row itself is as it is");
}

#[test]
fn the_time_of_partitions_never_falls_when_one_closes() {
    let mut crowd = Crowd::gathered(4, 1, fast());
    crowd.cut_off(|peer| peer >= 2);
    let seconds = |crowd: &Crowd| value(&text_of(crowd.view()), "netsplit_partition_seconds_total").unwrap();
    let mut before = seconds(&crowd);
    assert!(before > 0.0);
    crowd.heal();
    for _ in 0..100 {
        crowd.run_for(Duration::from_millis(100));
        let now = seconds(&crowd);
        assert!(now >= before, "{now} after {before}");
        before = now;
    }
    let text = text_of(crowd.view());
    assert_eq!(value(&text, "netsplit_partition_active{kind=\"complete\"}"), Some(0.0));
    crowd.run_for(Duration::from_secs(5));
    assert!((seconds(&crowd) - before).abs() < f64::EPSILON, "it is over");
}

#[test]
fn the_links_of_all_zones_are_the_links() {
    let mut crowd = Crowd::gathered(40, 20, fast());
    crowd.cut_off(|peer| peer >= 25);
    let text = text_of(crowd.view());
    let of = |state: &str| -> u64 {
        let state = format!("state=\"{state}\"}} ");
        let links = series(&text).filter(|line| line.starts_with("netsplit_zone_links{"));
        links.filter_map(|line| line.split_once(&state)).map(|(_, value)| value.parse::<u64>().unwrap()).sum()
    };
    assert_eq!([of("ok"), of("broken"), of("unknown")], [25, 15, 0]);
    let zones: BTreeSet<&str> = series(&text)
        .filter_map(|line| line.strip_prefix("netsplit_zone_links{"))
        .filter_map(|line| line.split('"').nth(1))
        .collect();
    assert_eq!(zones.len(), ZONES + 1);
    assert!(zones.contains("other") && zones.contains("zone-00"), "{zones:?}");
}

/// Nine nodes in three zones, as somebody who knew every row would see them: the first zone is cut off from the third in
/// one direction, node-5 has only just started and knows nobody, and node-7 distrusts what it says.
fn seen_by_all() -> View {
    let mut view = Crowd::gathered(8, 3, fast()).view().as_ref().clone();
    let count = view.nodes.len();
    let zone = |place: usize| place % 3;
    for place in 0..count {
        let mut cells = Cells::absent(count);
        for from in (0..count).filter(|&from| from != place) {
            let is_cut = (zone(from), zone(place)) == (0, 2);
            cells.set(from, [Cell::Up, Cell::Down][usize::from(is_cut)]);
        }
        match place {
            5 => cells = Cells::absent(count),
            6 => cells.set(1, Cell::Late),
            8 => cells.set(7, Cell::DownAgent),
            _ => {}
        }
        let node = &mut view.nodes[place];
        node.member = Arc::new(Member { zone: format!("zone-{}", zone(place)), ..(*node.member).clone() });
        let cells = Arc::new(cells);
        node.row = Some(RowView { cells, age: Duration::ZERO, impaired: place == 2, relayed: false });
    }
    view
}

#[test]
fn the_zone_links_of_all_agents_are_the_matrix_of_zones() {
    let view = seen_by_all();
    let mut sums: BTreeMap<(String, String, String), u64> = BTreeMap::new();
    for me in 0..view.nodes.len() {
        // What each agent tells of its own row is all that it tells; the rows of others it may hold or not.
        let mut own = View { me, ..view.clone() };
        own.nodes.iter_mut().enumerate().filter(|(place, _)| *place != me).for_each(|(_, node)| node.row = None);
        for line in series(&text_of(Arc::new(own))).filter(|line| line.starts_with("netsplit_zone_links{")) {
            let quoted: Vec<&str> = line.split('"').collect();
            let [_, source, _, destination, _, state, value] = *quoted.as_slice().first_chunk().unwrap();
            let count: u64 = value.trim_start_matches("} ").parse().unwrap();
            *sums.entry((source.to_owned(), destination.to_owned(), state.to_owned())).or_default() += count;
        }
    }
    let zones = table::zones(&view, table::Cells::Directed);
    assert_eq!(zones.zones.len(), 3);
    for links in &zones.links {
        let sum = |state: &str| sums[&(links.source_zone.clone(), links.destination_zone.clone(), state.to_owned())];
        assert_eq!(
            [sum("ok"), sum("broken"), sum("unknown")],
            [links.joined, links.broken, links.unknown],
            "{links:?}"
        );
    }
    let all = zones.links.iter().map(|links| [links.joined, links.broken, links.unknown].iter().sum::<u64>());
    assert_eq!(all.sum::<u64>(), 9 * 8, "every directed pair is counted once");
    assert!(zones.links.iter().any(|links| links.broken > 0) && zones.links.iter().any(|links| links.unknown > 0));
}

#[test]
fn five_thousand_nodes_of_whom_half_are_cut_off_are_two_hundred_series() {
    let mut crowd = Crowd::gathered(4_999, 3, crowd::large());
    crowd.cut_off(|peer| peer >= 2_499);
    let directory = tempfile::tempdir().unwrap();
    let text = text(with_surroundings(crowd.view(), directory.path()));
    assert_eq!(value(&text, "netsplit_roster_size"), Some(5_000.0));
    assert_eq!(value(&text, "netsplit_partition_active{kind=\"complete\"}"), Some(1.0));
    assert_eq!(value(&text, "netsplit_peers_down{cause=\"network\"}"), Some(2_500.0));
    let (all, named) = (series(&text).count(), names_down(&text));
    assert!(named == NAMED || (all == LIMIT && named > NAMED * 9 / 10), "{named} named in {all} series");
    assert!(text.contains("netsplit_peer_down{peer=\"node-2500\",zone=\"zone-01\",cause=\"network\"} 1"), "{text}");
    assert!(all <= LIMIT, "{all} series");
}

#[test]
fn as_many_silent_nodes_are_named_as_there_is_room_for_beside_the_zones() {
    let mut crowd = Crowd::gathered(200, 30, fast());
    crowd.cut_off(|peer| peer >= 100);
    let directory = tempfile::tempdir().unwrap();
    let text = text(with_surroundings(crowd.view(), directory.path()));
    let (all, named) = (series(&text).count(), names_down(&text));
    assert!(all <= LIMIT, "{all} series");
    assert!(named >= 10, "an alert names ten: {named}");
    assert_eq!(value(&text, "netsplit_peers_down{cause=\"network\"}"), Some(100.0));
}

/// The series of endpoints in a text of a healthy cluster that leans on these; `late`: by a loop that stands still.
fn series_of_endpoints(endpoints: Vec<EndpointView>, late: bool) -> Vec<String> {
    series_at(&endpoint_samples::desk(), endpoints, late)
}

/// The same, where the probes found this.
fn series_at(desk: &Arc<Desk>, endpoints: Vec<EndpointView>, late: bool) -> Vec<String> {
    let view = leaning_on(&Crowd::gathered(2, 1, fast()).view(), endpoints);
    let now = view.at + Duration::from_secs(if late { 60 } else { 0 });
    let mut sources = Sources::of_view(watch::channel(view).1, Arc::new(Fixed(now)));
    sources.probes = Some(Arc::clone(desk));
    let text = text(sources);
    series(&text).filter(|line| line.starts_with("netsplit_endpoint_")).map(str::to_owned).collect()
}

#[test]
fn endpoints_read_like_this() {
    insta::assert_snapshot!(series_of_endpoints(endpoint_samples::endpoints(), false).join("\n"));
}

#[test]
fn an_endpoint_of_which_nothing_is_known_is_neither_green_nor_red() {
    let unknown = series_of_endpoints(vec![endpoint_samples::unknown("queue", "amqp")], false);
    let of = "endpoint=\"queue\"";
    let type_ = "type=\"amqp\"";
    let mut expected = vec![format!("netsplit_endpoint_breaker{{{of},{type_},state=\"closed\"}} 1")];
    let probes = |outcome| format!("netsplit_endpoint_probes_total{{{of},{type_},outcome=\"{outcome}\"}} 0");
    expected.extend(["failure", "inconclusive", "success"].map(probes));
    assert_eq!(unknown, expected, "counters are there from the start, judgements are not");
    let others = EndpointView { is_probed: false, ..endpoint_samples::up("queue", "amqp") };
    assert_eq!(series_of_endpoints(vec![others], false), [""; 0], "who does not probe it repeats nothing");
}

#[test]
fn a_loop_that_stands_still_says_nothing_more_of_endpoints_than_what_was_counted() {
    let late = series_of_endpoints(endpoint_samples::endpoints(), true);
    let counted = ["probes_total{", "probe_duration_seconds{", "certificate_expiry_timestamp_seconds{", "connection"];
    let is_counted = |line: &String| counted.iter().any(|name| line.starts_with(&format!("netsplit_endpoint_{name}")));
    assert!(!late.is_empty() && late.iter().all(is_counted), "{late:?}");
}

#[test]
fn every_cause_ailment_state_and_verdict_is_in_the_docs_and_one_series() {
    let told = families_in_the_docs();
    let values = |family: &str, label: &str| -> BTreeSet<String> { told[family].labels[label].clone() };
    let named = |names: Vec<&str>| -> BTreeSet<String> { names.into_iter().map(str::to_owned).collect() };
    let mut causes: Vec<&str> = Cause::ALL.map(Cause::as_str).to_vec();
    causes.push(Cause::Unhealthy(Ailment::Alarm).as_str());
    assert_eq!(values("netsplit_endpoint_down", "cause"), named(causes.clone()));
    assert_eq!(values("netsplit_endpoint_connection_losses_total", "cause"), named(causes));
    let mut ailments = Ailment::ALL.map(Ailment::as_str).to_vec();
    ailments.push("");
    assert_eq!(values("netsplit_endpoint_down", "ailment"), named(ailments));
    let breakers = [Breaker::Closed, Breaker::Open, Breaker::HalfOpen].map(Breaker::as_str);
    assert_eq!(values("netsplit_endpoint_breaker", "state"), named(breakers.to_vec()));
    let known = UnreachedFrom::ALL.into_iter().filter(|from| *from != UnreachedFrom::Unknown);
    assert_eq!(values("netsplit_endpoint_unreached", "from"), named(known.map(UnreachedFrom::as_str).collect()));
    for from in UnreachedFrom::ALL {
        let reach = Arc::new(Reach { unreached_from: from, ..Reach::default() });
        let endpoint = EndpointView { reach, ..endpoint_samples::up("cache", "redis") };
        let said = series_of_endpoints(vec![endpoint], false);
        let verdicts = said.iter().filter(|line| line.starts_with("netsplit_endpoint_unreached{"));
        let expected = usize::from(from != UnreachedFrom::Unknown);
        assert_eq!(verdicts.filter(|line| line.contains(from.as_str())).count(), expected, "{from:?}");
    }
}

#[test]
fn a_thousand_endpoints_have_no_more_series_than_their_number_times_a_handful() {
    let cause = Cause::Unhealthy(Ailment::ReplicationDown);
    let endpoints = (0..1000).map(|number| endpoint_samples::down(&format!("endpoint-{number:03}"), "postgres", cause));
    let mut endpoints: Vec<EndpointView> = endpoints.collect();
    let most = series_of_endpoints(vec![endpoint_samples::down("cache", "redis", cause)], false);
    let of_probes = most.iter().filter(|line| !line.contains("_connection"));
    assert_eq!(of_probes.count(), SERIES_EACH, "one that is down and has shown a certificate: {most:?}");
    endpoints[0] = endpoint_samples::up("cache", "redis");
    assert!(series_of_endpoints(endpoints.clone(), false).len() <= SERIES_EACH * 1000);
    let mut crowd = Crowd::gathered(200, 30, fast());
    crowd.cut_off(|peer| peer >= 100);
    let directory = tempfile::tempdir().unwrap();
    let text = text(with_surroundings(leaning_on(&crowd.view(), endpoints), directory.path()));
    let others = series(&text).filter(|line| !line.starts_with("netsplit_endpoint_")).count();
    assert!(others <= LIMIT && names_down(&text) >= 10, "endpoints take no room from nodes: {others} series");
}

#[test]
fn a_connection_that_was_lost_for_every_cause_has_one_series_for_each_and_three() {
    let desk = endpoint_samples::desk();
    let now = Now::at(Duration::from_secs(9));
    let unwell = [Ailment::NotServing, Ailment::Alarm].map(Cause::Unhealthy);
    for cause in Cause::ALL.into_iter().chain(unwell) {
        desk.change_connection("cache", now, |held, now| {
            held.establish(None, now);
            held.lose(Why { cause: Some(cause), detail: String::new() }, now);
        });
    }
    desk.change_connection("cache", now, |held, now| held.establish(None, now));
    let said = series_at(&desk, vec![endpoint_samples::up("cache", "redis")], false);
    let of_it: Vec<&String> = said.iter().filter(|line| line.contains("_connection")).collect();
    assert_eq!(of_it.len(), SERIES_KEPT, "{of_it:?}");
    let unhealthy =
        "netsplit_endpoint_connection_losses_total{endpoint=\"cache\",type=\"redis\",cause=\"unhealthy\"} 2";
    assert!(of_it.iter().any(|line| *line == unhealthy), "{of_it:?}");
}

#[test]
fn a_connection_that_was_not_tried_is_neither_up_nor_down_and_its_counters_are_there() {
    let desk = endpoint_samples::desk();
    desk.change_connection("cache", Now::START, Connection::let_go);
    let said = series_at(&desk, vec![endpoint_samples::up("cache", "redis")], false);
    let is_told = |name: &str| said.iter().any(|line| line.starts_with(&format!("netsplit_endpoint_{name}{{")));
    assert!(!is_told("connection_up") && !is_told("connection_established_timestamp_seconds"), "{said:?}");
    assert!(is_told("connections_total") && is_told("connection_losses_total"), "{said:?}");
}

#[test]
fn two_exporters_in_one_process_do_not_mix() {
    let (one, two) = (Crowd::gathered(2, 1, fast()), Crowd::gathered(5, 1, fast()));
    let (one, two) = (Exporter::new(sources(one.view())), Exporter::new(sources(two.view())));
    let size = |exporter: &Exporter| value(std::str::from_utf8(&exporter.render().1).unwrap(), "netsplit_roster_size");
    assert_eq!((size(&one), size(&two)), (Some(3.0), Some(6.0)));
}

#[test]
fn the_linter_of_prometheus_is_content() {
    let command = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = command else {
        return needs::skip("promtool is missing (package prometheus): make install-test-needs");
    };
    promtool.stdin.take().unwrap().write_all(everything().as_bytes()).unwrap();
    let said = promtool.wait_with_output().unwrap();
    let complaints = [said.stdout, said.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert_eq!((complaints.as_str(), said.status.code()), ("", Some(0)));
}
