//! The process as the system sees it: the usual `process_*` families.
//!
//! The crate counts processor time in whole seconds. An agent uses one in minutes, and a rate over that would be a
//! staircase: so it is read anew here, to the microsecond.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use prometheus::core::{Collector, Desc};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;

use super::family::Family;

const CPU: &str = "process_cpu_seconds_total";

/// The crate's families, as it says them.
pub(super) const FAMILIES: &[Family] = &[
    Family::counter(CPU, &[], "Total user and system CPU time spent in seconds."),
    Family::gauge("process_open_fds", &[], "Number of open file descriptors."),
    Family::gauge("process_max_fds", &[], "Maximum number of open file descriptors."),
    Family::gauge("process_virtual_memory_bytes", &[], "Virtual memory size in bytes."),
    Family::gauge("process_resident_memory_bytes", &[], "Resident memory size in bytes."),
    Family::gauge("process_start_time_seconds", &[], "Start time of the process since unix epoch in seconds."),
    Family::gauge("process_threads", &[], "Number of OS threads in the process."),
];

/// One series each.
pub(super) const SERIES: usize = FAMILIES.len();

pub(super) struct Process(ProcessCollector);

impl Process {
    pub(super) fn new() -> Self {
        Self(ProcessCollector::for_self())
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = self.0.collect();
        if let (Some(cpu), Some(used)) = (families.iter_mut().find(|family| family.name() == CPU), processor_time()) {
            for metric in cpu.mut_metric() {
                let mut counter = metric.get_counter().clone();
                counter.set_value(used.as_secs_f64());
                metric.set_counter(counter);
            }
        }
        families
    }
}

/// What all threads of this process used, in user and system mode. `None` where the kernel does not say.
fn processor_time() -> Option<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let micros = usage.user_time().num_microseconds().checked_add(usage.system_time().num_microseconds())?;
    u64::try_from(micros).ok().map(Duration::from_micros)
}
