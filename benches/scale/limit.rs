//! A limit on the processor time of a process, as Kubernetes sets it for a container: so much in each 100 ms. It takes
//! root, and a control group of this bench's own, which is gone when the limit is dropped.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

/// The time after which a container gets its share anew.
const PERIOD: Duration = Duration::from_millis(100);

/// 100m, in the words of Kubernetes.
pub const TENTH: Share = Share { in_a_period: Duration::from_millis(10) };

/// How much of a core.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    in_a_period: Duration,
}

impl Share {
    pub fn of_a_core(self) -> f64 {
        self.in_a_period.div_duration_f64(PERIOD)
    }
}

/// This machine sets no limits: who runs the bench is not root, or nothing of the kind is mounted.
#[derive(Debug)]
pub struct NoLimit {
    group: PathBuf,
    why: io::Error,
}

impl std::fmt::Display for NoLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no limit of the processor could be set with {}: {}", self.group.display(), self.why)
    }
}

/// A limit that holds until it is dropped. The process must have ended by then.
pub struct Limit(PathBuf);

impl Limit {
    pub fn on(process: u32, share: Share) -> Result<Self, NoLimit> {
        let root = Path::new("/sys/fs/cgroup");
        let is_unified = root.join("cgroup.controllers").exists();
        let parent = if is_unified { root.to_owned() } else { root.join("cpu") };
        let group = parent.join(format!("netsplit-scale-{}", process::id()));
        set(&group, is_unified, process, share).map_err(|why| NoLimit { group: group.clone(), why })?;
        Ok(Self(group))
    }
}

fn set(group: &Path, is_unified: bool, process: u32, share: Share) -> io::Result<()> {
    let (quota, period) = (share.in_a_period.as_micros(), PERIOD.as_micros());
    fs::create_dir_all(group)?;
    if is_unified {
        fs::write(group.join("cpu.max"), format!("{quota} {period}"))?;
    } else {
        fs::write(group.join("cpu.cfs_period_us"), period.to_string())?;
        fs::write(group.join("cpu.cfs_quota_us"), quota.to_string())?;
    }
    fs::write(group.join("cgroup.procs"), process.to_string())
}

impl Drop for Limit {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
