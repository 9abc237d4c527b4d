//! Which path is answered with what, and to whom. What is behind each is in files of its own.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::{Method, Request, StatusCode};

use super::answer::{self, Answer, EVENT_STREAM, Refusal};
use super::body::Body;
use super::guests::Busy;
use super::limits::Limits;
use super::query::Query;
use super::{events, knowledge, mode};
use crate::api::{OVERRIDE, is_fresh};
use crate::detector::overruling::Override;
use crate::metrics::Exporter;
use crate::sources::Sources;

/// A loop that turns makes a new view several times a second: after this long it does not turn.
const FRESH: Duration = Duration::from_secs(5);

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
    Metrics,
    Health,
    Ready,
    Mode,
    Status,
    Peers,
    Matrix,
    Partitions,
    Endpoints,
    Events,
}

/// All there is to ask for.
pub const ROUTES: [Route; 10] = [
    open("/metrics", None, What::Metrics),
    open("/healthz", None, What::Health),
    open("/readyz", None, What::Ready),
    open("/v1/mode", Some(&mode::PARAMETERS), What::Mode),
    local("/v1/status", &[], What::Status),
    local("/v1/peers", &[], What::Peers),
    local("/v1/matrix", &[], What::Matrix),
    local("/v1/partitions", &[], What::Partitions),
    local("/v1/endpoints", &[], What::Endpoints),
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
    metrics: Exporter,
    limits: Limits,
}

impl Router {
    pub(super) fn new(sources: Sources) -> Self {
        Self { metrics: Exporter::new(sources.clone()), sources, limits: Limits::default() }
    }

    /// The answer to whoever is at `client`. The body of a request is not read.
    pub(super) async fn answer<B>(&self, request: Request<B>, client: IpAddr, busy: Busy) -> Answer {
        let path = request.uri().path();
        let answer = match self.find(&request, client, &busy).await {
            Ok(answer) => answer,
            Err(refusal) => refusal.answer(path),
        };
        self.with_override(answer).map(|body| body.keeping(busy))
    }

    /// Whatever is asked: that an operator overrides the mode is not overlooked, as long as it is known.
    fn with_override(&self, answer: Answer) -> Answer {
        let (calendar, view) = (self.sources.calendar(), self.sources.view());
        match view.overriding(calendar.now).filter(|_| is_fresh(&view, calendar)) {
            Some(Override { mode, until, .. }) => {
                let until = calendar.text(*until);
                answer::with_header(answer, OVERRIDE, &format!("{} until {until}", mode.as_str()))
            }
            None => answer,
        }
    }

