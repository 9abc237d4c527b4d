//! The files of alerts/ as they are shipped, or faster: what a Prometheus of these tests runs with.
//!
//! A fast file differs from the shipped one in how long things take and in nothing else: that is looked at here each time,
//! in what the files mean and not in how they are written.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// How long things take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As it is shipped.
    Shipped,
    /// In seconds.
    Fast,
}

/// What is made faster, as it stands in the rules and as it stands then.
const IN_RULES: [(&str, &str); 5] = [
    // Of the group that looks for cuts.
    ("interval: 5s", "interval: 1s"),
    ("keep_firing_for: 5m", "keep_firing_for: 10s"),
    ("for: 15s", "for: 2s"),
    ("for: 30s", "for: 5s"),
    ("[1m]", "[10s]"),
];

/// And in the scrape configuration.
const IN_SCRAPES: [(&str, &str); 2] =
    [("scrape_interval: 10s", "scrape_interval: 1s"), ("scrape_timeout: 5s", "scrape_timeout: 1s")];

/// The keys whose value may differ.
const TIMES: [&str; 5] = ["interval", "keep_firing_for", "for", "scrape_interval", "scrape_timeout"];

impl Pace {
    /// How often agents are scraped.
    pub fn scrape_interval(self) -> u64 {
        if self == Self::Shipped { 10 } else { 1 }
    }

    /// How often the rules of cuts are evaluated.
    pub fn group_interval(self) -> u64 {
        if self == Self::Shipped { 5 } else { 1 }
    }

    /// Puts the rules and the scrape configuration into a directory.
    pub fn put(self, directory: &Path) {
        for (name, changes) in
            [("netsplit.rules.yaml", &IN_RULES[..]), ("prometheus-scrape.example.yaml", &IN_SCRAPES[..])]
        {
            let shipped = shipped(name);
            let text = if self == Self::Shipped { shipped } else { faster(&shipped, changes) };
            fs::write(directory.join(name), text).unwrap();
        }
    }
}

/// A file of alerts/.
pub fn shipped(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts").join(name)).unwrap()
}

/// One group of the rules so many times faster: each window, offset, interval and wait, and the seconds that it compares with.
pub fn group(name: &str, factor: u32) -> String {
    let rules = meaning(&shipped("netsplit.rules.yaml"));
    let mut group = rules["groups"].as_array().unwrap().iter().find(|group| group["name"] == name).unwrap().clone();
    shorten(&mut group["interval"], factor);
    for rule in group["rules"].as_array_mut().unwrap() {
        for key in ["for", "keep_firing_for"] {
            if !rule[key].is_null() {
                shorten(&mut rule[key], factor);
            }
        }
        rule["expr"] = Value::String(in_expression(rule["expr"].as_str().unwrap(), factor));
    }
    serde_json::json!({"groups": [group]}).to_string()
}

fn shorten(time: &mut Value, factor: u32) {
    let shorter = shorter(time.as_str().unwrap(), factor).expect("a time");
    *time = Value::String(shorter);
}

/// A time such as `5m` in whole seconds.
fn shorter(time: &str, factor: u32) -> Option<String> {
    let (number, unit) = time.split_at(time.len().checked_sub(1)?);
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    let seconds = number.parse::<u32>().ok()? * unit;
    assert_eq!(seconds % factor, 0, "{time} is no multiple");
    Some(format!("{}s", seconds / factor))
}

/// Windows and offsets are the only words that are times. Numbers from 300 on are seconds here.
fn in_expression(expression: &str, factor: u32) -> String {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | ':' | '.' | '$' | '"');
    let (mut all, mut rest) = (String::new(), expression);
    while let Some(begin) = rest.find(is_word) {
        let (before, from) = rest.split_at(begin);
        let (word, after) = from.split_at(from.find(|letter| !is_word(letter)).unwrap_or(from.len()));
        let seconds = word.parse::<u32>().ok().filter(|seconds| *seconds >= 300);
        let short = seconds.map(|seconds| (seconds / factor).to_string()).or_else(|| shorter(word, factor));
        all = all + before + &short.unwrap_or_else(|| word.to_owned());
        rest = after;
    }
    all + rest
}

