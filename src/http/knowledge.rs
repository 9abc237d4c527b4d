//! What the agent knows, as answers: all of it is made here from a view, and none on the thread that detects.
//!
//! What grows with the roster is made row by row while it is read, and others are served between two rows.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::body::Body as _;
use hyper::header::{ACCEPT, HeaderMap};
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task;

use super::answer::{self, Answer, JSON, Refusal, TEXT};
use super::body::{Body, Out};
use super::limits::{Limits, MANY_BYTES, MANY_NODES};
use super::tag::{Had, Tag};
use crate::api::{Endpoint, Endpoints, PartitionAnswer, Partitions, Peers, Status, Turned};
use crate::detector::view::View;
use crate::sources::Sources;
use crate::table;

/// For how many nodes the server draws the table: one of 5,000 whose rows all differ would have hundreds of megabytes.
pub(super) const MOST_DRAWN: usize = 250;

/// How many peers are one part of an answer: 16 KiB.
const PEERS_A_PART: usize = 64;

/// How many endpoints are one part of an answer: 32 KiB, and more only where each names a hundred nodes.
const ENDPOINTS_A_PART: usize = 32;

/// What matters at 3 AM.
pub(super) fn status(sources: &Sources) -> Answer {
    answer::json(StatusCode::OK, &Status::of(sources))
}

/// The cuts that are open, and those that were.
pub(super) async fn partitions(sources: &Sources, limits: &Limits, headers: &HeaderMap) -> Result<Answer, Refusal> {
    let partitions = Partitions::of(&sources.view(), sources.calendar());
    let tag = tag(&partitions);
    if Had::of(headers).has(&tag) {
        return Ok(answer::unchanged(&tag));
    }
    let answer = answer::tagged(StatusCode::OK, &partitions, &tag);
    let is_large = answer.body().size_hint().exact() > u64::try_from(MANY_BYTES).ok();
    let place = if is_large { Some(limits.large().await?) } else { None };
    Ok(answer.map(|body| body.holding(place)))
}

/// When they opened and closed does not matter: the time of day of one and the same instant is another when the clock was
/// set, and the ids are others when the times are.
fn tag(partitions: &Partitions) -> Tag {
    let timeless = |answer: &PartitionAnswer| PartitionAnswer {
        opened_at: String::new(),
        closed_at: answer.closed_at.as_ref().map(|_| String::new()),
        ..answer.clone()
    };
    let all = |answers: &[PartitionAnswer]| answers.iter().map(timeless).collect();
    Tag::of(&Partitions { open: all(&partitions.open), recent: all(&partitions.recent) })
}

/// The roster, and the link from each of its nodes.
pub(super) async fn peers(sources: &Sources, limits: &Limits) -> Result<Answer, Refusal> {
    let (view, place) = view_of(sources, limits).await?;
    Ok(answer::made(JSON, place, |out| async move {
        let Peers { peers } = Peers::of(&view);
        drop(view);
        out.put("{\"peers\":[").await;
        for (place, part) in peers.chunks(PEERS_A_PART).enumerate() {
            put_items(&out, place == 0, part).await;
        }
        out.put("]}\n").await;
    }))
}

/// What the cluster leans on. The tag is that of what is judged.
pub(super) async fn endpoints(sources: &Sources, limits: &Limits, headers: &HeaderMap) -> Result<Answer, Refusal> {
    let is_large = sources.view().endpoints.len() > ENDPOINTS_A_PART;
    let place = if is_large { Some(limits.large().await?) } else { None };
    let (view, desk, calendar) = (sources.view(), sources.probes.clone(), sources.calendar());
    let judged = Endpoints::of(&view, None, calendar).endpoints.into_iter().map(Endpoint::judgement);
    let tag = Tag::of(&Endpoints { endpoints: judged.collect() });
    if Had::of(headers).has(&tag) {
        return Ok(answer::unchanged(&tag));
    }
    let answer = answer::made(JSON, place, |out| async move {
        out.put("{\"endpoints\":[").await;
        for (place, part) in view.endpoints.chunks(ENDPOINTS_A_PART).enumerate() {
            let told = part.iter().map(|endpoint| Endpoint::of(endpoint, &view, desk.as_deref(), calendar));
            put_items(&out, place == 0, &told.collect::<Vec<_>>()).await;
        }
        out.put("]}\n").await;
    });
    Ok(answer::with_tag(answer, &tag))
}

/// Who hears whom: as a table for whoever wants text, else direction by direction.
pub(super) async fn matrix(sources: &Sources, limits: &Limits, headers: &HeaderMap) -> Result<Answer, Refusal> {
    if accepts(headers, "text/plain") {
        return draw(sources.view(), limits.large().await?).await;
    }
    let (view, place) = view_of(sources, limits).await?;
    Ok(answer::made(JSON, place, |out| async move {
        let turned = Turned::new(&*view);
        let nodes = serde_json::to_string(&turned.nodes()).unwrap_or_default();
        out.put(format!("{{\"nodes\":{nodes},\"rows\":[")).await;
        for at in 0..turned.len() {
            put_items(&out, at == 0, turned.row(at).as_slice()).await;
        }
        out.put("]}\n").await;
    }))
}

/// The view is that of the moment at which its turn has come.
async fn view_of(sources: &Sources, limits: &Limits) -> Result<(Arc<View>, Option<OwnedSemaphorePermit>), Refusal> {
    let is_large = sources.view().nodes.len() > MANY_NODES;
    let place = if is_large { Some(limits.large().await?) } else { None };
    Ok((sources.view(), place))
}

/// Some more items of a list, as one part.
async fn put_items(out: &Out, are_first: bool, items: &[impl Serialize]) {
    let mut part = String::new();
    for (place, item) in items.iter().enumerate() {
        part.push_str(if are_first && place == 0 { "" } else { "," });
        part.push_str(&serde_json::to_string(item).unwrap_or_default());
    }
    out.put(part).await;
    // A reader that is fast must not keep the others waiting until all is made.
    task::yield_now().await;
}

/// On a thread of its own: to find out who is alike takes a while.
async fn draw(view: Arc<View>, place: OwnedSemaphorePermit) -> Result<Answer, Refusal> {
    let nodes = view.nodes.len();
    if nodes > MOST_DRAWN {
        return Err(Refusal::TooLarge(format!(
            "a table of {nodes} nodes is too large: ask for JSON, or let `netsplit matrix` draw it"
        )));
    }
    // It keeps its place even if its reader goes meanwhile: what waits to be drawn is bounded, too.
    let drawn = task::spawn_blocking(move || (table::render(&view), place)).await;
    match drawn {
        Ok((table, place)) => Ok(answer::of(StatusCode::OK, TEXT, Body::whole(table).holding(Some(place)))),
        Err(error) => {
            tracing::error!(%error, "the table cannot be drawn: this is a fault in netsplit, please report it");
            Ok(answer::text(StatusCode::INTERNAL_SERVER_ERROR, "the table cannot be drawn: please report it"))
        }
    }
}

/// Whether the asker wants this more than JSON: it stands before it.
pub(super) fn accepts(headers: &HeaderMap, kind: &str) -> bool {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let kinds = values.flat_map(|value| value.split(',')).filter_map(|kind| kind.split(';').next());
    kinds.map(str::trim).find(|wanted| [kind, JSON].contains(wanted)) == Some(kind)
}
