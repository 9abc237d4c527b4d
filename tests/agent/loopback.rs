//! Agents as they run: real sockets on loopback, real time, keys. Each waits for what must come to be, and for nothing
//! that must come soon.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use netsplit::agent::{Agent, Happening, Setup, ShellEvent};
use netsplit::clock::Clock;
use netsplit::detector::Listing;
use netsplit::detector::event::{AgentDownCause, Event};
use netsplit::detector::evidence::{Evidence, HostAnswer, PortAnswer, Question};
use netsplit::detector::link::LinkState;
use netsplit::detector::settings::{ConfiguredTiming, Member, Settings};
use netsplit::detector::time::Now;
use netsplit::detector::view::View;
use netsplit::discovery::{Answer, Cause, Discovery, Failure, Pace, Source};
use netsplit::hlc::Stamp;
use netsplit::identity::{Digest, Epoch, Incarnation, NodeId, RowVersion, Sequence};
use netsplit::network::{Batch, Left, Network, SourcePorts, UdpNetwork};
use netsplit::state::Memory;
use netsplit::wire::{self, Datagram, Echo, Flags, GoodbyeReason, Keys, Kind};

use crate::agents::{self, CLUSTER, Running, all_normal, bind, keys, members, run, settings, until};

/// What each knows of itself beyond the list.
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const HTTP_PORT: u16 = 7476;

/// What a node says of itself.
fn itself(node: &Member) -> Member {
    Member { host: Some(HOST), http_port: Some(HTTP_PORT), ..node.clone() }
}

/// Starts node-1 and on, `also` being in their rosters too. Within a `LocalSet`.
fn start(count: usize, also: &[Member]) -> Vec<Running> {
    let networks: Vec<UdpNetwork> = (0..count).map(|_| bind(0)).collect();
    let mut roster = members(&networks);
    roster.extend(also.iter().cloned());
    let run = |(node, network): (&Member, UdpNetwork)| {
        let (keys, clock) = (keys(&[1]), Clock::start());
        Running::start(network, &itself(node), &roster, &keys, Memory::default(), clock)
    };
    roster.iter().zip(networks).map(run).collect()
}

#[test]
fn a_goodbye_is_told_from_a_crash_and_neither_is_a_partition() {
    run(async {
        let mut agents = start(4, &[]);
        until("everybody hears everybody", || all_normal(&agents)).await;

        let polite = agents.pop().unwrap();
        polite.handle.stop(GoodbyeReason::Stopped);
        polite.task.await.unwrap();
        let left = |event: &Event| matches!(event, Event::PeerLeft { peer, .. } if peer == "node-4");
        until("the goodbye arrives", || agents.iter().all(|agent| agent.has_told(left))).await;

        let killed = agents.pop().unwrap();
        killed.task.abort();
        // Nobody listens at its HTTP port, so its agent is down and its machine is not.
        let stopped = AgentDownCause::Stopped;
        let down =
            |event: &Event| matches!(event, Event::AgentDown { peer, cause } if peer == "node-3" && *cause == stopped);
        until("the crash is seen", || agents.iter().all(|agent| agent.has_told(down))).await;
        let opened = |event: &Event| matches!(event, Event::PartitionOpened(_));
        assert!(!agents.iter().any(|agent| agent.has_told(opened)));
    });
}

#[test]
fn agents_tell_each_other_where_their_hosts_and_http_servers_are() {
    run(async {
        let agents = start(3, &[]);
        let is_known = |member: &Member| (member.host, member.http_port) == (Some(HOST), Some(HTTP_PORT));
        let knows_all = |view: &View| view.nodes.iter().all(|node| is_known(&node.member));
        until("everybody knows it of everybody", || agents.iter().all(|agent| agent.sees(knows_all))).await;
    });
}

#[test]
fn records_come_in_the_order_of_their_stamps_and_say_who_speaks() {
    run(async {
        let agents = start(2, &[]);
        until("everybody hears everybody", || all_normal(&agents)).await;
        let records = agents[0].records.borrow();
        assert!(records.is_sorted_by(|a, b| a.hlc < b.hlc));
        assert!(records.iter().all(|record| &*record.node == "node-1" && &*record.cluster == CLUSTER));
        assert!(matches!(records.first().unwrap().decision(), Some(Event::AgentStarted { roster: 2 })));
    });
}

/// A goodbye in the name of node-2, under these keys.
fn goodbye_of_node_2(run: Incarnation, sequence: u32, keys: &Keys) -> Vec<u8> {
    let id = |name| NodeId::of(CLUSTER, name);
    let datagram = Datagram {
        kind: Kind::Heartbeat,
        flags: Flags { goodbye: Some(GoodbyeReason::Stopped), ..Flags::default() },
        sender: id("node-2"),
        receiver: id("node-1"),
        incarnation: run,
        sequence: Sequence(sequence),
        pace: Duration::from_secs(1),
        echo: Echo::default(),
        row_version: RowVersion(0),
        row_digest: Digest::NONE,
        held_digest: Digest::NONE,
        roster_digest: Digest::NONE,
        electorate_digest: Digest::NONE,
        epoch: Epoch(0),
        blocks: Vec::new(),
    };
    let mut bytes = Vec::new();
    wire::seal(&datagram, Stamp::default(), keys, None, &mut bytes).unwrap();
    bytes
}

