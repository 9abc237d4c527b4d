//! Which path is answered with what, and to whom. What is behind each is in files of its own.

use std::net::IpAddr;

use hyper::{Method, Request, StatusCode};

use super::answer::{self, Answer, EVENT_STREAM, Refusal};
use super::guests::Busy;
use super::limits::Limits;
use super::query::Query;
use super::{events, knowledge, mode};
use crate::sources::Sources;

/// A loop that turns makes a new view several times a second: after this long it does not turn.
const FRESH: std::time::Duration = std::time::Duration::from_secs(5);

/// What there is to ask for.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The path.
    pub path: &'static str,
    /// Who is answered.
    pub audience: Audience,
    /// What may stand behind the `?`. None: whatever does, changes nothing.
    pub parameters: Option<&'static [&'static str]>,
    what: What,
}

/// Who is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Whoever can reach the port.
    Everybody,
    /// Whoever is on this machine or in this pod, unless `http.expose` is `all`.
    Loopback,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Health,
    Ready,
    Mode,
    Status,
    Peers,
    Matrix,
    Partitions,
    Events,
}

/// All there is to ask for.
pub const ROUTES: [Route; 8] = [
    open("/healthz", None, What::Health),
    open("/readyz", None, What::Ready),
    open("/v1/mode", Some(&mode::PARAMETERS), What::Mode),
    local("/v1/status", &[], What::Status),
    local("/v1/peers", &[], What::Peers),
    local("/v1/matrix", &[], What::Matrix),
    local("/v1/partitions", &[], What::Partitions),
    local("/v1/events", &events::PARAMETERS, What::Events),
];

const fn open(path: &'static str, parameters: Option<&'static [&'static str]>, what: What) -> Route {
    Route { path, audience: Audience::Everybody, parameters, what }
}

const fn local(path: &'static str, parameters: &'static [&'static str], what: What) -> Route {
    Route { path, audience: Audience::Loopback, parameters: Some(parameters), what }
}

/// What is answered from.
pub(super) struct Router {
    sources: Sources,
    limits: Limits,
}

impl Router {
    pub(super) fn new(sources: Sources) -> Self {
        Self { sources, limits: Limits::default() }
    }

    /// The answer to whoever is at `client`. The body of a request is not read.
    pub(super) async fn answer<B>(&self, request: Request<B>, client: IpAddr, busy: Busy) -> Answer {
        let path = request.uri().path();
        let answer = match self.find(&request, client, &busy).await {
            Ok(answer) => answer,
            Err(refusal) => refusal.answer(path),
        };
        answer.map(|body| body.keeping(busy))
    }

    async fn find<B>(&self, request: &Request<B>, client: IpAddr, busy: &Busy) -> Result<Answer, Refusal> {
        let path = request.uri().path();
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            return Err(Refusal::Method);
        }
        let route = ROUTES.iter().find(|route| route.path == path).ok_or_else(|| not_found(path))?;
        if route.audience == Audience::Loopback && !self.is_let_in(client) {
            return Err(Refusal::Forbidden { path: route.path });
        }
        let query = match route.parameters {
            Some(known) => Query::read(route.path, request.uri().query().unwrap_or_default(), known)?,
            None => Query::default(),
        };
        let (sources, limits, headers) = (&self.sources, &self.limits, request.headers());
        match route.what {
            What::Health => Ok(self.health()),
            // Started is who answers: the sockets are bound, and the agent was made. Whether it hears anybody is not asked.
            What::Ready => Ok(answer::text(StatusCode::OK, "ok")),
            What::Mode => mode::answer(sources, limits, &query, headers, busy).await,
            What::Status => Ok(knowledge::status(sources)),
            What::Peers => knowledge::peers(sources, limits).await,
            What::Matrix => knowledge::matrix(sources, limits, headers).await,
            What::Partitions => knowledge::partitions(sources, limits, headers).await,
            What::Events if knowledge::accepts(headers, EVENT_STREAM) => {
                events::stream(sources.audit.as_ref(), limits, &query, headers, busy)
            }
            What::Events => events::once(sources.audit.as_ref(), &query),
        }
    }

    /// An IPv4 client of a socket for IPv6 comes from an address of that kind.
    fn is_let_in(&self, client: IpAddr) -> bool {
        client.to_canonical().is_loopback() || self.sources.exposes_all()
    }

    /// Whether the loop turns.
    fn health(&self) -> Answer {
        let age = self.sources.times.now().since(self.sources.view().at);
        if age < FRESH {
            return answer::text(StatusCode::OK, "ok");
        }
        let message = format!("the agent has done nothing for {:.1} s", age.as_secs_f64());
        answer::text(StatusCode::SERVICE_UNAVAILABLE, &message)
    }
}

fn not_found(path: &str) -> Refusal {
    let paths: Vec<&str> = ROUTES.iter().map(|route| route.path).collect();
    Refusal::NotFound { path: path.chars().take(40).collect(), there: paths.join(", ") }
}
