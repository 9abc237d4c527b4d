//! The configuration file while the agent runs: a thread reads it every five seconds, and at once when told to, and hands
//! on what changed. It compares content, since a ConfigMap changes by a link that is swapped.
//!
//! A file that is wrong or gone changes nothing: it is refused, said once, counted, and judged again at the next look, for
//! what is wrong may be elsewhere (a key directory that is not there yet). The thread ends when the last [`ConfigWatch`] is
//! dropped.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::{Change, Errors, Problem, Refused, Reloader, Reloads};
use crate::panics::TellsOfAPanic;

/// How often the file is read.
const EVERY: Duration = Duration::from_secs(5);

/// How long other content has to stay before it is judged: half a file may be good, and mean something else.
const SETTLED: Duration = Duration::from_secs(1);

/// Tells the thread to look. The last one dropped lets it end.
#[derive(Clone, Debug)]
pub struct ConfigWatch(SyncSender<()>);

impl ConfigWatch {
    /// Reads the file now, and says what comes of it even if that was said before.
    pub fn look(&self) {
        // A full queue holds a look that is still to come, and a thread that ended has said so.
        let _ = self.0.try_send(());
    }
}

/// Watches the file of `reloader`, of which `text` is in force. `apply` puts a change into force, and must not fail.
///
/// # Errors
/// The system has no thread to give.
pub fn start(
    reloader: Reloader,
    text: String,
    reloads: Arc<Reloads>,
    clock: Clock,
    apply: impl FnMut(Change) + Send + 'static,
) -> io::Result<ConfigWatch> {
    let (look, looks) = sync_channel(1);
    let watch = Watch { reloader, judged: Ok(text), pending: None, failure: None, reloads, clock, apply };
    thread::Builder::new().name("config".to_owned()).spawn(move || {
        let _told =
            TellsOfAPanic("the thread that reads the configuration has ended; it stays as it is until a restart");
        watch.run(&looks);
    })?;
    Ok(ConfigWatch(look))
}

/// What was in the file.
type Seen = Result<String, Errors>;

struct Watch<A> {
    reloader: Reloader,
    /// What was judged last.
    judged: Seen,
    /// What has been there for one look.
    pending: Option<Seen>,
    /// What was said of a file that is refused, until one is in force again.
    failure: Option<String>,
    reloads: Arc<Reloads>,
    clock: Clock,
    apply: A,
}

/// Why the thread looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Because {
    /// Time has passed.
    OfTime,
    /// Somebody asked, and says with it that the file is complete.
    Asked,
}

impl<A: FnMut(Change)> Watch<A> {
    fn run(mut self, looks: &Receiver<()>) {
        let mut delay = EVERY;
        loop {
            delay = match looks.recv_timeout(delay) {
                Ok(()) => self.look(Because::Asked),
                Err(RecvTimeoutError::Timeout) => self.look(Because::OfTime),
                Err(RecvTimeoutError::Disconnected) => return,
            };
        }
    }

    /// Looks, and says when to look again.
    fn look(&mut self, because: Because) -> Duration {
        let seen = self.reloader.text();
        let is_other = seen != self.judged;
        match because {
            Because::Asked => self.failure = None,
            Because::OfTime if is_other && self.pending.as_ref() != Some(&seen) => {
                self.pending = Some(seen);
                return SETTLED;
            }
            Because::OfTime => {}
        }
        self.pending = None;
        if is_other || self.failure.is_some() || because == Because::Asked {
            self.judge(seen);
        }
        EVERY
    }

    fn judge(&mut self, seen: Seen) {
        let taken = match &seen {
            Ok(text) => self.reloader.take(text),
            Err(errors) => Err(errors.clone().into()),
        };
        self.judged = seen;
        match taken {
            Ok(change) => self.put_into_force(change),
            Err(refused) => self.refuse(&refused),
        }
    }

    fn put_into_force(&mut self, change: Change) {
        let file = self.reloader.path().display();
        self.failure = None;
        if change.changed.is_empty() {
            tracing::info!(%file, "the configuration was read again: it means what it meant before");
        } else {
            tracing::info!(%file, changed = change.changed.join(", "), "the configuration was reloaded");
            change.warnings.iter().for_each(tell_of);
            (self.apply)(change);
        }
        self.reloads.succeed(self.clock.wall());
    }

    fn refuse(&mut self, refused: &Refused) {
        let said = refused.to_string();
        if self.failure.as_ref() == Some(&said) {
            return;
        }
        self.reloads.fail();
        match refused {
            Refused::Wrong(errors) => errors.problems().iter().for_each(tell_of_refused),
            Refused::NeedsRestart(_) | Refused::Keys(_) => {
                let file = self.reloader.path().display();
                tracing::error!(%file, "the configuration of before stays: {said}");
            }
        }
        self.failure = Some(said);
    }
}

/// Says what is odd about a configuration that can be run.
pub fn tell_of(problem: &Problem) {
    let line = problem.place.as_ref().map(|place| place.line);
    tracing::warn!(file = problem.file, line, hint = problem.hint, "{}", problem.message);
}

