//! What fires, and what does not. Each case looks at the end at everything that ever fired, evaluation by evaluation.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::laboratory::network::Family;
use crate::laboratory::truth::Truth;
use crate::laboratory::{
    self,
    cluster::{Cluster, any_verdict},
};
use crate::monitoring::{Labels, Monitoring, PARTITION, what_is_missing};
use crate::needs;
use crate::shipped::Pace;

const SIDES: [&[usize]; 2] = [&[1, 2, 3], &[4, 5]];

/// How long the shortened rules hold what they can no longer see: less than the ten seconds of their look-back and the ten
/// for which the alert goes on, more than either.
const UNSEEN: Duration = Duration::from_secs(15);

/// After this much time whatever an agent says has been scraped, evaluated and told.
fn any_alert() -> Duration {
    any_verdict() + Duration::from_secs(3)
}

/// Plays a case with five agents that are normal and that Prometheus has asked.
fn play(case: impl Fn(&mut Cluster, &Monitoring)) {
    play_with(5, case);
}

fn play_with(agents: usize, case: impl Fn(&mut Cluster, &Monitoring)) {
    if let Some(reason) = what_is_missing() {
        return needs::skip(&reason);
    }
    laboratory::play(agents, Family::V4, |cluster| {
        let monitoring = Monitoring::of(cluster, Pace::Fast);
        cluster.settle();
        monitoring.until_scraped(cluster, agents);
        monitoring.until(cluster, "all have judged that there is no partition", || {
            (monitoring.query("netsplit_partition_active{kind=\"complete\"} == 0").len() == agents).then_some(())
        });
        case(cluster, &monitoring);
    });
}

/// The labels of what ever fired, but for those of the sample itself.
fn ever_fired(monitoring: &Monitoring) -> BTreeSet<Labels> {
    let of_the_sample = ["__name__", "alertstate"];
    let all = monitoring.fired().into_iter().map(|series| series.labels);
    all.map(|labels| labels.into_iter().filter(|(label, _)| !of_the_sample.contains(&label.as_str())).collect())
        .collect()
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|&(label, value)| (label.to_owned(), value.to_owned())).collect()
}

/// The only alert of this name that Alertmanager has.
#[track_caller]
fn only(monitoring: &Monitoring, name: &str) -> Value {
    let told = monitoring.told(name);
    let [alert] = &told[..] else { panic!("{name} should be told once, not {told:?}\n{}", monitoring.report()) };
    alert.clone()
}

/// Looks for so long whether the partition is told once all the time, and by nothing but the one alert of `since`.
#[track_caller]
fn stays(cluster: &Cluster, monitoring: &Monitoring, since: &Value, time: Duration) {
    let start = cluster.words.now();
    while cluster.words.now().since(start) < time {
        assert_eq!(only(monitoring, PARTITION)["startsAt"], since["startsAt"], "it began again");
        cluster.listen(Duration::from_millis(500));
    }
}

#[test]
fn a_cut_is_one_alert_that_outlives_a_cut_scrape_and_ends_with_the_heal() {
    play(|cluster, monitoring| {
        let truth = Truth(&SIDES);
        cluster.cut(&SIDES);
        truth.opens(cluster);
        monitoring.until(cluster, "the partition is told", || monitoring.told(PARTITION).pop());
        let all_five = "Reported by agents (5): node-1 node-2 node-3 node-4 node-5. Nodes of the smallest side: 2. \
                        Not heard, at most 10 named: node-1 by 2, node-2 by 2, node-3 by 2, node-4 by 3, node-5 by 3.";
        monitoring.until(cluster, "the alert names all five", || {
            monitoring.description(PARTITION).filter(|text| text == all_five)
        });
        let told = only(monitoring, PARTITION);
        let expected = json!({
            "alertname": PARTITION, "cluster": "production", "kind": "complete", "severity": "critical",
        });
        assert_eq!(told["labels"], expected, "one a cluster and kind, not one a node");
        assert_eq!(told["annotations"]["summary"], "Network partition (complete) in cluster production");

        monitoring.management.plug(false);
        monitoring.until_scraped(cluster, 0);
        stays(cluster, monitoring, &told, UNSEEN);
        monitoring.management.plug(true);
        monitoring.until_scraped(cluster, 5);
        stays(cluster, monitoring, &told, Duration::from_secs(2));

        cluster.heal();
        truth.is_healed(cluster);
        monitoring.until(cluster, "the alert ends", || monitoring.told(PARTITION).is_empty().then_some(()));

        let only_one = labels(&[("alertname", PARTITION), ("kind", "complete"), ("severity", "critical")]);
        assert_eq!(ever_fired(monitoring), BTreeSet::from([only_one]), "and nothing else fired on the way");
        let times: Vec<f64> = monitoring.fired()[0].samples.iter().map(|&(time, _)| time).collect();
        let gap = times.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
        assert!(gap < 2.5, "evaluated every second it was silent for {gap} s");
    });
}