#[test]
fn garbage_and_forgeries_leave_an_agent_working() {
    run(async {
        let agents = start(2, &[]);
        until("everybody hears everybody", || all_normal(&agents)).await;
        let (target, told) = (agents[0].member.address, agents[0].records.borrow().len());
        let enemy = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let goodbye = goodbye_of_node_2(agents[1].handle.view().borrow().incarnation, 1_000_000, &keys(&[2]));
        let refused =
            || ["too_short", "too_long", "version"].map(|reason| agents[0].refused(reason)).iter().all(|&n| n > 0);
        for bytes in [&[][..], &[0; 7], &[0; 96], &[0xff; 2000], &goodbye] {
            enemy.send_to(bytes, target).unwrap();
        }
        until("all of it is refused", || refused() && agents[0].refused("tag") + agents[0].refused("key") > 0).await;
        let before = agents[0].handle.view().borrow().counters.received;
        until("it hears on", || agents[0].sees(|view| view.counters.received > before + 5)).await;
        assert!(all_normal(&agents));
        assert_eq!(agents[0].records.borrow().len(), told, "nothing was worth an event");
    });
}

#[test]
fn a_flood_from_strangers_is_refused_before_it_costs_an_hmac() {
    run(async {
        let agents = start(2, &[]);
        until("everybody hears everybody", || all_normal(&agents)).await;
        let stranger = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 99), 0)).unwrap();
        let goodbye = goodbye_of_node_2(Incarnation(1), 1, &keys(&[2]));
        for _ in 0..2000 {
            stranger.send_to(&goodbye, agents[0].member.address).unwrap();
        }
        until("the flood is refused", || agents[0].refused("rate") > 0).await;
        let before = agents[0].handle.view().borrow().counters.received;
        until("it hears on", || agents[0].sees(|view| view.counters.received > before + 5)).await;
    });
}

/// Names nobody until it is told to, as a discovery does that is slow or down.
struct Late(Arc<AtomicBool>, Vec<Member>);

impl Source for Late {
    const KIND: &'static str = "late";

    fn hint(_: Cause) -> &'static str {
        "mend the test"
    }

    async fn ask(&self) -> Result<Answer, Failure> {
        if !self.0.load(Ordering::Relaxed) {
            return Err(Failure::new(Cause::Timeout, "not yet"));
        }
        Ok(Answer { listing: Listing::of(self.1.clone()), good_for: Duration::ZERO })
    }
}

#[test]
fn an_agent_does_not_wait_for_its_discovery_and_takes_what_comes_late() {
    run(async {
        let network = UdpNetwork::bind((Ipv4Addr::LOCALHOST, 0).into(), SourcePorts::default()).unwrap();
        let node = Member::new("node-1", "", network.local_address());
        let roster = vec![node.clone(), Member::new("node-2", "", (Ipv4Addr::LOCALHOST, 9).into())];
        let answers = Arc::new(AtomicBool::new(false));
        let pace = Pace { shortest: Duration::from_millis(10), retry: Duration::from_millis(10), ..Pace::default() };
        let clock = Clock::start();
        let discovery = Discovery::start(Late(Arc::clone(&answers), roster), pace, clock);
        let setup = Setup::without_state(settings(&itself(&node)), discovery, keys(&[1]));
        let (agent, handle) = Agent::new(setup, network, clock, drop).unwrap();
        let task = tokio::task::spawn_local(agent.run());
        let knows = |name: &str| handle.view().borrow().nodes.iter().any(|node| node.member.name == name);
        until("the discovery has failed", || handle.discovery().borrow().failed(Cause::Timeout) > 0).await;
        assert_eq!(handle.discovery().borrow().up, Some(false));
        assert!(knows("node-1") && !knows("node-2"), "it runs with what it has");
        answers.store(true, Ordering::Relaxed);
        until("the list is taken in", || knows("node-2")).await;
        until("the discovery is up", || handle.discovery().borrow().up == Some(true)).await;
        handle.stop(GoodbyeReason::Stopped);
        task.await.unwrap();
    });
}

#[test]
fn what_cannot_be_sent_is_counted_and_stops_nothing() {
    run(async {
        // A broadcast address: the system refuses to send there (EACCES).
        let address = (Ipv4Addr::BROADCAST, 7475).into();
        let nowhere = Member::new("nowhere", "", address);
        let agents = start(2, &[nowhere]);
        let both = || agents.iter().all(|agent| agent.sees(|view| view.counters.send_errors > 3));
        until("errors are counted", both).await;
        until("they hear each other", || agents.iter().all(|agent| agent.sees(|view| view.members == 2))).await;
    });
}

