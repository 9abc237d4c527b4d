//! Agents that leave and return: what is politely said is no partition, and a restart inside a partition is none either.

use crate::laboratory::agent::name;
use crate::laboratory::cluster::{Cluster, any_verdict};
use crate::laboratory::network::Family;
use crate::laboratory::play;
use crate::laboratory::truth::Truth;
use crate::laboratory::words::Word;

#[test]
fn a_polite_end_is_told_by_all_and_nobody_is_missed() {
    play(5, Family::V4, |cluster| {
        cluster.settle();
        cluster.terminate(5);
        cluster.wait_for_all(1..=4, "peer_left");
        cluster.hears_no("a verdict", Word::is_verdict, any_verdict());
        for node in 1..=4 {
            let words = cluster.words_of(node);
            let left = words.iter().find(|word| word.is("peer_left")).unwrap();
            assert_eq!((left.text("peer"), left.text("reason")), ("node-5", "stopped"));
            // A member that left is a member still: nobody knows yet whether it returns.
            assert_eq!(cluster.modes_of(node), ["degraded"], "{}", cluster.said(node));
        }
    });
}

#[test]
fn when_all_agents_are_replaced_one_after_another_nobody_says_anything_critical() {
    play(5, Family::V4, |cluster| {
        cluster.settle();
        for node in cluster.all() {
            cluster.terminate(node);
            cluster.start(node);
            cluster.wait_for_normal();
        }
        cluster.hears_no("a verdict", Word::is_verdict, any_verdict());
        for node in cluster.all() {
            let calm = |mode: &String| ["starting", "degraded", "normal"].contains(&mode.as_str());
            assert!(cluster.modes_of(node).iter().all(calm), "{}", cluster.said(node));
            assert_eq!(cluster.count_of(node, "agent_started"), 1);
        }
    });
}

/// What becomes of an agent's state directory while it is down.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Kept,
    Lost,
}

/// Kills one agent of a cut cluster and starts it again, and heals.
fn restart_inside(cluster: &mut Cluster, restarted: usize, state: State, mode: &str) {
    let (truth, sides): (_, [&[usize]; 2]) = (Truth(&[&[1, 2, 3], &[4, 5]]), [&[1, 2, 3], &[4, 5]]);
    cluster.settle();
    cluster.cut(&sides);
    truth.opens(cluster);
    let id = cluster.verdicts_of(1)[0].text("id").to_owned();

    cluster.begin_chapter();
    cluster.kill9(restarted);
    if state == State::Lost {
        cluster.node(restarted).lose_state();
    }
    cluster.start(restarted);
    cluster.wait_for_mode(restarted, mode);
    cluster.listen(any_verdict());
    let writes = |mode: &String| ["normal", "degraded", "majority"].contains(&mode.as_str());
    for node in cluster.all() {
        let (verdicts, said) = (cluster.verdicts_of(node), cluster.said(node));
        assert!(verdicts.iter().all(|word| word.text("id") == id), "one cut has one id:{said}");
        if node != restarted {
            assert!(verdicts.is_empty(), "{} has nothing to say of a quick restart:{said}", name(node));
        }
        if sides[1].contains(&node) {
            assert!(!cluster.modes_of(node).iter().any(writes), "{} may not write:{said}", name(node));
        }
    }

    cluster.heal();
    cluster.wait_for_normal();
    for node in cluster.all() {
        for word in cluster.verdicts_of(node) {
            assert!(word.is("partition_closed") && word.text("id") == id, "{}", cluster.said(node));
        }
    }
}

#[test]
fn an_agent_of_the_minority_that_restarts_without_its_state_does_not_write() {
    play(5, Family::V4, |cluster| restart_inside(cluster, 5, State::Lost, "minority"));
}

#[test]
fn an_agent_of_the_minority_that_restarts_with_its_state_does_not_write() {
    play(5, Family::V4, |cluster| restart_inside(cluster, 5, State::Kept, "minority"));
}

#[test]
fn an_agent_of_the_majority_that_restarts_without_its_state_is_of_the_majority_again() {
    play(5, Family::V4, |cluster| restart_inside(cluster, 2, State::Lost, "majority"));
}

#[test]
fn an_agent_of_the_majority_that_restarts_with_its_state_is_of_the_majority_again() {
    play(5, Family::V4, |cluster| restart_inside(cluster, 2, State::Kept, "majority"));
}
