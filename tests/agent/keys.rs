//! Keys that change while agents run: real agents on loopback, and key directories on disk.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use netsplit::clock::Clock;
use netsplit::key_watch;
use netsplit::keys::read_directory;
use netsplit::state::Memory;

use crate::agents::{Running, all_normal, bind, keys, members, run, start, until};

/// Waits until everybody has had several datagrams from everybody after now.
async fn heartbeats_flow(agents: &[Running]) {
    let received = |agent: &Running| agent.handle.view().borrow().counters.received;
    let before: Vec<u64> = agents.iter().map(received).collect();
    let wanted = 2 * u64::try_from(agents.len()).unwrap();
    until("heartbeats flow", || agents.iter().zip(&before).all(|(agent, &before)| received(agent) >= before + wanted))
        .await;
}

fn refused_for_keys(agents: &[Running]) -> u64 {
    agents.iter().map(|agent| agent.refused("key") + agent.refused("tag")).sum()
}

#[test]
fn a_rotation_that_arrives_at_one_agent_after_another_leaves_no_gap() {
    run(async {
        let agents = start(&[keys(&[1]), keys(&[1]), keys(&[1])]);
        until("everybody hears everybody", || all_normal(&agents)).await;
        for stage in [keys(&[1, 2]), keys(&[2])] {
            for agent in &agents {
                agent.handle.replace_keys(stage.clone());
                heartbeats_flow(&agents).await;
                assert_eq!(refused_for_keys(&agents), 0, "every datagram is understood at every step");
            }
        }
        assert!(all_normal(&agents));
        for agent in &agents {
            let counters = agent.handle.view().borrow().counters.clone();
            // Where the machine did not let the agents run, a late heartbeat says nothing.
            assert!(counters.missed == 0 || counters.stalls > 0, "no link went late: {counters:?}");
            assert_eq!((agent.handle.counters().keys(), agent.handle.counters().key_reloads()), (1, 2));
        }
    });
}

#[test]
fn agents_that_start_while_the_old_key_is_being_removed_find_each_other() {
    run(async {
        let agents = start(&[keys(&[1, 2]), keys(&[2]), keys(&[1, 2])]);
        until("everybody hears everybody", || all_normal(&agents)).await;
    });
}

#[test]
fn agents_that_start_while_the_new_key_is_being_added_find_each_other() {
    run(async {
        let agents = start(&[keys(&[1]), keys(&[1, 2]), keys(&[1])]);
        until("everybody hears everybody", || all_normal(&agents)).await;
    });
}

#[test]
fn a_peer_that_returns_without_its_newest_key_is_understood_again() {
    run(async {
        let networks = vec![bind(0), bind(0)];
        let roster = members(&networks);
        let each = roster.iter().zip(networks);
        let both = keys(&[1, 2]);
        let mut agents: Vec<Running> = each
            .map(|(node, network)| Running::start(network, node, &roster, &both, Memory::default(), Clock::start()))
            .collect();
        until("everybody hears everybody", || all_normal(&agents)).await;
        let killed = agents.pop().unwrap();
        killed.task.abort();
        assert!(killed.task.await.unwrap_err().is_cancelled());
        let (node, before) = (killed.member, killed.handle.view().borrow().incarnation);
        let network = bind(node.address.port());
        let rolled_back = keys(&[1]);
        agents.push(Running::start(network, &node, &roster, &rolled_back, Memory::default(), Clock::start()));
        let is_back = || {
            let runs =
                |agent: &Running| agent.sees(|view| view.nodes.iter().all(|node| node.incarnation != Some(before)));
            agents.iter().all(runs) && all_normal(&agents)
        };
        until("the new run is heard", is_back).await;
    });
}

fn write_key(directory: &Path, name: &str, digit: char) {
    fs::write(directory.join(name), digit.to_string().repeat(64)).unwrap();
}

