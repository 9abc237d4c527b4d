//! `/v1/mode`: what an application asks at the time of the write, and how it follows changes without asking all the time.

use std::time::Duration;

use hyper::{HeaderMap, StatusCode};

use super::answer::{self, Answer, Refusal};
use super::guests::Busy;
use super::limits::Limits;
use super::query::Query;
use super::tag::{Had, Tag};
use crate::api::ModeAnswer;
use crate::detector::time::Now;
use crate::sources::Sources;

pub(super) const PARAMETERS: [&str; 2] = ["require", "wait"];

/// How long somebody may wait for a change.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Without what the answer is a refusal.
#[derive(Clone, Copy)]
enum Required {
    Reads,
    Writes,
}

/// The answer now, or as soon as it is another than the asker has.
pub(super) async fn answer(
    sources: &Sources,
    limits: &Limits,
    query: &Query<'_>,
    headers: &HeaderMap,
    busy: &Busy,
) -> Result<Answer, Refusal> {
    let required = query.word("require", &[("reads", Required::Reads), ("writes", Required::Writes)])?;
    let wait = query.duration("wait", LONGEST_WAIT)?;
    let had = Had::of(headers);
    if let Some(wait) = wait
        && had.has(&now(sources).1)
    {
        let _place = limits.wait()?;
        busy.reserve();
        // Whether it changed or the time is up: what holds then is answered.
        let _ = tokio::time::timeout(wait, until_another(sources, &had)).await;
        busy.release();
    }
    let (mode, tag) = now(sources);
    let is_met = match required {
        Some(Required::Reads) => mode.reads,
        Some(Required::Writes) => mode.writes,
        None => true,
    };
    Ok(match (is_met, had.has(&tag)) {
        // RFC 9110, section 13.2.1: what is refused anyway is refused whatever the asker has.
        (false, _) => answer::tagged(StatusCode::SERVICE_UNAVAILABLE, &mode, &tag),
        (true, true) => answer::unchanged(&tag),
        (true, false) => answer::tagged(StatusCode::OK, &mode, &tag),
    })
}

/// The answer, and its tag. An override that was extended is another one; its end goes by the agent's own clock here, which
/// nobody sets.
fn now(sources: &Sources) -> (ModeAnswer, Tag) {
    let view = sources.view();
    let mode = ModeAnswer::of(&view, sources.calendar());
    let until = view.overridden.as_ref().filter(|_| mode.overridden.is_some()).map(|held| held.until.since_start());
    let tag = Tag::of(&(mode.timeless(), until));
    (mode, tag)
}

/// Waits until the answer is another than the asker has: the view changed, or became too old to be relied on.
async fn until_another(sources: &Sources, had: &Had) {
    let mut views = sources.view.clone();
    loop {
        let (made, timeout) = {
            let view = views.borrow_and_update();
            (view.at, view.timeout)
        };
        if !had.has(&now(sources).1) {
            return;
        }
        tokio::select! {
            Ok(()) = views.changed() => {}
            () = becomes_old(made + timeout, sources) => {}
        }
    }
}

/// Waits until it is later than this. Never ends if it is so already: then only a new view changes anything.
async fn becomes_old(at: Now, sources: &Sources) {
    let now = sources.times.now();
    if now > at {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(at.since(now) + Duration::from_millis(1)).await;
}