    async fn find<B>(&self, request: &Request<B>, client: IpAddr, busy: &Busy) -> Result<Answer, Refusal> {
        let path = request.uri().path();
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            return Err(Refusal::Method);
        }
        let route = ROUTES.iter().find(|route| route.path == path).ok_or_else(|| not_found(path))?;
        if route.audience == Audience::Loopback && !is_let_in(client, &self.sources.expose_all) {
            return Err(Refusal::Forbidden { path: route.path });
        }
        let query = match route.parameters {
            Some(known) => Query::read(route.path, request.uri().query().unwrap_or_default(), known)?,
            None => Query::default(),
        };
        let (sources, limits, headers) = (&self.sources, &self.limits, request.headers());
        match route.what {
            What::Metrics => Ok(self.metrics()),
            What::Health => Ok(self.health()),
            // Started is who answers: the sockets are bound, and the agent was made. Whether it hears anybody is not asked.
            What::Ready => Ok(answer::text(StatusCode::OK, "ok")),
            What::Mode => mode::answer(sources, limits, &query, headers, busy).await,
            What::Status => Ok(knowledge::status(sources)),
            What::Peers => knowledge::peers(sources, limits).await,
            What::Matrix => knowledge::matrix(sources, limits, headers).await,
            What::Partitions => knowledge::partitions(sources, limits, headers).await,
            What::Endpoints => knowledge::endpoints(sources, limits, headers).await,
            What::Events if knowledge::accepts(headers, EVENT_STREAM) => {
                let (everybody, address) = (Arc::clone(&sources.expose_all), client);
                let is_let_in = move || is_let_in(address, &everybody);
                events::stream(sources.audit.as_ref(), limits, &query, headers, busy, is_let_in)
            }
            What::Events => events::once(sources.audit.as_ref(), &query),
        }
    }

    fn metrics(&self) -> Answer {
        let (kind, text) = self.metrics.render();
        if text.is_empty() {
            return answer::text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written: see the log");
        }
        answer::of(StatusCode::OK, kind, Body::whole(text))
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

/// Whether a client may see more than what is for everybody. An IPv4 client of a socket for IPv6 comes from an address of
/// that kind.
fn is_let_in(client: IpAddr, everybody: &AtomicBool) -> bool {
    client.to_canonical().is_loopback() || everybody.load(Ordering::Relaxed)
}

fn not_found(path: &str) -> Refusal {
    let paths: Vec<&str> = ROUTES.iter().map(|route| route.path).collect();
    Refusal::NotFound { path: path.chars().take(40).collect(), there: paths.join(", ") }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use http_body_util::{BodyExt, Empty};
    use hyper::body::Bytes;

    use super::super::guests::Guests;
    use super::*;
    use crate::clock::Clock;
    use crate::detector::Detector;
    use crate::detector::saved::Saved;
    use crate::detector::settings::{Member, ModePolicy, Settings, Timing};
    use crate::detector::time::Now;
    use crate::identity::Incarnation;

    fn sources() -> Sources {
        let node = Member::new("node-1", "", (Ipv4Addr::LOCALHOST, 7475).into());
        let timing = Timing::of_period(std::time::Duration::from_secs(1));
        let settings = Settings {
            cluster: "test".into(),
            node,
            timing: timing.into(),
            mode: ModePolicy::default(),
            endpoints: Vec::new(),
        };
        let view = Detector::new(settings, Saved::default(), Incarnation(1), [7; 32], Now::START).view(Now::START);
        let (_, views) = tokio::sync::watch::channel(view);
        Sources::of_view(views, Arc::new(Clock::start()))
    }

    /// The status and the body for a client at this address.
    fn asked(sources: &Sources, path: &str, client: IpAddr) -> (u16, String) {
        let router = Arc::new(Router::new(sources.clone()));
        let (sender, receiver) = std::sync::mpsc::channel();
        let request = Request::builder().uri(path).body(Empty::<Bytes>::new()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut guests = Guests::of(1);
            guests.seat(|seat| async move {
                let answer = router.answer(request, client, seat.begin()).await;
                let status = answer.status().as_u16();
                let body = answer.into_body().collect().await.unwrap().to_bytes();
                sender.send((status, String::from_utf8(body.to_vec()).unwrap())).unwrap();
            });
            guests.next_gone().await;
        });
        receiver.recv().unwrap()
    }

    #[test]
    fn whoever_is_elsewhere_is_told_why_not_and_everybody_is_answered_where_all_is_exposed() {
        let sources = sources();
        let elsewhere =
            [Ipv4Addr::new(10, 0, 0, 7).into(), "::ffff:10.0.0.7".parse().unwrap(), "fe80::1".parse().unwrap()];
        let here =
            [Ipv4Addr::new(127, 3, 2, 1).into(), Ipv6Addr::LOCALHOST.into(), "::ffff:127.0.0.1".parse().unwrap()];
        for route in ROUTES {
            for client in here {
                assert_eq!(asked(&sources, route.path, client).0, 200, "{} from {client}", route.path);
            }
            for client in elsewhere {
                let (status, body) = asked(&sources, route.path, client);
                let is_open = ["/metrics", "/healthz", "/readyz", "/v1/mode"].contains(&route.path);
                assert_eq!(status, if is_open { 200 } else { 403 }, "{} from {client}", route.path);
                let why = "answers this machine alone: ask by `kubectl exec` or `kubectl port-forward`, or set \
                           `http.expose: all`";
                let refused = format!("{{\"error\":\"{} {why}\"}}\n", route.path);
                assert!(is_open || body == refused, "{body}");
            }
        }
        sources.expose_all.store(true, Ordering::Relaxed);
        assert!(ROUTES.iter().all(|route| asked(&sources, route.path, elsewhere[0]).0 == 200));
    }
}
