//! The alerts of remote write with real Prometheus servers, on loopback: a far end that is killed and comes back.
//!
//! Five minutes are long for a test, and a Prometheus takes time as it is. So all is thirty times faster, by the same factor:
//! every time in the shipped rules of remote write (`shipped::group`), the scrapes (30 s become 1 s), and what Prometheus waits
//! between two attempts. What is shown is that the rules, applied to what Prometheus 2.42 tells of its queues, say what they
//! mean in the right order. That five minutes are not too long or too short for a real far end is not shown.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use netsplit::clock::Clock;
use tempfile::TempDir;

use crate::laboratory;
use crate::monitoring::{Labels, PARTITION, Series, of_answer, what_is_missing};
use crate::needs;
use crate::ports::free_port;
use crate::process::{Here, Process, escaped};
use crate::shipped;

/// How much faster everything is.
const FACTOR: u32 = 30;

/// The alert rings five to six minutes after the last success, says docs/alerts.md; and two more for a machine that is busy.
const DOCUMENTED: std::ops::Range<f64> = (5.0 * 60.0 / FACTOR as f64)..(8.0 * 60.0 / FACTOR as f64);

/// How long anything may take that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often is asked whether it has come.
const PAUSE: Duration = Duration::from_millis(200);

/// Where everybody is. `archive` never goes away.
struct Ports {
    central: u16,
    archive: u16,
    sender: u16,
    healthy: u16,
    late: u16,
}

/// The servers, and the directory with what they keep.
struct Stage {
    ports: Ports,
    directory: TempDir,
    clock: Clock,
}

impl Stage {
    fn set() -> Self {
        let ports = Ports {
            central: free_port(),
            archive: free_port(),
            sender: free_port(),
            healthy: free_port(),
            late: free_port(),
        };
        Self { ports, directory: laboratory::directory(), clock: Clock::start() }
    }

    /// Starts one with this configuration, and waits until it answers. One that was there goes on with what it has.
    fn start(&self, name: &str, port: u16, configuration: &str, arguments: &[&str]) -> Process {
        let place = self.directory.path().join(name);
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("prometheus.yaml"), configuration).unwrap();
        let listen = format!("--web.listen-address=127.0.0.1:{port}");
        let all = ["--config.file=prometheus.yaml", "--log.level=warn", listen.as_str()];
        let all: Vec<String> = all.iter().chain(arguments).map(|&argument| argument.to_owned()).collect();
        let server = Process::start(&Here, "prometheus", &all, port, &place);
        self.until(&[&server], &format!("{name} answers"), || server.is_ready(&Here, "/-/ready").then_some(()));
        server
    }

    fn receiver(&self, name: &str, port: u16) -> Process {
        let arguments = ["--web.enable-remote-write-receiver", "--storage.tsdb.path=data"];
        self.start(name, port, "scrape_configs: []\n", &arguments)
    }

    /// One in agent mode that scrapes itself, and calls the port that it writes to `central`.
    fn agent(&self, name: &str, port: u16, to: u16) -> Process {
        let configuration = configuration(&[port], &[("central", to)]);
        self.start(name, port, &configuration, &["--enable-feature=agent", "--storage.agent.path=data"])
    }

    /// One with the rules that scrapes itself and both agents, and writes to both receivers.
    fn sender(&self) -> Process {
        let Ports { central, archive, sender, healthy, late } = self.ports;
        let place = self.directory.path().join("sender");
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("rules.yaml"), shipped::group("netsplit-remote-write", FACTOR)).unwrap();
        let configuration = configuration(&[sender, healthy, late], &[("central", central), ("archive", archive)]);
        let configuration = format!("rule_files: [rules.yaml]\n{configuration}");
        self.start("sender", sender, &configuration, &["--storage.tsdb.path=data"])
    }

    /// Waits until this is so, and returns what it found.
    #[track_caller]
    fn until<T>(&self, servers: &[&Process], what: &str, mut find: impl FnMut() -> Option<T>) -> T {
        let start = self.clock.now();
        loop {
            if let Some(found) = find() {
                return found;
            }
            let waited = self.clock.now().since(start);
            let told: Vec<String> = servers.iter().map(|server| server.told()).collect();
            assert!(waited < PATIENCE, "waited {waited:?} until {what}\n{}", told.join("\n"));
            std::thread::park_timeout(PAUSE);
        }
    }
}

/// Scrapes these ports as Prometheus, and writes to those by name.
fn configuration(scraped: &[u16], written: &[(&str, u16)]) -> String {
    let targets: Vec<String> = scraped.iter().map(|port| format!("\"127.0.0.1:{port}\"")).collect();
    let queue = "queue_config: {min_backoff: 30ms, max_backoff: 200ms, batch_send_deadline: 200ms}";
    let write = |&(name, port): &(&str, u16)| {
        format!("  - {{name: {name}, url: \"http://127.0.0.1:{port}/api/v1/write\", remote_timeout: 1s, {queue}}}\n")
    };
    format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n  - job_name: prometheus\n    \
         static_configs: [{{targets: [{}]}}]\nremote_write:\n{}",
        targets.join(", "),
        written.iter().map(write).collect::<String>()
    )
}

