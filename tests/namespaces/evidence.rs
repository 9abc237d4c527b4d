//! What only evidence beside the heartbeat can tell: agents that do not run on hosts that do, a network that lets
//! everything but UDP pass; keys that are replaced while agents run; and lines that say who speaks also where they are
//! about another node.

use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::laboratory::agent::name;
use crate::laboratory::cluster::{Cluster, any_verdict, new_key};
use crate::laboratory::network::Family;
use crate::laboratory::play;
use crate::laboratory::words::Word;

/// What may never be said where the network is whole.
fn is_partition(word: &Word) -> bool {
    word.is("partition_opened") || word.is("node_unheard")
}

/// Every one of `observers` says this event about every one of `nodes`, once, for this cause.
fn all_say(cluster: &Cluster, observers: &[usize], event: &str, nodes: &[usize], cause: &str) {
    for &observer in observers {
        for node in nodes.iter().map(|&node| name(node)) {
            let about = |word: &Word| word.is(event) && word.about() == node;
            cluster.wait_for(observer, &format!("{event} of {node}"), |said| said.iter().any(|word| about(word)));
            let said: Vec<Word> = cluster.words_of(observer).into_iter().filter(about).collect();
            assert_eq!(said.len(), 1, "once:{}", cluster.said(observer));
            assert_eq!(said[0].text("cause"), cause, "{}", cluster.said(observer));
        }
    }
}

/// Stops these agents for so long. The others name the cause, before and after; whoever was stopped blames nobody.
fn stop_for(cluster: &mut Cluster, stopped: &[usize], time: Duration) {
    let others: Vec<usize> = cluster.all().filter(|node| !stopped.contains(node)).collect();
    cluster.settle();
    for &node in stopped {
        cluster.sigstop(node);
    }
    cluster.hears_no("a partition", is_partition, time);
    all_say(cluster, &others, "agent_down", stopped, "stalled");
    for &node in stopped {
        cluster.sigcont(node);
    }
    all_say(cluster, &others, "agent_up", stopped, "stalled");
    for &node in stopped {
        cluster.wait_for_all([node], "stalled");
    }
    cluster.wait_for_normal();
    cluster.hears_no("a partition", is_partition, any_verdict());
    for &node in stopped {
        assert!(cluster.verdicts_of(node).is_empty(), "it blames nobody:{}", cluster.said(node));
        let modes = cluster.modes_of(node);
        assert!(modes.iter().all(|mode| mode == "starting" || mode == "normal"), "{}", cluster.said(node));
    }
    for &node in &others {
        assert_eq!(cluster.verdicts_of(node).len(), 2 * stopped.len(), "{}", cluster.said(node));
    }
}

#[test]
fn an_agent_stopped_for_ten_seconds_blames_nobody_and_is_told_as_stalled() {
    play(5, Family::V4, |cluster| stop_for(cluster, &[5], Duration::from_secs(10)));
}

#[test]
fn two_agents_stopped_together_are_no_partition() {
    play(7, Family::V4, |cluster| stop_for(cluster, &[6, 7], Duration::from_secs(5)));
}

#[test]
fn an_agent_that_is_killed_is_down_and_its_node_is_not() {
    play(5, Family::V4, |cluster| {
        cluster.settle();
        cluster.kill9(5);
        all_say(cluster, &[1, 2, 3, 4], "agent_down", &[5], "stopped");
        cluster.hears_no("a partition", is_partition, any_verdict());
        cluster.start(5);
        all_say(cluster, &[1, 2, 3, 4], "agent_up", &[5], "restarted");
        cluster.wait_for_normal();
        cluster.hears_no("a partition", is_partition, any_verdict());
    });
}

#[test]
fn where_udp_is_blocked_while_agents_run_all_are_blind_and_nobody_is_cut_off() {
    play(5, Family::V4, |cluster| {
        cluster.settle();
        cluster.network.block_udp();
        for node in cluster.all() {
            cluster.wait_for(node, "blind, cause udp", |said| {
                said.iter().any(|word| word.is("blind") && word.text("cause") == "udp")
            });
            cluster.wait_for_mode(node, "starting");
        }
        cluster.hears_no("a partition", is_partition, any_verdict());
        cluster.network.heal();
        cluster.wait_for_normal();
        cluster.hears_no("a partition", is_partition, any_verdict());
    });
}

/// A line has one `node`, and that is who speaks: whom a line is about has another name.
#[test]
fn every_line_says_who_speaks() {
    play(5, Family::V4, |cluster| {
        cluster.settle();
        cluster.cut(&[&[1, 2, 3, 4], &[5]]);
        cluster.wait_for_all(1..=4, "node_unheard");
        cluster.wait_for_all([5], "partition_opened");
        cluster.heal();
        cluster.wait_for_normal();
        for word in cluster.words.all().iter() {
            assert_eq!(word.text("node"), name(word.node), "{}", word.told());
        }
    });
}

/// Within this much time an agent has read its keys again, also without a signal.
const KEYS_READ: Duration = Duration::from_secs(6);

#[test]
fn keys_replaced_one_agent_after_another_leave_no_gap() {
    play(3, Family::V4, |cluster| {
        let is_gap = |word: &Word| word.is_verdict() || word.is("link_down") || word.is("mode_changed");
        let key = new_key();
        cluster.settle();
        for node in cluster.all() {
            cluster.node(node).put_key("2", &key);
            // The first by the signal, the others by themselves.
            if node == 1 {
                cluster.node(node).signal(Signal::SIGHUP);
            }
            cluster.hears_no("a gap", is_gap, KEYS_READ);
        }
        for node in cluster.all() {
            fs::remove_file(cluster.node(node).configuration().with_file_name("keys").join("1")).unwrap();
            cluster.hears_no("a gap", is_gap, KEYS_READ);
        }
        // A new run knows only the new key, and is heard: all have it.
        cluster.terminate(3);
        cluster.start(3);
        cluster.wait_for_normal();
        cluster.hears_no("a gap", |word| word.is_verdict() || word.is("link_down"), any_verdict());
    });
}
