//! How the API server is reached and as whom, and what it means when it is not.

use std::error::Error;
use std::fs;
use std::io;
use std::iter;
use std::path::Path;

use http_body_util::LengthLimitError;
use hyper::StatusCode;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde::Deserialize;
use tower::{BoxError, ServiceBuilder};

use super::super::{Cause, Failure};
use super::KubernetesSettings;

/// How much of what an API server says goes into a log.
const QUOTED: usize = 300;

/// A client, and the namespace that it asks about.
pub(super) struct Access {
    pub(super) client: Client,
    pub(super) namespace: String,
}

impl Access {
    /// Reads where the API server is and as whom it is asked, which takes as long as a disk likes. Nothing is sent yet.
    pub(super) async fn open(settings: &KubernetesSettings) -> Result<Self, Failure> {
        let config = match &settings.kubeconfig {
            Some(file) => of_file(file).await?,
            None => Config::incluster().map_err(|error| configuration(&error))?,
        };
        let namespace = settings.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = client(&config).map_err(|error| configuration(&error))?;
        Ok(Self { client, namespace })
    }
}

async fn of_file(file: &Path) -> Result<Config, Failure> {
    if fs::metadata(file).is_ok_and(|about| !about.is_file()) {
        let detail = format!("{}: it is no regular file", file.display());
        return Err(Failure::new(Cause::Configuration, detail));
    }
    let kubeconfig = Kubeconfig::read_from(file).map_err(|error| configuration(&error))?;
    // It would be run in the middle of the agent, and for as long as it likes.
    let infos = kubeconfig.auth_infos.iter().filter_map(|named| named.auth_info.as_ref());
    if infos.into_iter().any(|info| info.exec.is_some() || info.auth_provider.is_some()) {
        let detail = format!("{}: a user has `exec` or `auth-provider`: no program is run", file.display());
        return Err(Failure::new(Cause::Configuration, detail));
    }
    let options = KubeConfigOptions::default();
    Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| configuration(&error))
}

/// That of the library, less its own retries, and its log lines at each failure: the rounds have both.
fn client(config: &Config) -> Result<Client, kube::Error> {
    let https = config.rustls_https_connector()?;
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .map_err(BoxError::from)
        .service(legacy::Client::builder(TokioExecutor::new()).build::<_, Body>(https));
    Ok(Client::new(service, config.default_namespace.as_str()))
}

fn configuration(error: &dyn Error) -> Failure {
    let causes = iter::successors(Some(error), |error| (*error).source());
    let mut parts: Vec<String> = causes.map(ToString::to_string).collect();
    // Most of them say what is behind them, too.
    parts.dedup_by(|next, before| before.contains(next.as_str()));
    Failure::new(Cause::Configuration, quoted(&parts.join(": ")))
}

