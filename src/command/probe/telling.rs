//! What came of a probe, told: as text for people, as JSON for programs.

use std::fmt::Write as _;
use std::time::Duration;

use netsplit::api::ProbeAnswer;
use netsplit::config::endpoints::whereabouts;
use netsplit::detector::outcome::{Cause, Outcome};
use netsplit::probe::{Phases, Report};
use serde_json::{Value, json};

use super::super::words::fold;
use super::advice;
use super::subject::Subject;

/// How much of what an endpoint says is shown in one line. It is told whole in JSON.
const LONGEST: usize = 200;

/// As text, in lines no wider than `width` where words allow.
pub(super) fn as_text(subject: &Subject, report: &Report, width: usize) -> String {
    let whereto = whereabouts(&subject.target.check);
    let kind = subject.target.check.kind();
    let title = match &subject.name {
        Some(name) => format!("{name} ({kind}, {whereto})"),
        None => format!("{kind} {whereto}"),
    };
    let mut text = match report.outcome {
        Outcome::Success => format!("✓ {title} answers as it should.\n"),
        Outcome::Failure(cause) => format!("✗ {title} does not: {}\n", named(cause)),
        Outcome::Inconclusive => format!("? {title} could not be asked.\n"),
    };
    if !report.detail.is_empty() {
        text.push_str(&fold("  ", &one_line(&report.detail), width, 2));
    }
    let advice = advice::of(report.outcome);
    if !advice.is_empty() {
        text.push_str(&fold("  ", advice, width, 2));
    }
    let mut rows = vec![("address", report.shown_address().unwrap_or_else(|| "–".to_owned()))];
    rows.extend(phases(&report.phases).map(|(name, time)| (name, time.map_or_else(|| "–".to_owned(), span))));
    rows.push(("in all", format!("{} of {} at most", span(report.took), span(subject.target.timeout))));
    push_rows(&mut text, &rows);
    if !report.facts.is_empty() {
        let facts: Vec<_> = report.facts.iter().map(|(name, fact)| (*name, one_line(&fact.to_string()))).collect();
        push_rows(&mut text, &facts);
    }
    text
}

fn push_rows(text: &mut String, rows: &[(&str, String)]) {
    let widest = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    text.push('\n');
    for (name, value) in rows {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {name:widest$}  {value}");
    }
}

/// The parts of a probe, in their order.
fn phases(phases: &Phases) -> [(&'static str, Option<Duration>); 4] {
    [("dns", phases.dns), ("connect", phases.connect), ("tls", phases.tls), ("exchange", phases.exchange)]
}

/// `timeout`, `unhealthy, replication_down`.
fn named(cause: Cause) -> String {
    let ailment = cause.ailment().map(|ailment| format!(", {}", ailment.as_str())).unwrap_or_default();
    format!("{}{ailment}", cause.as_str())
}

/// It comes from outside: one line of it, and not too much.
fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= LONGEST {
        return words;
    }
    words.chars().take(LONGEST).chain(['…']).collect()
}

/// A time with the three digits that matter: `0.42 ms`, `12.3 ms`, `1.24 s`.
fn span(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1000.0;
    match milliseconds {
        ..9.995 => format!("{milliseconds:.2} ms"),
        ..99.95 => format!("{milliseconds:.1} ms"),
        ..999.5 => format!("{milliseconds:.0} ms"),
        _ => format!("{:.2} s", time.as_secs_f64()),
    }
}

/// As JSON, like the last probe in `/v1/endpoints`. What it did not come to is null.
pub(super) fn as_json(subject: &Subject, report: &Report) -> anyhow::Result<Value> {
    let mut answer = serde_json::to_value(ProbeAnswer::of(report))?;
    answer["endpoint"] = json!(subject.name);
    answer["type"] = json!(subject.target.check.kind());
    answer["target"] = json!(whereabouts(&subject.target.check));
    answer["timeout_seconds"] = json!(subject.target.timeout.as_secs_f64());
    Ok(answer)
}