fn query(server: &Process, expression: &str) -> Vec<Series> {
    let answer = server.ask(&Here, &format!("/api/v1/query?query={}", escaped(expression))).unwrap_or_default();
    of_answer(&answer)
}

/// The values of one label.
fn named(series: &[Series], label: &str) -> BTreeSet<String> {
    series.iter().filter_map(|one| one.labels.get(label).cloned()).collect()
}

/// The description of the one alert of this name that fires.
fn description(server: &Process, name: &str) -> Option<String> {
    let answer = server.ask(&Here, "/api/v1/alerts")?;
    let mut all = answer["data"]["alerts"].as_array()?.iter().filter(|alert| alert["labels"]["alertname"] == name);
    let alert = all.next().filter(|alert| alert["state"] == "firing")?;
    Some(alert["annotations"]["description"].as_str()?.to_owned())
}

const SENT: &str = "prometheus_remote_storage_queue_highest_sent_timestamp_seconds";

fn at(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

/// That the alert rang in the time that is documented, reckoned from the last sample that got through.
#[track_caller]
fn rang_in_time(server: &Process, last: f64) {
    let rang = query(server, &format!("ALERTS{{alertname=\"{PARTITION}\",alertstate=\"firing\"}}[1h]"));
    let first = rang[0].samples[0].0;
    assert!(DOCUMENTED.contains(&(first - last)), "it rang {} s after the last success", first - last);
}

#[test]
fn a_far_end_that_is_killed_cuts_off_who_writes_to_it_and_who_starts_meanwhile_and_nobody_else() {
    if let Some(reason) = what_is_missing() {
        return needs::skip(&reason);
    }
    let stage = Stage::set();
    let Ports { central, archive, sender, healthy, late } = stage.ports;
    let far_end = stage.receiver("central", central);
    let _archive = stage.receiver("archive", archive);
    // It has a far end of the same name, which is another one.
    let _healthy = stage.agent("healthy", healthy, archive);
    let server = stage.sender();
    stage.until(&[&server], "all three queues have sent something", || {
        (query(&server, &format!("{SENT} > 0")).len() == 3).then_some(())
    });

    drop(far_end);
    let _late = stage.agent("late", late, central);
    stage.until(&[&server], "the cut is told", || description(&server, PARTITION));
    let sent = query(&server, &format!("{SENT}{{instance=\"{}\",remote_name=\"central\"}}", at(sender)));
    rang_in_time(&server, sent[0].samples[0].1);
    let mut both = [at(sender), at(late)];
    both.sort();
    let expected = format!("nothing has got through from (2): {} {}.", both[0], both[1]);
    stage
        .until(&[&server], "it names both", || description(&server, PARTITION).filter(|text| text.contains(&expected)));
    let never = query(&server, &format!("{SENT}{{instance=\"{}\"}}", at(late)));
    assert!(never.is_empty(), "2.42 tells nothing of a queue that has sent nothing");

    for name in ["MetricsSyncLag", "RemoteWriteQueueFull", "HighRemoteWriteRetries"] {
        stage.until(&[&server], &format!("{name} is told"), || description(&server, name));
    }

    let far_end = stage.receiver("central", central);
    stage.until(&[&server, &far_end], "the alert ends", || {
        query(&server, &format!("ALERTS{{alertname=\"{PARTITION}\"}}")).is_empty().then_some(())
    });
    stage.until(&[&server, &far_end], "the backlog is gone", || {
        let behind = query(&server, "netsplit:remote_write_lag_seconds{remote_name=\"central\"} < 3");
        (named(&behind, "instance").len() == 3).then_some(())
    });

    only_the_cut_rang(&server, &both);
    let kept = query(&far_end, &format!("count_over_time(up{{instance=\"{}\"}}[1h:1s])", at(late)));
    assert!(!kept.is_empty(), "what was kept in the cut arrived after it");
}

/// Of everything that ever fired: each alert once, for `central` alone, and by the two that were cut off from it.
fn only_the_cut_rang(server: &Process, cut_off: &[String]) {
    let all = query(server, "ALERTS{alertstate=\"firing\"}[1h]");
    let label = |labels: &Labels, name: &str| labels.get(name).cloned().unwrap_or_default();
    let rang: BTreeSet<[String; 3]> =
        all.iter().map(|one| ["alertname", "severity", "remote_name"].map(|name| label(&one.labels, name))).collect();
    let expected = [
        ("HighRemoteWriteRetries", "warning"),
        ("MetricsSyncLag", "warning"),
        (PARTITION, "critical"),
        ("RemoteWriteQueueFull", "warning"),
    ];
    let expected = expected.map(|(alert, severity)| [alert, severity, "central"].map(str::to_owned));
    assert_eq!(rang, BTreeSet::from(expected));
    let ever = query(server, "count_over_time(netsplit:remote_write_cut_off[1h])");
    assert_eq!(named(&ever, "instance"), cut_off.iter().cloned().collect());
    assert_eq!(named(&ever, "remote_name"), BTreeSet::from(["central".to_owned()]));
}