fn faster(shipped: &str, changes: &[(&str, &str)]) -> String {
    let fast = changes.iter().fold(shipped.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "`{from}` no longer stands in the shipped file");
        text.replace(from, to)
    });
    let found = differences(&meaning(shipped), &meaning(&fast));
    assert!(found.is_empty(), "more than times would differ: {found:?}");
    fast
}

fn meaning(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

/// Where two files differ in something other than how long things take.
fn differences(one: &Value, other: &Value) -> Vec<String> {
    match (one, other) {
        (Value::Object(ones), Value::Object(others)) => {
            let mut found: Vec<String> =
                others.keys().filter(|key| !ones.contains_key(*key)).map(|key| format!("{key} is new")).collect();
            for (key, value) in ones {
                match others.get(key) {
                    None => found.push(format!("{key} is gone")),
                    Some(Value::String(_)) if TIMES.contains(&key.as_str()) => {}
                    Some(other) => found.extend(differences(value, other)),
                }
            }
            found
        }
        (Value::Array(ones), Value::Array(others)) if ones.len() == others.len() => {
            ones.iter().zip(others).flat_map(|(one, other)| differences(one, other)).collect()
        }
        (Value::String(one), Value::String(other)) if without_windows(one) == without_windows(other) => Vec::new(),
        _ if one == other => Vec::new(),
        _ => vec![format!("{one} became {other}")],
    }
}

/// An expression without how far it looks back: `x[1m]` is `x[]`.
fn without_windows(text: &str) -> String {
    let (mut all, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('[') {
        let end = after.find(']').unwrap_or(0);
        let is_time = after[..end].strip_suffix(['s', 'm']).is_some_and(|number| number.parse::<u32>().is_ok());
        all = all + before + "[";
        rest = if is_time { &after[end..] } else { after };
    }
    all + rest
}

#[test]
fn only_times_may_be_made_faster() {
    let text = "groups: [{name: a, interval: 5s, rules: [{alert: X, expr: 'max(x[1m]) == 1', for: 30s}]}]";
    for (from, to, is_fine) in [
        ("interval: 5s", "interval: 1s", true),
        ("[1m]", "[10s]", true),
        ("for: 30s", "for: 1s", true),
        ("== 1", "== 2", false),
        ("[1m]", "[10s] offset 1m", false),
        ("x[1m]", "y[1m]", false),
        ("alert: X", "alert: Y", false),
        (", for: 30s", "", false),
        ("for: 30s", "for: 30s, labels: {}", false),
    ] {
        let found = differences(&meaning(text), &meaning(&text.replace(from, to)));
        assert_eq!(found.is_empty(), is_fine, "{from} to {to}: {found:?}");
    }
}

#[test]
fn a_group_that_is_faster_is_so_in_every_time_of_it() {
    let expression = "rate(a_1m{b=\"5m\"}[5m] offset 10m) > 0.1 and max_over_time(c[2h]) - 21600 > 300 unless d == 1";
    let fast = "rate(a_1m{b=\"5m\"}[10s] offset 20s) > 0.1 and max_over_time(c[240s]) - 720 > 10 unless d == 1";
    assert_eq!(in_expression(expression, 30), fast);
    let group = meaning(&group("netsplit-remote-write", 30));
    assert_eq!(group["groups"][0]["interval"], "1s");
    let alert = &group["groups"][0]["rules"].as_array().unwrap().iter().find(|rule| rule["for"].is_string()).unwrap();
    assert_eq!((&alert["for"], &alert["keep_firing_for"]), (&Value::from("2s"), &Value::from("10s")));
}
