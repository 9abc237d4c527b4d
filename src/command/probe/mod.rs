//! `netsplit probe`: one probe of one endpoint, now, from here. What is probed is for `subject`; how it is told, for
//! `telling`; what each cause means to somebody in trouble, for `advice`.

mod advice;
mod subject;
mod telling;

use clap::Args;
use netsplit::clock::Clock;
use netsplit::detector::outcome::Outcome;
use netsplit::probe;
use tokio::runtime::Builder;

use super::page::{Page, write_raw};
use super::{Exit, page};

const EXAMPLES: &str = "\
Examples:
  netsplit probe central-prometheus                an endpoint of the configuration
  netsplit probe https://app.example.internal/healthz
  netsplit probe redis://10.0.0.7 --username agent --password-file /run/secrets/redis
  netsplit probe etcd+https://10.0.0.1:2379 --ca-file /etc/etcd/ca.pem
  netsplit probe 'dns://10.96.0.10/kubernetes.default.svc.cluster.local?type=AAAA'
  netsplit probe --type mysql 10.0.0.7 --timeout 2s --json

URLs begin with http https tcp tls icmp dns grpc grpcs amqp amqps kafka kafkas redis rediss postgres mysql,
or with a type that speaks HTTP: etcd consul rabbitmq kubernetes registry, and +http or +https behind it.
One probe is made, over one new connection, and ended as the protocol wants; it changes nothing there. A name
is looked up in the configuration, and probed as the agent of this node would.
Passwords come from files, never from the command line, where everybody on the machine could read them.
Exit codes: 0 it answered as it should, 1 it did not, 2 wrong arguments or configuration, 3 a fault of this
machine kept it from being asked.";

/// Probe one endpoint now, and show what came of it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    subject: subject::Naming,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Fine if it answered as it should.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let subject = arguments.subject.read()?;
    for warning in &subject.warnings {
        page::note(&format!("warning: {warning}\n"));
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(probe::probe(&subject.target, Clock::start(), 0));
    // A file on a disk that hangs may still be read.
    runtime.shutdown_background();
    if arguments.json {
        write_raw(&format!("{:#}\n", telling::as_json(&subject, &report)?))?;
    } else {
        let page = Page::standard();
        page.write(&telling::as_text(&subject, &report, page.width()))?;
    }
    Ok(match report.outcome {
        Outcome::Success => Exit::Fine,
        Outcome::Failure(_) => Exit::Negative,
        Outcome::Inconclusive => Exit::Unreachable,
    })
}
