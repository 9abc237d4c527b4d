//! Says what goes wrong at the socket: at once, and then once a minute for each kind of error. A lost route would
//! otherwise fill the log with a line for every peer and second.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use crate::detector::time::Now;

const SILENCE: Duration = Duration::from_mins(1);

/// When which kind of error was said last. There are as many kinds as the system has error numbers.
#[derive(Debug, Default)]
pub(super) struct SocketFaults(BTreeMap<(&'static str, Option<i32>), Now>);

impl SocketFaults {
    /// Says it, at debug if it was said within the last minute. `attempt` is what did not work.
    pub(super) fn tell(&mut self, attempt: &'static str, error: &io::Error, now: Now) {
        if self.is_news(attempt, error, now) {
            tracing::warn!(attempt, %error, "the socket failed; the agent goes on and blames no peer for it");
        } else {
            tracing::debug!(attempt, %error, "the socket failed again");
        }
    }

    fn is_news(&mut self, attempt: &'static str, error: &io::Error, now: Now) -> bool {
        let kind = (attempt, error.raw_os_error());
        let is_news = self.0.get(&kind).is_none_or(|&said| now.since(said) >= SILENCE);
        if is_news {
            self.0.insert(kind, now);
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    #[test]
    fn each_kind_of_error_is_news_once_a_minute() {
        let mut faults = SocketFaults::default();
        let mut is_news =
            |error: Errno, second| faults.is_news("send", &error.into(), Now::at(Duration::from_secs(second)));
        assert!(is_news(Errno::EPERM, 1));
        assert!(!is_news(Errno::EPERM, 60));
        assert!(is_news(Errno::ENETUNREACH, 60));
        assert!(is_news(Errno::EPERM, 61));
    }
}