fn tell_of_refused(problem: &Problem) {
    let (line, column) = problem.place.as_ref().map(|place| (place.line, place.column)).unzip();
    let Problem { file, message, hint, .. } = problem;
    tracing::error!(file, line, column, hint, "the configuration of before stays: {message}");
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::{Path, PathBuf};

    use tempfile::{TempDir, tempdir};

    use super::*;
    use crate::config::{Environment, load};

    fn text(rest: &str) -> String {
        format!(
            "node: {{name: a}}\npeers: {{discovery: {{static: [{{name: a, address: \"10.0.0.1:7475\"}}]}}}}\n\
             authentication: insecure\n{rest}\n"
        )
    }

    /// A file that is watched, without the thread.
    struct Site {
        directory: TempDir,
        reloads: Arc<Reloads>,
        clock: Clock,
    }

    impl Site {
        fn new() -> Self {
            let clock = Clock::start();
            let site = Self { directory: tempdir().unwrap(), reloads: Arc::new(Reloads::since(clock.wall())), clock };
            site.write(&text(""));
            site
        }

        fn file(&self) -> PathBuf {
            self.directory.path().join("netsplit.yaml")
        }

        fn write(&self, text: &str) {
            fs::write(self.file(), text).unwrap();
        }

        /// What changes go into `changes`.
        fn watch<'a>(&self, changes: &'a RefCell<Vec<String>>) -> Watch<impl FnMut(Change) + 'a> {
            let environment = Environment::default();
            let current = load("f", &text(""), &environment).unwrap().config;
            Watch {
                reloader: Reloader::new(self.file(), environment, current),
                judged: Ok(text("")),
                pending: None,
                failure: None,
                reloads: Arc::clone(&self.reloads),
                clock: self.clock,
                apply: |change: Change| changes.borrow_mut().extend(change.changed),
            }
        }

        fn counted(&self) -> (u64, u64, bool) {
            (self.reloads.reloads(), self.reloads.failures(), self.reloads.last_successful())
        }
    }

    #[test]
    fn a_file_that_stays_is_not_judged_and_one_that_changed_has_to_stay_for_a_second() {
        let (site, changes) = (Site::new(), RefCell::default());
        let mut watch = site.watch(&changes);
        assert_eq!((watch.look(Because::OfTime), site.counted()), (EVERY, (0, 0, true)));
        site.write(&text("mode: {policy: ap}"));
        assert_eq!((watch.look(Because::OfTime), changes.borrow().len()), (SETTLED, 0));
        site.write(&text("mode: {policy: ap, tie: lowest}"));
        assert_eq!((watch.look(Because::OfTime), changes.borrow().len()), (SETTLED, 0), "it was still being written");
        assert_eq!((watch.look(Because::OfTime), site.counted()), (EVERY, (1, 0, true)));
        assert_eq!(*changes.borrow(), ["mode.policy", "mode.tie"]);
        assert_eq!((watch.look(Because::OfTime), site.counted()), (EVERY, (1, 0, true)));
    }

    #[test]
    fn whoever_asks_is_answered_at_once_and_every_time() {
        let (site, changes) = (Site::new(), RefCell::default());
        let mut watch = site.watch(&changes);
        site.write(&text("mode: {policy: ap}"));
        assert_eq!((watch.look(Because::Asked), site.counted()), (EVERY, (1, 0, true)));
        site.write(&text("mode: {policy: pa}"));
        watch.look(Because::Asked);
        watch.look(Because::Asked);
        assert_eq!((site.counted(), changes.borrow().len()), ((1, 2, false), 1));
    }

    #[test]
    fn a_failure_counts_once_until_it_is_another_or_over() {
        let (site, changes) = (Site::new(), RefCell::default());
        let mut watch = site.watch(&changes);
        let mut looked = |times| {
            for _ in 0..times {
                watch.look(Because::OfTime);
            }
        };
        site.write("mode: [");
        looked(4);
        assert_eq!(site.counted(), (0, 1, false));
        fs::remove_file(site.file()).unwrap();
        looked(4);
        assert_eq!(site.counted(), (0, 2, false));
        site.write(&text("# as it was"));
        looked(4);
        assert_eq!((site.counted(), changes.borrow().len()), ((1, 2, true), 0));
    }

    #[test]
    fn what_was_wrong_elsewhere_is_tried_again() {
        let (site, changes) = (Site::new(), RefCell::default());
        let keys = |name: &str| site.directory.path().join(name);
        let keyed = |name: &str| text("").replace("insecure", &format!("{{keys: {}}}", keys(name).display()));
        let environment = Environment::default();
        let mut watch = site.watch(&changes);
        let current = load("f", &keyed("old"), &environment).unwrap().config;
        watch.reloader = Reloader::new(site.file(), environment, current);
        site.write(&keyed("new"));
        watch.look(Because::Asked);
        assert_eq!((site.counted(), changes.borrow().len()), ((0, 1, false), 0));
        fs::create_dir(keys("new")).unwrap();
        fs::write(keys("new").join("1"), "1".repeat(64)).unwrap();
        watch.look(Because::OfTime);
        assert_eq!(
            (site.counted(), changes.borrow().as_slice()),
            ((1, 1, true), &["authentication.keys".to_owned()][..])
        );
    }

    #[test]
    fn a_link_that_is_swapped_is_noticed_though_no_file_has_changed() {
        let (site, changes) = (Site::new(), RefCell::default());
        let at = |name: &str| site.directory.path().join(name);
        for (name, rest) in [("..1", ""), ("..2", "mode: {policy: ap}")] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("netsplit.yaml"), text(rest)).unwrap();
        }
        let link = |to: &str| {
            symlink(to, at("..data.tmp")).unwrap();
            fs::rename(at("..data.tmp"), at("..data")).unwrap();
        };
        fs::remove_file(site.file()).unwrap();
        link("..1");
        symlink(Path::new("..data/netsplit.yaml"), site.file()).unwrap();
        let mut watch = site.watch(&changes);
        watch.look(Because::OfTime);
        assert_eq!(site.counted(), (0, 0, true));
        link("..2");
        watch.look(Because::OfTime);
        watch.look(Because::OfTime);
        assert_eq!(*changes.borrow(), ["mode.policy"]);
    }
}
