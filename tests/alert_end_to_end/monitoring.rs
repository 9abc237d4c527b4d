//! A Prometheus and an Alertmanager in the management network of a cluster, and what they are asked.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::Duration;

use netsplit::clock::Clock;
use serde_json::Value;
use tempfile::TempDir;

use crate::laboratory;
use crate::laboratory::cluster::Cluster;
use crate::management::Management;
use crate::process::{Process, escaped};
use crate::shipped::{Pace, shipped};

/// The alert of a cut.
pub const PARTITION: &str = "NetworkPartitionDetected";

/// What Prometheus runs with.
const CONFIGURATION: &str = "prometheus-scrape.example.yaml";

/// How long anything may take that must come, beside what it waits for by its own rules.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often is asked whether it has come.
const PAUSE: Duration = Duration::from_millis(100);

/// The labels of one series or alert.
pub type Labels = BTreeMap<String, String>;

pub struct Monitoring {
    // Dropped in this order: processes before the network that they run in.
    prometheus: Process,
    alertmanager: Process,
    pub management: Management,
    _directory: TempDir,
    clock: Clock,
    patience: Duration,
}

/// What one series was at which times (seconds since the epoch).
pub struct Series {
    pub labels: Labels,
    pub samples: Vec<(f64, f64)>,
}

impl Monitoring {
    /// Starts both beside a cluster, and waits until they answer.
    pub fn of(cluster: &Cluster, pace: Pace) -> Self {
        Self::with_further(cluster, pace, "")
    }

    /// The same with further lines at the end of the shipped configuration of Prometheus, which is its list of jobs.
    pub fn with_further(cluster: &Cluster, pace: Pace, lines: &str) -> Self {
        let management = Management::of(&cluster.network, cluster.all().count());
        let directory = laboratory::directory();
        pace.put(directory.path());
        let configuration = directory.path().join(CONFIGURATION);
        let shipped_lines = fs::read_to_string(&configuration).unwrap();
        fs::write(configuration, shipped_lines + lines).unwrap();
        let alertmanager_file = "route: {receiver: nobody, group_wait: 0s}\nreceivers: [{name: nobody}]\n".to_owned()
            + &shipped("alertmanager-inhibition.yaml");
        fs::write(directory.path().join("alertmanager.yaml"), alertmanager_file).unwrap();
        let start = |program: &str, port: u16, arguments: &[&str]| {
            let listen = format!("--web.listen-address=127.0.0.1:{port}");
            let arguments: Vec<String> =
                arguments.iter().copied().chain([listen.as_str(), "--log.level=warn"]).map(str::to_owned).collect();
            Process::start(&management, program, &arguments, port, directory.path())
        };
        let alertmanager = start(
            "prometheus-alertmanager",
            9093,
            &["--config.file=alertmanager.yaml", "--storage.path=alertmanager", "--cluster.listen-address="],
        );
        let prometheus =
            start("prometheus", 9090, &[&format!("--config.file={CONFIGURATION}"), "--storage.tsdb.path=prometheus"]);
        let patience = PATIENCE + Duration::from_secs(2 * pace.scrape_interval());
        let clock = Clock::start();
        let monitoring = Self { prometheus, alertmanager, management, _directory: directory, clock, patience };
        monitoring.until(cluster, "both answer", || {
            let both = [(&monitoring.prometheus, "/-/ready"), (&monitoring.alertmanager, "/-/ready")];
            both.iter().all(|(process, path)| process.is_ready(&monitoring.management, path)).then_some(())
        });
        monitoring
    }

    /// Waits until this is so, and returns what it found. The cluster keeps the time.
    #[track_caller]
    pub fn until<T>(&self, cluster: &Cluster, what: &str, mut find: impl FnMut() -> Option<T>) -> T {
        let start = self.clock.now();
        loop {
            if let Some(found) = find() {
                return found;
            }
            let waited = self.clock.now().since(start);
            assert!(waited < self.patience, "waited {waited:?} until {what}\n{}", self.report());
            cluster.listen(PAUSE);
        }
    }

