//! Held to a server of gRPC by hyper.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderMap, HeaderValue};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use netsplit::detector::outcome::Cause;
use netsplit::probe::Check;
use netsplit::probe::grpc::Grpc;
use tokio::sync::watch;

use super::holding::{Holding, connections_to, until};
use crate::servers::databases::to;
use crate::servers::faults::hung;

/// What a server is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// To answer that it serves.
    Serve,
    /// To answer nothing.
    Hang,
    /// To end each connection in good order (GOAWAY), and go on with new ones.
    Leave,
}

/// A server whose calls are counted. It runs as long as the program.
struct Server {
    address: SocketAddr,
    calls: Arc<AtomicUsize>,
    tell: watch::Sender<Told>,
}

impl Server {
    fn start() -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let (tell, told) = watch::channel(Told::Serve);
        let calls = Arc::<AtomicUsize>::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let counted = Arc::clone(&calls);
        thread::spawn(move || runtime.block_on(serve(listener, counted, told)));
        Self { address, calls, tell }
    }

    fn held(&self) -> Check {
        Check::Grpc(Grpc { address: to(self.address), tls: None, service: String::new() })
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

async fn serve(listener: std::net::TcpListener, calls: Arc<AtomicUsize>, told: watch::Receiver<Told>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (calls, hangs, mut told) = (Arc::clone(&calls), told.clone(), told.clone());
        told.mark_unchanged();
        tokio::spawn(async move {
            let service = service_fn(move |_: Request<Incoming>| {
                calls.fetch_add(1, Ordering::Relaxed);
                let hangs = *hangs.borrow() == Told::Hang;
                async move {
                    if hangs {
                        std::future::pending::<()>().await;
                    }
                    Ok::<_, Infallible>(serving())
                }
            });
            let served = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service);
            let mut served = pin!(served);
            loop {
                tokio::select! {
                    _ = &mut served => return,
                    Ok(()) = told.changed() => {
                        if *told.borrow_and_update() == Told::Leave {
                            served.as_mut().graceful_shutdown();
                        }
                    }
                }
            }
        });
    }
}

fn serving() -> Response<http_body_util::combinators::BoxBody<Bytes, Infallible>> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::from(&b"\0\0\0\0\x02\x08\x01"[..]).with_trailers(async { Some(Ok(trailers)) });
    Response::new(body.boxed())
}

#[test]
fn a_connection_with_a_server_of_grpc_is_one_and_goes_on_being_called_over() {
    let server = Server::start();
    let holding = Holding::to(server.held());
    let stands = holding.stands();
    until("a few calls", || server.calls() >= 4);
    assert_eq!(connections_to(server.address), 1);
    assert_eq!(holding.known().unwrap(), stands, "it is still the first one");
    assert_eq!(holding.stop().lost_in_all(), 0);
    until("no connection", || connections_to(server.address) == 0);
}

#[test]
fn a_server_that_ends_connections_in_good_order_loses_its_consumers_too() {
    let server = Server::start();
    let holding = Holding::to(server.held());
    holding.stands();
    server.tell.send_replace(Told::Leave);
    assert_eq!(holding.is_lost_by(Cause::Reset).why.detail, "it closed the connection");
    let again = holding.stands_again(2);
    assert_eq!((again.established, again.lost_in_all()), (2, 1));
}

#[test]
fn a_server_that_hangs_is_lost_by_timeout_and_found_again_when_it_goes_on() {
    let server = Server::start();
    let holding = Holding::with(server.held(), Duration::from_secs(2));
    holding.stands();
    server.tell.send_replace(Told::Hang);
    holding.is_lost_by(Cause::Timeout);
    let hung = holding.becomes("it is down", |held| held.is_up() == Some(false));
    server.tell.send_replace(Told::Serve);
    holding.stands_again(hung.established + 1);
}

#[test]
fn what_takes_connections_and_never_answers_is_no_connection() {
    let port = hung();
    let check = Check::Grpc(Grpc { address: to(port.address), tls: None, service: String::new() });
    let holding = Holding::with(check, Duration::from_millis(400));
    let down = holding.becomes("a timeout", |held| format!("{:?}", held.standing).contains("Some(Timeout)"));
    assert_eq!((down.established, down.lost_in_all()), (0, 0));
}
