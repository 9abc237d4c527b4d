//! A configuration file while the agent runs: judged whole, against the one in force, before anything of it counts.
//!
//! `config_watch` says when to look; whoever starts the agent puts a [`Change`] into force.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Authentication, Config, Environment, Errors, Loaded, Problem, Refusal, change, load, text_of};
use crate::keys::{KeysError, read_directory};
use crate::wire::Keys;

/// Other values for keys that an agent which runs can take. All of them are good.
#[derive(Clone, Debug)]
pub struct Change {
    /// The whole configuration.
    pub config: Config,
    /// The keys that changed, as `section.key`, sorted. Empty if the file says the same in other words.
    pub changed: Vec<String>,
    /// The keys of the new key directory, if it is another.
    pub keys: Option<Keys>,
    /// What is odd about it.
    pub warnings: Vec<Problem>,
}

/// Why a file does not come into force. The configuration of before stays, whole.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It cannot be read, or is wrong.
    #[error("{0}")]
    Wrong(#[from] Errors),
    /// It changes what cannot change while the agent runs.
    #[error(
        "{} cannot change while the agent runs: restart it, or take that back; nothing else in the file counts until then",
        .0.join(", ")
    )]
    NeedsRestart(Vec<String>),
    /// It names another key directory, which is of no use.
    #[error("{0}")]
    Keys(#[from] KeysError),
}

/// Judges one file again and again.
#[derive(Debug)]
pub struct Reloader {
    path: PathBuf,
    environment: Environment,
    current: Config,
}

impl Reloader {
    /// The file at `path`, of which `current` is in force. Its variables are those of `environment` for ever.
    pub fn new(path: impl Into<PathBuf>, environment: Environment, current: Config) -> Self {
        Self { path: path.into(), environment, current }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is in the file now.
    ///
    /// # Errors
    /// It is gone, cannot be read, or is no regular file: reading that might wait for ever.
    pub fn text(&self) -> Result<String, Errors> {
        match fs::metadata(&self.path) {
            Ok(about) if !about.is_file() && !about.is_dir() => {
                let hint = "put a file there: a pipe or a device is read at the start only";
                Err(Errors::about(&self.path.display().to_string(), Refusal::new("this is no regular file", hint)))
            }
            _ => text_of(&self.path),
        }
    }

    /// Judges `text`, and has it in force if it is good: then whoever gets the change has to see to the rest.
    ///
    /// # Errors
    /// What is wrong with it. Then nothing has changed.
    pub fn take(&mut self, text: &str) -> Result<Change, Refused> {
        let Loaded { config, warnings } = load(&self.path.display().to_string(), text, &self.environment)?;
        let lasting = change::needing_restart(&self.current, &config);
        if !lasting.is_empty() {
            return Err(Refused::NeedsRestart(lasting));
        }
        let keys = match &config.authentication {
            Authentication::Keys(directory) if config.authentication != self.current.authentication => {
                Some(read_directory(directory)?)
            }
            _ => None,
        };
        let changed = change::changed(&self.current, &config);
        self.current = config.clone();
        Ok(Change { config, changed, keys, warnings })
    }
}

#[cfg(test)]
mod tests {
    use tempfile::{TempDir, tempdir};

    use super::*;

    /// A directory with one key for each of these names.
    fn keys(names: &[&str]) -> TempDir {
        let directory = tempdir().unwrap();
        for name in names {
            fs::create_dir(directory.path().join(name)).unwrap();
            fs::write(directory.path().join(name).join("1"), name.repeat(64)).unwrap();
        }
        directory
    }

    fn text(rest: &str, keys: &str) -> String {
        let list = "[{name: a, address: \"10.0.0.1:7475\"}, {name: b, address: \"10.0.0.2:7475\"}]";
        format!("node: {{name: a}}\npeers: {{discovery: {{static: {list}}}}}\nauthentication: {{keys: {keys}}}\n{rest}")
    }

    fn reloader(text: &str) -> Reloader {
        let environment = Environment::default();
        let current = load("f", text, &environment).unwrap().config;
        Reloader::new("f", environment, current)
    }

    #[test]
    fn a_good_file_is_taken_whole_and_compared_with_the_next() {
        let mut reloader = reloader(&text("", "/k"));
        let change = reloader.take(&text("mode: {policy: ap}\naudit: {keep: 7}", "/k")).unwrap();
        assert_eq!((change.changed, change.config.audit.keep), (vec!["audit.keep".into(), "mode.policy".into()], 7));
        let change = reloader.take(&text("mode: {policy: ap}", "/k")).unwrap();
        assert_eq!(change.changed, ["audit.keep"]);
        assert!(reloader.take(&text("# a comment\nmode: {policy: ap}", "/k")).unwrap().changed.is_empty());
    }

    #[test]
    fn nothing_of_a_file_that_is_refused_counts() {
        let mut reloader = reloader(&text("", "/k"));
        for bad in
            ["audit: {keep: 0}\nmode: {policy: ap}", "mode: {policy: ap}\nlisten: \"[::]:80\"", "mode: {policy: ap}\n}"]
        {
            assert!(reloader.take(&text(bad, "/k")).is_err(), "{bad}");
        }
        assert!(reloader.take(&text("mode: {policy: ap}", "/nowhere")).is_err(), "its keys cannot be read");
        assert!(reloader.take(&text("", "/k")).unwrap().changed.is_empty(), "what was in force still is");
    }

    #[test]
    fn the_keys_of_another_directory_come_with_the_change() {
        let directory = keys(&["1", "2"]);
        let path = |name: &str| directory.path().join(name).display().to_string();
        let mut reloader = reloader(&text("", &path("1")));
        let change = reloader.take(&text("", &path("2"))).unwrap();
        assert_eq!(change.changed, ["authentication.keys"]);
        assert_eq!(change.keys, Some(read_directory(Path::new(&path("2"))).unwrap()));
        assert_eq!(reloader.take(&text("mode: {tie: lowest}", &path("2"))).unwrap().keys, None);
    }

    #[test]
    fn what_needs_a_restart_is_told_by_its_keys() {
        let mut reloader = reloader(&text("", "/k"));
        let refused = reloader.take(&text("cluster: b\nlisten: \"[::]:80\"\naudit: {keep: 9}", "/k")).unwrap_err();
        assert!(refused.to_string().starts_with("cluster, listen cannot change while the agent runs"), "{refused}");
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let directory = tempdir().unwrap();
        let path = directory.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let reloader = Reloader { path, ..reloader(&text("", "/k")) };
        assert!(reloader.text().unwrap_err().to_string().contains("no regular file"));
    }
}