#[test]
fn a_peer_that_speaks_a_newer_version_is_unknown_and_not_down() {
    run(async {
        let agents = agents::start(&[Keys::insecure(), Keys::insecure()]);
        until("everybody hears everybody", || all_normal(&agents)).await;
        // Its agent is replaced by one of a later version.
        agents[1].task.abort();
        let run = agents[1].handle.view().borrow().incarnation;
        let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let sequence = Cell::new(1_000_000);
        let link_is = |state| agents[0].sees(|view| view.nodes.iter().any(|node| node.link == Some(state)));
        until("the link is down", || link_is(LinkState::Down)).await;
        let speaks_on = || {
            sequence.set(sequence.get() + 1);
            let mut newer = goodbye_of_node_2(run, sequence.get(), &Keys::insecure());
            newer[0] = newer[0] & 0x0f | 2 << 4;
            peer.send_to(&newer, agents[0].member.address).unwrap();
        };
        until("the link is unknown", || {
            speaks_on();
            link_is(LinkState::Unknown)
        })
        .await;
        assert!(agents[0].refused("newer_version") > 0);
    });
}

#[test]
fn settings_that_change_while_running_hold_at_once_and_are_told() {
    run(async {
        let agents = start(3, &[]);
        until("everybody hears everybody", || all_normal(&agents)).await;
        let period = Duration::from_millis(200);
        for agent in &agents {
            let before = settings(&agent.member);
            let timing = ConfiguredTiming { period, ..ConfiguredTiming::of_period(period) };
            agent.handle.change_settings(before.clone(), vec!["mode.tie".to_owned(), "audit.stdout".to_owned()]);
            agent.handle.change_settings(Settings { timing, ..before }, vec!["peers.period".to_owned()]);
            agent.handle.change_source_ports(SourcePorts::ONE);
        }
        until("the period is the new one", || agents.iter().all(|agent| agent.sees(|view| view.period == period)))
            .await;
        let heartbeats = |agent: &Running| agent.handle.view().borrow().counters.received;
        let before: Vec<u64> = agents.iter().map(heartbeats).collect();
        until("heartbeats come", || agents.iter().zip(&before).all(|(agent, &before)| heartbeats(agent) > before + 40))
            .await;
        for agent in &agents {
            assert!(agent.is_normal());
            assert!(!agent.has_told(|event| matches!(event, Event::LinkDown { .. })));
            // Both came before the loop looked.
            let changed = ["audit.stdout", "mode.tie", "peers.period"].map(str::to_owned).to_vec();
            let expected = ShellEvent::ConfigReloaded { changed };
            let records = agent.records.borrow();
            let told =
                records.iter().filter(|record| matches!(&record.event, Happening::Shell(event) if *event == expected));
            assert_eq!(told.count(), 1);
        }
    });
}

#[test]
fn a_peer_whose_datagrams_come_from_several_ports_is_one_peer_at_one_address() {
    run(async {
        let agents = start(2, &[]);
        until("everybody hears everybody", || all_normal(&agents)).await;
        let heard = |agent: &Running| agent.sees(|view| view.counters.received > 12);
        until("every port had its turn", || agents.iter().all(heard)).await;
        for agent in &agents {
            let addresses: Vec<SocketAddr> =
                agent.handle.view().borrow().nodes.iter().map(|node| node.member.address).collect();
            assert!(agents.iter().all(|agent| addresses.contains(&agent.member.address)), "{addresses:?}");
            assert_eq!(agent.refused("rate"), 0, "from none of its ports is it a stranger");
        }
    });
}

/// A socket that never is drained.
struct Endless;

impl Network for Endless {
    async fn ready(&self) -> io::Result<()> {
        Ok(())
    }

    fn receive(&mut self, _batch: &mut Batch) -> io::Result<Left> {
        Ok(Left::Perhaps)
    }

    fn send(&mut self, _to: SocketAddr, _bytes: &[u8], _now: Now) -> io::Result<()> {
        Ok(())
    }

    fn drops(&mut self) -> u64 {
        0
    }

    fn ask(&self, question: Question, _timeout: Duration) -> impl Future<Output = Evidence> + Send + 'static {
        let nothing = (HostAnswer::NotAsked, PortAnswer::NotAsked);
        std::future::ready(Evidence { peer: question.peer, host: nothing.0, port: nothing.1 })
    }
}

#[test]
fn an_agent_that_never_is_through_with_reading_lets_others_run_and_stops_when_told() {
    run(async {
        let node = Member::new("node-1", "", (Ipv4Addr::LOCALHOST, 7475).into());
        let clock = Clock::start();
        let discovery = Discovery::fixed(vec![node.clone()], clock);
        let setup = Setup::without_state(settings(&itself(&node)), discovery, keys(&[1]));
        let (agent, handle) = Agent::new(setup, Endless, clock, drop).unwrap();
        let task = tokio::task::spawn_local(agent.run());
        // That this goes on at all is what the agent's task leaves to others.
        until("others have had their turn", || handle.view().borrow().at > Now::START).await;
        handle.stop(GoodbyeReason::Stopped);
        task.await.unwrap();
    });
}
