//! What a configuration may take from around it: variables and the host's name. Passed in, never looked up, so that a
//! test has its own and the process environment stays untouched.

use std::collections::BTreeMap;
use std::fs;

/// Where the kernel tells the host's name.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// Variables and the host's name, as they were at one moment.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    host_name: Option<String>,
}

impl Environment {
    /// The environment of this process. Variables that are not UTF-8 are as good as unset.
    pub fn of_process() -> Self {
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let host_name = fs::read_to_string(HOST_NAME).ok().map(|name| name.trim().to_owned());
        Self { variables: variables.collect(), host_name: host_name.filter(|name| !name.is_empty()) }
    }

    /// An environment with these variables and nothing else.
    pub fn of<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { variables: variables.collect(), host_name: None }
    }

    /// The same, on a host of this name.
    #[must_use]
    pub fn on_host(mut self, name: &str) -> Self {
        self.host_name = Some(name.to_owned());
        self
    }

    /// The value of a variable, `None` if it is unset.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The host's name, `None` if it could not be read.
    pub fn host_name(&self) -> Option<&str> {
        self.host_name.as_deref()
    }
}
