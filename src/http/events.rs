//! `/v1/events`: the newest lines of the audit log, once or as they come. Both are read from memory, never from a disk.

use std::time::Duration;

use hyper::{HeaderMap, StatusCode};

use super::answer::{self, Answer, EVENT_STREAM, JSON, Refusal};
use super::body::Out;
use super::guests::Busy;
use super::limits::Limits;
use super::query::Query;
use crate::api::Events;
use crate::audit::{Page, Readers, Shown, Tail};

pub(super) const PARAMETERS: [&str; 2] = ["since", "limit"];

/// How many events one answer has.
const USUALLY: u64 = 100;
const AT_MOST: u64 = 1000;

/// How many lines are taken from the log at once: some 40 KiB at most.
const BATCH: usize = 4;

/// How often a stream says that it lives, if nothing happens: proxies close what is silent for a minute or less.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

const NOTHING_NEW: &str = ": nothing new\n\n";

/// How long a stream lasts. Who follows comes back, and goes on where it was.
const LIFETIME: Duration = Duration::from_hours(1);

/// Events after a number, or the newest ones.
pub(super) fn once(audit: Option<&Readers>, query: &Query<'_>) -> Result<Answer, Refusal> {
    let limit = query.number("limit", 1..=AT_MOST)?.unwrap_or(USUALLY);
    let since = query.number("since", 0..=u64::MAX)?;
    let Some(Readers { tail, .. }) = audit else {
        return Ok(answer::json(StatusCode::OK, &Events { events: Vec::new(), oldest: None, newest: 0 }));
    };
    let tail = tail.clone();
    let held = tail.since(u64::MAX, 0);
    let after = since.unwrap_or_else(|| held.newest.saturating_sub(limit));
    Ok(answer::made(JSON, None, move |out| async move { write(&tail, held, after, limit, &out).await }))
}

/// Events as they come, each under its number. Who comes back says with `Last-Event-ID` which it had last.
pub(super) fn stream(
    audit: Option<&Readers>,
    limits: &Limits,
    query: &Query<'_>,
    headers: &HeaderMap,
    busy: &Busy,
    is_let_in: impl Fn() -> bool + Send + 'static,
) -> Result<Answer, Refusal> {
    if query.number("limit", 1..=AT_MOST)?.is_some() {
        return Err(Refusal::Parameter("a stream has no `limit`: leave it out".to_owned()));
    }
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let since = last.or(query.number("since", 0..=u64::MAX)?);
    let place = limits.stream()?;
    busy.reserve();
    let tail = audit.map(|readers| readers.tail.clone());
    Ok(answer::made(EVENT_STREAM, Some(place), |out| async move {
        let _ = tokio::time::timeout(LIFETIME, follow(tail, since, &out, is_let_in)).await;
    }))
}

/// Takes a few lines from the log at a time: what a slow reader has not read yet, the log alone holds.
async fn write(tail: &Tail, held: Page, mut after: u64, limit: u64, out: &Out) {
    out.put("{\"events\":[").await;
    let mut written = 0;
    while written < limit && after < held.newest {
        let lines = tail.since(after, BATCH).lines;
        if lines.is_empty() {
            break;
        }
        for shown in lines {
            if written < limit && shown.seq <= held.newest {
                let comma = if written == 0 { "" } else { "," };
                out.put(format!("{comma}{}", with_durable(&shown))).await;
                written += 1;
            }
            after = shown.seq;
        }
    }
    let oldest = held.oldest.map_or_else(|| "null".to_owned(), |oldest| oldest.to_string());
    out.put(format!("],\"oldest\":{oldest},\"newest\":{}}}\n", held.newest)).await;
}

/// The line as it is, with one more field at its end.
fn with_durable(shown: &Shown) -> String {
    let fields = shown.line.trim_end().strip_suffix('}').unwrap_or(&shown.line);
    format!("{fields},\"durable\":{}}}", shown.durable)
}

/// Whoever follows is told what comes, until it goes, the log ends, or `http.expose` no longer lets it in.
async fn follow(tail: Option<Tail>, since: Option<u64>, out: &Out, is_let_in: impl Fn() -> bool) {
    let Some(tail) = tail else { return stay_silent(out).await };
    let mut changes = tail.changes();
    let mut told = since.unwrap_or_else(|| tail.since(u64::MAX, 0).newest);
    while is_let_in() {
        changes.borrow_and_update();
        let mut page = tail.since(told, BATCH);
        if told > page.newest {
            // The log began anew: whoever goes on from its old number would hear nothing until it is as long again.
            told = 0;
            page = tail.since(told, BATCH);
        }
        told = tell(&page, told, out).await;
        if page.lines.is_empty() {
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(KEEP_ALIVE) => out.put(NOTHING_NEW).await,
            }
        }
    }
}

/// Tells lines to somebody who was told those up to a number; up to which it is told then.
async fn tell(page: &Page, mut told: u64, out: &Out) -> u64 {
    if let (Some(first), Some(oldest)) = (page.lines.first(), page.oldest)
        && told > 0
        && oldest > told.saturating_add(1)
    {
        let last = first.seq.saturating_sub(1);
        out.put(format!(": events {} to {last} are in the log, and no longer here\n\n", told + 1)).await;
    }
    for shown in &page.lines {
        out.put(format!("id: {}\ndata: {}\n\n", shown.seq, shown.line.trim_end())).await;
        told = shown.seq;
    }
    told
}

/// There is no log, and so no events.
async fn stay_silent(out: &Out) {
    loop {
        tokio::time::sleep(KEEP_ALIVE).await;
        out.put(NOTHING_NEW).await;
    }
}
