//! Probes: one file per protocol. What comes of one is data, never an error.
//!
//! So far they are the second opinions about a silent peer: does its host answer (`echo`), and its agent's port
//! (`http_port`)?

mod echo;
mod http_port;

use std::time::Duration;

use crate::detector::evidence::{Evidence, PortAnswer, Question};

/// Asks the peer's host and its agent's port, both at once, and takes `timeout` at the longest.
///
/// It must run within a tokio runtime.
pub async fn look(question: Question, timeout: Duration) -> Evidence {
    let port = async {
        match question.port {
            Some(address) => http_port::ask(address, timeout).await,
            None => PortAnswer::NotAsked,
        }
    };
    let (host, port) = tokio::join!(echo::ask(question.host, timeout), port);
    Evidence { peer: question.peer, host, port }
}