/// What it means that there is no answer.
pub(super) fn failure(error: &(dyn Error + 'static)) -> Failure {
    let all: Vec<&(dyn Error + 'static)> = iter::successors(Some(error), |error| behind(*error)).collect();
    let cause = all.iter().find_map(|error| cause_of(*error)).unwrap_or(Cause::Unreachable);
    // The last one says what happened, the others where.
    let detail = all.last().map(ToString::to_string).unwrap_or_default();
    Failure::new(cause, quoted(&detail))
}

/// The error behind another. That of input and output holds one that is not its source.
fn behind<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    held.map(|held| held as &(dyn Error + 'static)).or_else(|| error.source())
}

fn cause_of(error: &(dyn Error + 'static)) -> Option<Cause> {
    if error.is::<rustls::Error>() {
        return Some(Cause::Tls);
    }
    if error.is::<LengthLimitError>() {
        return Some(Cause::Truncated);
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        return (error.is_parse() || came_unasked(error)).then_some(Cause::Malformed);
    }
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind)?;
    (kind == io::ErrorKind::TimedOut).then_some(Cause::Timeout)
}

/// Whether something came before a question was sent, as from what is no server of HTTP: hyper has no name for it, so it is
/// what is left when all that have one are not.
fn came_unasked(error: &hyper::Error) -> bool {
    let is_other = error.is_incomplete_message() || error.is_closed() || error.is_canceled() || error.is_timeout();
    error.source().is_none() && !is_other && !error.is_user() && !error.is_shutdown()
}

/// What it means that the answer is not one of success.
pub(super) fn refusal(status: StatusCode, body: &[u8], namespace: &str) -> Failure {
    #[derive(Deserialize)]
    struct Said {
        message: String,
    }
    let cause = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Cause::Refused,
        StatusCode::NOT_FOUND => Cause::NotFound,
        StatusCode::TOO_MANY_REQUESTS => Cause::ServerFailure,
        _ if status.is_server_error() => Cause::ServerFailure,
        _ => Cause::Malformed,
    };
    let text = match serde_json::from_slice(body) {
        Ok(Said { message }) => message,
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    Failure::new(cause, format!("namespace {namespace}: {status}: {}", quoted(&text)))
}

/// The beginning of what somebody else said, in one line.
fn quoted(text: &str) -> String {
    let plain = text.trim().chars().map(|sign| if sign.is_control() { ' ' } else { sign });
    plain.take(QUOTED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(kubeconfig: &str) -> Result<Access, Failure> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), kubeconfig).unwrap();
        let kubeconfig = Some(file.path().to_owned());
        let settings = KubernetesSettings { service: "s".into(), namespace: None, kubeconfig };
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(Access::open(&settings))
    }

    fn kubeconfig(user: &str) -> String {
        format!(
            "clusters: [{{name: c, cluster: {{server: \"http://127.0.0.1:1\"}}}}]\n\
             users: [{{name: u, user: {user}}}]\n\
             contexts: [{{name: x, context: {{cluster: c, user: u, namespace: observability}}}}]\n\
             current-context: x\n"
        )
    }

    fn refused(kubeconfig: &str) -> String {
        let failure = opened(kubeconfig).err().unwrap();
        assert_eq!(failure.cause, Cause::Configuration);
        failure.detail
    }

    #[test]
    fn the_namespace_is_that_of_the_kubeconfig_if_none_is_given() {
        assert_eq!(opened(&kubeconfig("{token: t}")).ok().unwrap().namespace, "observability");
    }

    #[test]
    fn no_program_is_run_for_a_kubeconfig() {
        let exec = "{exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/false, interactiveMode: Never}}";
        assert!(refused(&kubeconfig(exec)).contains("no program is run"));
    }

    #[test]
    fn a_kubeconfig_that_cannot_be_used_is_told_with_its_file() {
        assert!(refused("nothing: here").contains("context"));
        assert!(refused(&kubeconfig("{tokenFile: /no/such/token}")).contains("/no/such/token"));
        let settings =
            KubernetesSettings { service: "s".into(), namespace: None, kubeconfig: Some("/no/such/file".into()) };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let failure = runtime.block_on(Access::open(&settings)).err().unwrap();
        assert!(failure.detail.contains("/no/such/file"), "{}", failure.detail);
    }

    #[test]
    fn a_pipe_is_no_kubeconfig() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("kubeconfig");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let settings = KubernetesSettings { service: "s".into(), namespace: None, kubeconfig: Some(pipe) };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let failure = runtime.block_on(Access::open(&settings)).err().unwrap();
        assert!(failure.detail.ends_with("kubeconfig: it is no regular file"), "{}", failure.detail);
    }

    #[test]
    fn an_answer_that_is_no_list_says_what_it_means() {
        let cause = |status: u16| refusal(StatusCode::from_u16(status).unwrap(), b"{}", "n").cause;
        assert_eq!([401, 403].map(cause), [Cause::Refused; 2]);
        assert_eq!([429, 500, 503, 504].map(cause), [Cause::ServerFailure; 4]);
        assert_eq!([404, 302].map(cause), [Cause::NotFound, Cause::Malformed]);
        let status = br#"{"kind":"Status","message":"endpointslices is forbidden\nfor you"}"#;
        let detail = refusal(StatusCode::FORBIDDEN, status, "observability").detail;
        assert_eq!(detail, "namespace observability: 403 Forbidden: endpointslices is forbidden for you");
    }
}