#[test]
fn agents_that_are_killed_stopped_and_replaced_fire_nothing() {
    play(|cluster, monitoring| {
        cluster.kill9(5);
        cluster.wait_for_all(1..=4, "agent_down");
        monitoring.until_scraped(cluster, 4);
        cluster.listen(any_alert());
        cluster.start(5);
        cluster.wait_for_normal();

        cluster.terminate(4);
        cluster.wait_for_all([1, 2, 3, 5], "peer_left");
        monitoring.until_scraped(cluster, 4);
        cluster.hears_no("a verdict on those who left", |word| word.is("partition_opened"), any_alert());
        cluster.start(4);
        cluster.wait_for_normal();

        for node in cluster.all() {
            cluster.terminate(node);
            cluster.start(node);
            cluster.wait_for_normal();
        }
        monitoring.until_scraped(cluster, 5);
        cluster.hears_no("a partition", |word| word.is("partition_opened"), any_alert());

        assert_eq!(ever_fired(monitoring), BTreeSet::new());
        let seen = monitoring.query("count_over_time((count(up == 1) < 5)[1h:1s])");
        assert!(!seen.is_empty(), "Prometheus has seen that agents were gone");
    });
}

#[test]
fn the_other_one_of_two_agents_that_is_killed_or_stopped_fires_nothing_critical() {
    play_with(2, |cluster, monitoring| {
        cluster.kill9(2);
        cluster.wait_for_all([1], "agent_down");
        monitoring.until_scraped(cluster, 1);
        cluster.listen(any_alert());
        cluster.start(2);
        cluster.wait_for_normal();

        cluster.terminate(2);
        cluster.wait_for_all([1], "peer_left");
        monitoring.until_scraped(cluster, 1);
        cluster.listen(any_alert());
        cluster.start(2);
        cluster.wait_for_normal();

        let critical = ("severity".to_owned(), "critical".to_owned());
        let fired = ever_fired(monitoring);
        assert!(fired.iter().all(|labels| labels.get(&critical.0) != Some(&critical.1)), "{fired:?}");
        assert!(!monitoring.query("max_over_time(netsplit_mode{mode=\"isolated\"}[1h]) == 1").is_empty());
    });
}

#[test]
fn a_node_that_is_cut_off_is_a_warning_and_no_partition() {
    play(|cluster, monitoring| {
        let sides: [&[usize]; 2] = [&[1, 2, 3, 4], &[5]];
        cluster.cut(&sides);
        Truth(&sides).opens(cluster);
        monitoring.until(cluster, "the node is told", || monitoring.told("NodeIsolated").pop());
        let told = only(monitoring, "NodeIsolated");
        assert_eq!(told["labels"]["peer"], "node-5");
        assert_eq!(told["labels"]["severity"], "warning");
        assert_eq!(
            monitoring.description("NodeIsolated").as_deref(),
            Some("Agents that do not hear it (4): node-1 node-2 node-3 node-4. The node is gone, or its network is.")
        );
        cluster.listen(any_alert());

        cluster.heal();
        Truth(&sides).is_healed(cluster);
        monitoring.until(cluster, "the alert ends", || monitoring.told("NodeIsolated").is_empty().then_some(()));
        let only_one = labels(&[("alertname", "NodeIsolated"), ("peer", "node-5"), ("severity", "warning")]);
        assert_eq!(ever_fired(monitoring), BTreeSet::from([only_one]));
    });
}
