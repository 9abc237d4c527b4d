//! A thread must not die in silence: while it runs it holds one of these.

/// Says, when its thread panics, what no longer happens.
pub(crate) struct TellsOfAPanic(
    /// What has ended, and what that means until a restart.
    pub(crate) &'static str,
);

impl Drop for TellsOfAPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("{}: this is a fault in netsplit, please report it", self.0);
        }
    }
}