    /// Waits until this many agents answer Prometheus, of those that are targets.
    #[track_caller]
    pub fn until_scraped(&self, cluster: &Cluster, agents: usize) {
        let what = format!("{agents} agents answer Prometheus");
        self.until(cluster, &what, || (self.query("up == 1").len() == agents).then_some(()));
    }

    /// The series that an expression gives now.
    pub fn query(&self, expression: &str) -> Vec<Series> {
        let path = format!("/api/v1/query?query={}", escaped(expression));
        let answer = self.prometheus.ask(&self.management, &path).unwrap_or_default();
        of_answer(&answer)
    }

    /// What Prometheus has under this path of its API, or what it says is wrong with the question.
    pub fn data(&self, path: &str) -> Result<Value, String> {
        let (status, body) = self.prometheus.answer(&self.management, path).ok_or("no answer")?;
        let answer: Value = serde_json::from_str(&body).map_err(|error| format!("{status}, {error}: {body}"))?;
        if status == 200 { Ok(answer["data"].clone()) } else { Err(format!("{status}: {}", answer["error"])) }
    }

    /// The series of such an answer to a query.
    pub fn series(&self, path: &str) -> Result<Vec<Series>, String> {
        Ok(self.data(path)?["result"].as_array().into_iter().flatten().map(series).collect())
    }

    /// Everything that fired since the start, with the times of its evaluations.
    pub fn fired(&self) -> Vec<Series> {
        self.query("ALERTS{alertstate=\"firing\"}[1h]")
    }

    /// The alerts of this name that Alertmanager has.
    pub fn told(&self, name: &str) -> Vec<Value> {
        let answer = self.alertmanager.ask(&self.management, "/api/v2/alerts").unwrap_or_default();
        let all = answer.as_array().cloned().unwrap_or_default();
        all.into_iter().filter(|alert| alert["labels"]["alertname"] == name).collect()
    }

    /// What the alert of this name, which fires once, says in Prometheus. Alertmanager learns it anew once a minute only.
    pub fn description(&self, name: &str) -> Option<String> {
        let answer = self.prometheus.ask(&self.management, "/api/v1/alerts")?;
        let mut all = answer["data"]["alerts"].as_array()?.iter().filter(|alert| alert["labels"]["alertname"] == name);
        let alert = all.next().filter(|alert| alert["state"] == "firing")?;
        Some(alert["annotations"]["description"].as_str()?.to_owned())
    }

    /// For whoever reads a failure.
    pub fn report(&self) -> String {
        let fired: Vec<_> = self.query("ALERTS").into_iter().map(|series| series.labels).collect();
        let targets: Vec<_> = self.query("up").into_iter().map(|series| (series.labels, series.samples)).collect();
        let (prometheus, alertmanager) = (self.prometheus.told(), self.alertmanager.told());
        format!("alerts: {fired:?}\ntargets: {targets:?}\nprometheus: {prometheus}\nalertmanager: {alertmanager}")
    }
}

/// The series of an answer to a query.
pub fn of_answer(answer: &Value) -> Vec<Series> {
    answer["data"]["result"].as_array().into_iter().flatten().map(series).collect()
}

/// One series of an answer, be it of one moment or of many.
fn series(one: &Value) -> Series {
    let labels = one["metric"].as_object().into_iter().flatten();
    let labels = labels.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()));
    let samples = one["values"].as_array().cloned().unwrap_or_else(|| vec![one["value"].clone()]);
    let number = |value: &Value| value.as_str().and_then(|text| text.parse().ok()).expect("a number in quotes");
    let sample = |sample: &Value| (sample[0].as_f64().expect("a time"), number(&sample[1]));
    Series { labels: labels.collect(), samples: samples.iter().map(sample).collect() }
}

/// What is missing on this machine for such tests.
pub fn what_is_missing() -> Option<String> {
    let lacks = |program: &&str| Command::new(program).arg("--version").output().is_err();
    let missing = ["prometheus", "prometheus-alertmanager"].into_iter().find(lacks)?;
    Some(format!("there is no `{missing}`: run 'make install-test-needs' as root"))
}
