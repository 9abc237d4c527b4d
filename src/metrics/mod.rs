//! Every series in one place: what `/metrics` answers, in the text format of Prometheus.
//!
//! A scrape reads the newest view and some counters, and walks the roster once. It takes no lock that the agent waits
//! for, and the text is no longer with 5,000 nodes than with 100: what is not in a closed set is capped. Endpoints
//! alone have series of their own, each a handful.
//! [`families`] lists all there can be, `docs/metrics.md` says what each is for, and a test holds one against the other.
//!
//! A counter is there from the start with 0. A gauge that would be a judgement is absent until there is one. Whose
//! series these are, by cluster and node, is for the scrape to say.

mod cluster;
mod collector;
mod endpoints;
mod family;
mod health;
mod heartbeats;
mod partitions;
mod peers;
mod process;
mod sheet;
mod storage;
mod surroundings;

use prometheus::core::Collector;
use prometheus::{Encoder, Registry, TextEncoder};

pub use collector::{LIMIT, families};
pub use endpoints::{SERIES_EACH, SERIES_KEPT};
pub use family::{Family, Kind};
pub use peers::{NAMED, ZONES};

use crate::sources::Sources;
use collector::Everything;
use process::Process;

/// What the text is, for the header of the answer.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How much text to expect: a whole page of 200 series is 25 kB with all that explains them.
const EXPECTED: usize = 32 * 1024;

/// Tells what one agent knows and counts. Each has a registry of its own, so that several may live in one process.
pub struct Exporter(Registry);

impl Exporter {
    /// One that reads here.
    pub fn new(sources: Sources) -> Self {
        let registry = Registry::new();
        let collectors: [Box<dyn Collector>; 2] = [Box::new(Everything::new(sources)), Box::new(Process::new())];
        for collector in collectors {
            // The names are constants: they clash in every test or in none.
            if let Err(error) = registry.register(collector) {
                tracing::error!(%error, "some metrics are left out: this is a fault in netsplit, please report it");
            }
        }
        Self(registry)
    }

    /// The content type, and all series as they are now.
    pub fn render(&self) -> (&'static str, Vec<u8>) {
        let mut text = Vec::with_capacity(EXPECTED);
        if let Err(error) = TextEncoder::new().encode(&self.0.gather(), &mut text) {
            // Half a page would look like a whole one.
            tracing::error!("the metrics cannot be written: {error}; this is a fault in netsplit, please report it");
            text.clear();
        }
        (CONTENT_TYPE, text)
    }
}
