//! What an operator orders an agent by files in its state directory: that works while the node is cut off, and is for whoever
//! may write there.
//!
//! The mode is overruled by one file that stays until its time is over; a node is forgotten by a file that the agent takes
//! away. [`Orders`] writes and reads them, `watch` is the agent's thread that looks for them.

mod watch;

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::detector::mode::Mode;

pub use watch::{OrdersWatch, start};

/// The order that overrules the mode.
pub const OVERRIDE: &str = "override.json";

/// How the names of the orders to forget a node begin.
pub const FORGET: &str = "forget-";

/// An override that is still there next week is one that somebody forgot.
pub const LONGEST: Duration = Duration::from_hours(7 * 24);

/// An order to forget a node waits so long for the agent to run: who was gone then may be back since.
pub const WAITS: Duration = Duration::from_hours(1);

/// How far the clock may have been set back since an order was given.
const ASTRAY: Duration = Duration::from_mins(5);

/// Larger than any order.
const LARGEST: u64 = 64 << 10;

/// An order that overrules the mode of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverrideOrder {
    /// The mode that holds instead.
    pub mode: Mode,
    /// When it was given, RFC 3339.
    pub from: String,
    /// Until when.
    pub until: String,
    /// Why.
    pub reason: String,
}

/// A time of day to the second, `wall` since the epoch.
fn written(wall: Duration) -> String {
    let time = i64::try_from(wall.as_secs()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.unwrap_or(Timestamp::MAX).to_string()
}

/// The time since the epoch that is written there.
fn time(text: &str) -> Result<Duration, OrderError> {
    let time: Option<Timestamp> = text.parse().ok();
    let since = time.and_then(|time| Duration::try_from(time.as_duration()).ok());
    since.ok_or_else(|| OrderError::NoTime(text.to_owned()))
}

impl OverrideOrder {
    /// One that holds from now on, `wall` since the epoch; to the second.
    pub fn from(wall: Duration, mode: Mode, lasts: Duration, reason: String) -> Self {
        Self { mode, from: written(wall), until: written(wall + lasts), reason }
    }

    /// From when until when, since the epoch.
    ///
    /// # Errors
    /// It says no times, a mode that nobody may order, or a time that is too long.
    fn span(&self) -> Result<(Duration, Duration), OrderError> {
        let (from, until) = (time(&self.from)?, time(&self.until)?);
        match until.checked_sub(from) {
            _ if self.mode == Mode::Starting => Err(OrderError::NotOrdered),
            Some(lasts) if lasts <= LONGEST => Ok((from, until)),
            _ => Err(OrderError::TooLong),
        }
    }

    /// For how long it holds still, `wall` since the epoch; none if its time is over, or has not come: then the clock is
    /// wrong, for it is the one by which the order was given.
    fn left(&self, wall: Duration) -> Option<Duration> {
        let (from, until) = self.span().ok()?;
        let left = until.checked_sub(wall).filter(|left| !left.is_zero())?;
        (wall + ASTRAY >= from).then_some(left)
    }
}

/// An order to forget a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForgetOrder {
    /// The node that will not return.
    pub node: String,
    /// When it was given, RFC 3339.
    pub from: String,
}

impl ForgetOrder {
    /// Whether it is young enough to be followed, `wall` since the epoch.
    fn holds(&self, wall: Duration) -> Result<(), OrderError> {
        let from = time(&self.from)?;
        if from <= wall + ASTRAY && wall <= from + WAITS { Ok(()) } else { Err(OrderError::TooOld(self.node.clone())) }
    }
}

/// An order that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The disk does not give it.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// It is no order.
    #[error("it is no order: {0}; `netsplit override` and `netsplit forget` write good ones")]
    Malformed(String),
    /// Nobody orders an agent to start.
    #[error("the mode `starting` cannot be ordered")]
    NotOrdered,
    /// Its end is too far from its beginning, or before it.
    #[error("it holds for up to 168h, and ends after it begins")]
    TooLong,
    /// It waited for too long.
    #[error("it is of another hour: whether {0} is gone for good is to be ordered again")]
    TooOld(String),
    /// Its end is no time.
    #[error("{0:?} is no time as RFC 3339 has it")]
    NoTime(String),
}

/// The orders in one state directory.
#[derive(Clone, Debug)]
pub struct Orders {
    directory: PathBuf,
}

impl Orders {
    /// Those in this state directory.
    pub fn of(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// Orders that the mode is overruled, instead of what was ordered before.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn overrule(&self, order: &OverrideOrder) -> io::Result<()> {
        self.put(OVERRIDE, &serde_json::to_vec(order)?)
    }

    /// Takes that order back, and says whether there was one.
    ///
    /// # Errors
    /// The disk does not do it.
    pub fn clear(&self) -> io::Result<bool> {
        match fs::remove_file(self.directory.join(OVERRIDE)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound && self.directory.is_dir() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Orders that a node is forgotten, `wall` since the epoch. The file is gone once the agent has taken the order.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn forget(&self, node: &str, wall: Duration) -> io::Result<PathBuf> {
        let name = format!("{FORGET}{:020}-{}.json", wall.as_micros(), process::id());
        self.put(&name, &serde_json::to_vec(&ForgetOrder { node: node.to_owned(), from: written(wall) })?)?;
        Ok(self.directory.join(name))
    }

    /// What overrules the mode; none if nothing does.
    fn overriding(&self) -> Result<Option<OverrideOrder>, OrderError> {
        let Some(bytes) = read(&self.directory.join(OVERRIDE))? else { return Ok(None) };
        let order: OverrideOrder = understood(&bytes)?;
        order.span()?;
        Ok(Some(order))
    }

    /// The files with orders to forget a node, the oldest first.
    fn to_forget(&self) -> Result<Vec<PathBuf>, OrderError> {
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if is_missing(&error) => return Ok(Vec::new()),
            entries => entries.map_err(|error| unreadable(&error))?,
        };
        let is_one = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with(FORGET)
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_one).collect();
        paths.sort();
        Ok(paths)
    }

