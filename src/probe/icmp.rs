//! `icmp`: an echo request to a host, by the same socket as the second opinions about peers (`echo`).
//!
//! Of several addresses each has its turn, and an even share of the time. Only an echo reply counts; what a router says is
//! not heard, so that a host behind one that knows no way is silent, too.

use std::net::SocketAddr;

use super::attempt::Attempt;
use super::echo::{self, Echo};
use super::report::{Fact, Fault};
use super::target::Host;
use crate::detector::outcome::Cause;

/// An echo request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// To whom.
    pub host: Host,
}

impl Icmp {
    pub(super) async fn probe(&self, attempt: &mut Attempt) -> Result<(), Fault> {
        let addresses = attempt.addresses_of(&self.host).await?;
        let (all, begun) = (addresses.len(), attempt.now());
        let mut last = Fault::local(format!("{} was not asked", self.host));
        for (tried, address) in addresses.into_iter().enumerate() {
            // There are no ports in ICMP.
            attempt.address = Some(SocketAddr::new(address, 0));
            let share = attempt.left() / u32::try_from(all - tried).unwrap_or(u32::MAX);
            let echo = echo::round_trip(address, share).await;
            attempt.phases.exchange = Some(attempt.since(begun));
            let fault = match echo {
                Echo::Reply(took) => {
                    attempt.note("rtt", Fact::Time(took));
                    attempt.note_addresses(all, tried);
                    return Ok(());
                }
                Echo::Silent => Fault::new(Cause::Timeout, format!("no echo from {address}")),
                Echo::NotAllowed(error) => Fault::local(not_allowed(&error)),
                Echo::NotSent(error) => Fault::local(format!("this machine could not send to {address}: {error}")),
            };
            // What is of this machine, such as no IPv6, must not hide what is known of the host.
            if fault.cause.is_some() || last.cause.is_none() {
                last = fault;
            }
        }
        Err(last)
    }
}

fn not_allowed(error: &std::io::Error) -> String {
    // The library's own message has several lines.
    format!("this machine does not let the agent ping ({}); to allow it: {}", error.kind(), echo::ALLOW)
}
