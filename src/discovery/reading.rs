//! Files that a source needs each time it is asked. A disk that hangs keeps whoever reads from it, so another thread does
//! that, and no more than one for each source.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::{Cause, Failure};

/// How long that may take: less than one question may.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whose turn it is to read.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading(Arc<Mutex<()>>);

impl Reading {
    /// Has another thread do what reads files. It goes on when nobody waits any more, and keeps its turn.
    pub(super) async fn by_another<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let reading = async {
            let turn = Arc::clone(&self.0).lock_owned().await;
            let read = spawn_blocking(move || {
                let _until_it_is_read = turn;
                read()
            });
            read.await.map_err(|ended| Failure::new(Cause::Internal, ended.to_string()))?
        };
        let late = |_| Failure::new(Cause::Configuration, format!("not read within {PATIENCE:?}: does a disk hang?"));
        timeout(PATIENCE, reading).await.map_err(late)?
    }
}
