//! How many may be answered at once in the ways that cost more than one small answer.
//!
//! Together they bound what all clients can cost, 40 MiB under the worst attack: each of [`SEATS`] at most 8 KiB of head,
//! 8 KiB and 32 KiB of answer, and 96 KiB in the kernel. Beside that [`LARGE`] views may be held that the agent itself holds
//! no longer, of 10 MB each at 5,000 nodes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answer::Refusal;

/// How many clients are served at once. Streams and waits keep their seats; the rest is for Prometheus, the kubelet, peers
/// that ask for a sign of life, and people.
pub const SEATS: usize = 256;

/// How many streams of events there are at once.
pub const STREAMS: usize = 100;

/// How many may wait for a change of the mode at once.
pub const WAITS: usize = 100;

/// How many large answers are given at once.
pub const LARGE: usize = 2;

/// From how many nodes on an answer that names each of them is large: below it takes less than a millisecond.
pub(super) const MANY_NODES: usize = 256;

/// From how many bytes on an answer that is made at once is large.
pub(super) const MANY_BYTES: usize = 32 * 1024;

/// How long a large answer waits for those before it.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is left of each.
pub(super) struct Limits {
    streams: Arc<Semaphore>,
    waits: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

impl Default for Limits {
    fn default() -> Self {
        let places = |count| Arc::new(Semaphore::new(count));
        Self { streams: places(STREAMS), waits: places(WAITS), large: places(LARGE) }
    }
}

impl Limits {
    /// A place for one more stream.
    pub(super) fn stream(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let place = Arc::clone(&self.streams).try_acquire_owned();
        place.map_err(|_| Refusal::Busy("100 streams of events are open"))
    }

    /// A place for one more who waits.
    pub(super) fn wait(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let place = Arc::clone(&self.waits).try_acquire_owned();
        place.map_err(|_| Refusal::Busy("100 clients wait for a change of the mode"))
    }

    /// A place for one more large answer.
    pub(super) async fn large(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let place = tokio::time::timeout(PATIENCE, Arc::clone(&self.large).acquire_owned()).await;
        place.ok().and_then(Result::ok).ok_or(Refusal::Busy("two large answers are being read"))
    }
}