    /// Writes a file that is there as a whole or not at all.
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let beside = self.directory.join(format!(".{name}.{}", process::id()));
        let written = write(&beside, bytes).and_then(|()| fs::rename(&beside, self.directory.join(name)));
        if written.is_err() {
            // What is left of it is of no use.
            let _ = fs::remove_file(&beside);
        }
        written.and_then(|()| File::open(&self.directory)?.sync_all())
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, OrderError> {
    match fs::metadata(path) {
        Ok(about) if about.is_file() => {}
        // To open a pipe would wait for somebody to write into it.
        Ok(_) => return Err(OrderError::Unreadable("it is no regular file".to_owned())),
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(unreadable(&error)),
    }
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes));
    read.map_err(|error| unreadable(&error))?;
    Ok(Some(bytes))
}

/// That there is no state directory is said elsewhere.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn unreadable(error: &io::Error) -> OrderError {
    OrderError::Unreadable(error.to_string())
}

fn understood<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Result<T, OrderError> {
    serde_json::from_slice(bytes).map_err(|error| OrderError::Malformed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> OverrideOrder {
        let (noon, hour) = (Duration::from_secs(1_795_348_800), Duration::from_secs(3600));
        OverrideOrder::from(noon, Mode::Majority, hour, "the other site burnt down".to_owned())
    }

    #[test]
    fn an_override_is_there_until_it_is_taken_back() {
        let directory = tempfile::tempdir().unwrap();
        let orders = Orders::of(directory.path());
        assert_eq!((orders.overriding(), orders.clear().unwrap()), (Ok(None), false));
        orders.overrule(&order()).unwrap();
        let other = OverrideOrder { mode: Mode::Minority, ..order() };
        orders.overrule(&other).unwrap();
        assert_eq!(orders.overriding(), Ok(Some(other)));
        assert!(orders.clear().unwrap() && !orders.clear().unwrap());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is left over");
        assert!(Orders::of(directory.path().join("missing")).clear().is_err(), "that is no state directory");
    }

    #[test]
    fn an_order_holds_for_what_is_left_of_its_time_and_not_by_a_clock_that_is_wrong() {
        let (noon, hour) = (Duration::from_secs(1_795_348_800), Duration::from_secs(3600));
        assert_eq!((order().from.as_str(), order().until.as_str()), ("2026-11-22T12:00:00Z", "2026-11-22T13:00:00Z"));
        let left = |wall| order().left(wall);
        assert_eq!([left(noon), left(noon + hour / 2)], [Some(hour), Some(hour / 2)]);
        assert_eq!([left(noon + hour), left(noon + hour * 100)], [None, None]);
        assert_eq!(left(noon.checked_sub(hour).unwrap()), None, "set back by an hour");
    }

    #[test]
    fn what_is_no_order_is_said_to_be_none() {
        let directory = tempfile::tempdir().unwrap();
        let orders = Orders::of(directory.path());
        let file = directory.path().join(OVERRIDE);
        for (text, wrong) in [
            ("", "it is no order"),
            (r#"{"mode":"best","from":"","until":"","reason":"?"}"#, "unknown variant `best`"),
            (r#"{"mode":"majority","from":"2026-11-22T12:00:00Z","until":"tomorrow","reason":"?"}"#, "is no time"),
            (r#"{"mode":"majority","from":"","reason":"?"}"#, "missing field `until`"),
            (
                r#"{"mode":"starting","from":"2026-11-22T12:00:00Z","until":"2026-11-22T13:00:00Z","reason":"?"}"#,
                "cannot",
            ),
            (
                r#"{"mode":"majority","from":"2026-11-22T12:00:00Z","until":"2027-11-22T12:00:00Z","reason":"?"}"#,
                "168h",
            ),
            (
                r#"{"mode":"majority","from":"2026-11-22T12:00:00Z","until":"2026-11-21T12:00:00Z","reason":"?"}"#,
                "ends",
            ),
        ] {
            fs::write(&file, text).unwrap();
            let error = orders.overriding().unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn an_order_to_forget_a_node_holds_for_an_hour() {
        let noon = Duration::from_secs(1_795_348_800);
        let order = ForgetOrder { node: "node-2".to_owned(), from: written(noon) };
        let later = |seconds| order.holds(noon + Duration::from_secs(seconds));
        assert_eq!([later(0), later(3600)], [Ok(()), Ok(())]);
        assert_eq!(later(3601), Err(OrderError::TooOld("node-2".to_owned())));
        assert!(order.holds(noon.checked_sub(WAITS).unwrap()).is_err(), "the clock was set back");
    }

    #[test]
    fn orders_to_forget_a_node_come_in_their_order() {
        let directory = tempfile::tempdir().unwrap();
        let orders = Orders::of(directory.path());
        let written = [("node-2", 9), ("node-1", 10)]
            .map(|(node, second)| orders.forget(node, Duration::from_secs(second)).unwrap());
        fs::write(directory.path().join("state.json"), "").unwrap();
        assert_eq!(orders.to_forget().unwrap(), written);
        assert_eq!(Orders::of("/nowhere").to_forget(), Ok(Vec::new()));
    }
}
