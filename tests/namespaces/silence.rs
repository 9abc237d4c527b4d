//! A host that hears and says nothing at all, an agent that does not run for a while, and a network in which nothing
//! was ever heard.

use std::time::Duration;

use crate::laboratory::cluster::any_verdict;
use crate::laboratory::network::Family;
use crate::laboratory::play;
use crate::laboratory::truth::Truth;
use crate::laboratory::words::Word;

/// More than a silence needs to be told.
const STOPPED: Duration = Duration::from_secs(6);

#[test]
fn a_host_whose_cable_is_pulled_is_unheard_for_the_others_and_isolated_for_itself() {
    play(5, Family::V4, |cluster| {
        let truth = Truth(&[&[1, 2, 4, 5], &[3]]);
        cluster.settle();
        cluster.silence_host(3);
        truth.is_told(cluster);
        cluster.return_host(3);
        truth.is_healed(cluster);
    });
}

#[test]
fn an_agent_that_did_not_run_blames_nobody_and_nobody_takes_it_for_a_cut() {
    play(5, Family::V4, |cluster| {
        let is_partition = |word: &Word| word.text("event").starts_with("partition_");
        cluster.settle();
        cluster.sigstop(5);
        cluster.hears_no("a partition", is_partition, STOPPED);
        cluster.sigcont(5);
        cluster.wait_for_all([5], "stalled");
        cluster.wait_for_normal();
        cluster.hears_no("a partition", is_partition, any_verdict());
        assert!(cluster.verdicts_of(5).is_empty(), "{}", cluster.said(5));
        assert_eq!(cluster.modes_of(5), ["starting", "normal"], "{}", cluster.said(5));
        for node in 1..=4 {
            let verdicts = cluster.verdicts_of(node);
            assert_eq!(verdicts.last().unwrap().text("cause"), "stalled", "{}", cluster.said(node));
        }
    });
}

#[test]
fn agents_between_which_no_datagram_ever_passed_are_blind_and_not_isolated() {
    play(3, Family::V4, |cluster| {
        cluster.network.block_udp();
        cluster.start_all();
        cluster.wait_for_all(cluster.all(), "blind");
        let judges = |word: &Word| word.is_verdict() || word.is("mode_changed");
        cluster.hears_no("a verdict or another mode than starting", judges, any_verdict());
        for node in cluster.all() {
            let words = cluster.words_of(node);
            let blind: Vec<&str> =
                words.iter().filter(|word| word.is("blind")).map(|word| word.text("cause")).collect();
            assert_eq!(blind, ["never_heard"], "once, and for this cause:{}", cluster.said(node));
        }
        cluster.heal();
        cluster.wait_for_normal();
        cluster.hears_no("a verdict", Word::is_verdict, Duration::ZERO);
    });
}