#[test]
fn a_bad_key_directory_takes_no_key_away_and_a_mended_one_counts() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        write_key(directory.path(), "1", '1');
        let first = read_directory(directory.path()).unwrap();
        let agents = start(&[first.clone(), first.clone()]);
        let watch = key_watch::start(directory.path().to_owned(), first.clone(), agents[0].handle.clone()).unwrap();
        until("everybody hears everybody", || all_normal(&agents)).await;

        let counters = agents[0].handle.counters();
        fs::remove_file(directory.path().join("1")).unwrap();
        watch.look();
        until("it is looked at twice", || counters.key_reload_failures() >= 2).await;
        fs::write(directory.path().join("1"), "half a k").unwrap();
        let failures = counters.key_reload_failures();
        watch.look();
        until("it is looked at again", || counters.key_reload_failures() > failures).await;
        heartbeats_flow(&agents).await;
        assert_eq!((counters.keys(), counters.key_reloads(), refused_for_keys(&agents)), (1, 0, 0));

        write_key(directory.path(), "1", '1');
        write_key(directory.path(), "2", '2');
        watch.look();
        until("the new key is there", || counters.keys() == 2).await;
        assert_eq!(counters.key_reloads(), 1);
        agents[1].handle.replace_keys(read_directory(directory.path()).unwrap());
        fs::remove_file(directory.path().join("1")).unwrap();
        heartbeats_flow(&agents).await;
        watch.look();
        until("the old key is gone", || counters.keys() == 1).await;
        heartbeats_flow(&agents).await;
        assert_eq!(refused_for_keys(&agents), 0);
    });
}

#[test]
fn a_new_key_is_found_without_being_told() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        write_key(directory.path(), "1", '1');
        let first = read_directory(directory.path()).unwrap();
        let agents = start(std::slice::from_ref(&first));
        let _watch = key_watch::start(directory.path().to_owned(), first, agents[0].handle.clone()).unwrap();
        write_key(directory.path(), "2", '2');
        until("it is found", || agents[0].handle.counters().keys() == 2).await;
    });
}

#[test]
fn an_agent_with_a_wrong_key_is_cut_off_and_all_say_so() {
    run(async {
        let said = Log::begin();
        let agents = start(&[keys(&[1]), keys(&[1]), keys(&[9])]);
        let (right, wrong) = agents.split_at(2);
        let hears_one = |agent: &Running| agent.sees(|view| view.members == 2);
        until("those with the right key hear each other", || right.iter().all(hears_one)).await;
        until("all refuse", || agents.iter().all(|agent| agent.refused("key") + agent.refused("tag") > 3)).await;
        let hears_nobody = wrong[0].sees(|view| view.coverage() == 0.0 && view.counters.received == 0);
        assert!(hears_nobody);
        until("all say so", || said.count("datagrams were refused because no key here vouches") == 3).await;
        assert!(said.text().contains("last_from=127.0.0.1:"), "{}", said.text());
    });
}

#[test]
fn a_peer_with_a_newer_key_is_told_of_once_and_still_understood() {
    run(async {
        let said = Log::begin();
        let agents = start(&[keys(&[1]), keys(&[1, 2]), keys(&[1, 2])]);
        until("everybody hears everybody", || all_normal(&agents)).await;
        until("it is said", || said.count("peers hold a newer key that this agent lacks") > 0).await;
        heartbeats_flow(&agents).await;
        assert_eq!(said.count("peers hold a newer key that this agent lacks"), 1, "{}", said.text());
        assert!(said.text().contains("peers=2"), "{}", said.text());
        let lacked: Vec<u64> = agents.iter().map(|agent| agent.handle.counters().keys_lacked()).collect();
        assert_eq!((lacked, refused_for_keys(&agents)), (vec![2, 0, 0], 0));
    });
}

/// What is logged on this thread.
struct Log(
    Arc<Mutex<Vec<u8>>>,
    #[expect(dead_code, reason = "it ends when it is dropped")] tracing::subscriber::DefaultGuard,
);

impl Log {
    fn begin() -> Self {
        let lines = Arc::<Mutex<Vec<u8>>>::default();
        let written = Arc::clone(&lines);
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || Into(Arc::clone(&written)));
        Self(lines, tracing::subscriber::set_default(subscriber.finish()))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn count(&self, words: &str) -> usize {
        self.text().matches(words).count()
    }
}

struct Into(Arc<Mutex<Vec<u8>>>);

impl Write for Into {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
