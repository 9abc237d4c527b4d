//! What those who ask an agent read: one bundle of handles for the HTTP server and the metrics.
//!
//! Whoever reads here takes no lock that the agent waits for: views, counters and records are handed out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use tokio::sync::watch;

use crate::agent::{AgentHandle, Counters};
use crate::audit;
use crate::calendar::Calendar;
use crate::clock::Clock;
use crate::config::Reloads;
use crate::detector::time::Now;
use crate::detector::view::View;
use crate::discovery::Status;
use crate::probe::prober::Desk;
use crate::state;

/// Both times of those who read.
pub trait Times: Send + Sync {
    /// The time by which a view says when it was made.
    fn now(&self) -> Now;

    /// The time of day, since the epoch.
    fn wall(&self) -> Duration;
}

impl Times for Clock {
    fn now(&self) -> Now {
        Clock::now(self)
    }

    fn wall(&self) -> Duration {
        Clock::wall(self)
    }
}

/// What there is to read of one agent.
#[derive(Clone)]
pub struct Sources {
    /// What it knows.
    pub view: watch::Receiver<Arc<View>>,
    /// What its shell has counted.
    pub counters: Arc<Counters>,
    /// How its discovery fares.
    pub discovery: watch::Receiver<Status>,
    /// What became of its states. None if it keeps nothing.
    pub state: Option<Arc<state::Counters>>,
    /// What it told, and how its audit log fares. None if it keeps none.
    pub audit: Option<audit::Readers>,
    /// What became of the configuration file since the start. None if it is not looked at again.
    pub reloads: Option<Arc<Reloads>>,
    /// Whether all of the HTTP API answers everybody, and not this machine alone (`http.expose`); it may change.
    pub expose_all: Arc<AtomicBool>,
    /// What its probes of endpoints found. None if it makes none.
    pub probes: Option<Arc<Desk>>,
    /// From how many messages on a consumer group of Kafka lags (`alerts.kafka_consumer_lag`); it may change. None without a
    /// configuration.
    pub kafka_consumer_lag: Option<Arc<AtomicU64>>,
    /// The time.
    pub times: Arc<dyn Times>,
}

impl Sources {
    /// Those of an agent that runs by `clock`.
    pub fn of(agent: &AgentHandle, clock: Clock) -> Self {
        Self {
            view: agent.view(),
            counters: agent.shared_counters(),
            discovery: agent.discovery(),
            state: agent.shared_state(),
            audit: None,
            reloads: None,
            expose_all: Arc::default(),
            probes: None,
            kafka_consumer_lag: None,
            times: Arc::new(clock),
        }
    }

    /// Those of a view alone: everything else is as at the start.
    pub fn of_view(view: watch::Receiver<Arc<View>>, times: Arc<dyn Times>) -> Self {
        let (_, discovery) = watch::channel(Status::default());
        Self {
            view,
            counters: Arc::default(),
            discovery,
            state: None,
            audit: None,
            reloads: None,
            expose_all: Arc::default(),
            probes: None,
            kafka_consumer_lag: None,
            times,
        }
    }

    /// What the agent knew last.
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }

    /// One reading of both clocks.
    pub fn calendar(&self) -> Calendar {
        Calendar { now: self.times.now(), wall: self.times.wall() }
    }
}
