//! What is to be probed: a name that the configuration knows, or a URL.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use netsplit::config::endpoints::{Asked, Endpoint};
use netsplit::config::{self, Environment, Errors, parse_duration};
use netsplit::probe::Target;

use super::super::{WrongArguments, words};

/// Where the agent has its configuration.
const CONFIGURATION: &str = "/etc/netsplit/netsplit.yaml";

/// How many names an error lists.
const NAMED: usize = 10;

/// What to probe, and how.
#[derive(Clone, Debug, Args)]
pub(super) struct Naming {
    /// The name of an endpoint in the configuration, or a URL; with --type an address is enough.
    #[arg(value_name = "NAME|URL")]
    whereto: String,
    /// The configuration that knows the name.
    #[arg(long, value_name = "FILE", default_value = CONFIGURATION)]
    config: PathBuf,
    /// How long the probe may take [default: 5s, or what the configuration says of a name].
    #[arg(long, value_name = "TIME")]
    timeout: Option<String>,
    /// How it is asked, where the URL does not say it.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Secure the connection, where the URL does not say it (postgres, mysql).
    #[arg(long)]
    tls: bool,
    /// A file with certificates (PEM) to trust beside the usual authorities.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<String>,
    /// The name in the certificate, where it is not that of the host.
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// Take any certificate. Whoever is in between can pose as the endpoint.
    #[arg(long)]
    insecure_skip_verify: bool,
    /// As whom.
    #[arg(long, value_name = "USER")]
    username: Option<String>,
    /// The file with the password.
    #[arg(long, value_name = "FILE")]
    password_file: Option<String>,
    /// The file with the token, where HTTP is spoken.
    #[arg(long, value_name = "FILE")]
    token_file: Option<String>,
}

/// What is to be probed.
pub(super) struct Subject {
    /// Its name, if it has one in the configuration.
    pub(super) name: Option<String>,
    pub(super) target: Target,
    /// What is odd, in words.
    pub(super) warnings: Vec<String>,
}

impl Naming {
    /// What is meant by it.
    pub(super) fn read(&self) -> anyhow::Result<Subject> {
        if self.kind.is_none() && !self.whereto.contains(':') { self.by_name() } else { self.by_url() }
    }

    fn by_url(&self) -> anyhow::Result<Subject> {
        let asked = Asked {
            whereto: self.whereto.clone(),
            kind: self.kind.clone(),
            timeout: self.timeout.clone(),
            tls: self.tls,
            ca_file: self.ca_file.clone(),
            server_name: self.server_name.clone(),
            insecure_skip_verify: self.insecure_skip_verify,
            username: self.username.clone(),
            password_file: self.password_file.clone(),
            token_file: self.token_file.clone(),
        };
        let question = asked.read().map_err(|errors| told(&errors))?;
        let warnings = question.warnings.into_iter().map(|warning| warning.message).collect();
        Ok(Subject { name: None, target: question.target, warnings })
    }

    fn by_name(&self) -> anyhow::Result<Subject> {
        if let Some(option) = self.option_of_urls() {
            let message = format!(
                "{option} goes with a URL; `{}` is a name, of which the configuration says it\n  hint: take {option} \
                 out, or write a URL",
                self.whereto
            );
            return Err(WrongArguments(message).into());
        }
        let file = self.config.display().to_string();
        let loaded = config::read(&self.config, &Environment::of_process()).map_err(|errors| {
            anyhow::Error::from(errors).context(format!("cannot look `{}` up; a URL needs no file", self.whereto))
        })?;
        let endpoints = loaded.config.endpoints;
        let Some(found) = endpoints.iter().find(|endpoint| endpoint.name == self.whereto) else {
            return Err(WrongArguments(unknown(&self.whereto, &file, &endpoints)).into());
        };
        let mut target = found.target.clone();
        if let Some(timeout) = &self.timeout {
            target.timeout = timeout_of(timeout)?;
        }
        Ok(Subject { name: Some(found.name.clone()), target, warnings: Vec::new() })
    }

    /// An option that was given and says what the configuration says of a name.
    fn option_of_urls(&self) -> Option<&'static str> {
        let given = [
            ("--tls", self.tls),
            ("--ca-file", self.ca_file.is_some()),
            ("--server-name", self.server_name.is_some()),
            ("--insecure-skip-verify", self.insecure_skip_verify),
            ("--username", self.username.is_some()),
            ("--password-file", self.password_file.is_some()),
            ("--token-file", self.token_file.is_some()),
        ];
        given.into_iter().find(|(_, is_given)| *is_given).map(|(option, _)| option)
    }
}

/// What is wrong with a command line has no place in a file.
fn told(errors: &Errors) -> WrongArguments {
    let all = errors.problems().iter().map(|problem| format!("{}\n  hint: {}", problem.message, problem.hint));
    WrongArguments(all.collect::<Vec<_>>().join("\nerror: "))
}

fn timeout_of(text: &str) -> Result<Duration, WrongArguments> {
    let wrong = |message: &str, hint: &str| WrongArguments(format!("the timeout `{text}` {message}\n  hint: {hint}"));
    let timeout = parse_duration(text).map_err(|refusal| wrong(&refusal.message, &refusal.hint))?;
    let range = netsplit::config::endpoints::TIMEOUT;
    if range.contains(&timeout) { Ok(timeout) } else { Err(wrong("is not between 10ms and 10m", "5s suits most")) }
}

/// A name that nobody has: what was most likely meant, or all there are.
fn unknown(name: &str, file: &str, endpoints: &[Endpoint]) -> String {
    let names: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
    let near = |known: &&&str| strsim::damerau_levenshtein(name, known) <= (known.len() / 3).clamp(1, 3);
    let hint = match names.iter().filter(near).min_by_key(|known| strsim::damerau_levenshtein(name, known)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if names.is_empty() => "it lists no endpoints; write a URL, as in `tcp://HOST:PORT`".to_owned(),
        None => {
            let shown: Vec<&str> = names.iter().take(NAMED).copied().collect();
            format!("it lists {}; or write a URL, as in `tcp://HOST:PORT`", words::names(&shown, names.len(), ", "))
        }
    };
    format!("no endpoint of {file} is called `{name}`\n  hint: {hint}")
}
