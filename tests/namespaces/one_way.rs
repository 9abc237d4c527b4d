//! Cuts in one direction: whoever can know says which way, the other way stays up, and nobody says anything else.

use std::time::Duration;

use crate::judgement::{Cut, is_healed_for};
use crate::laboratory::agent::name;
use crate::laboratory::cluster::{Cluster, any_verdict, names, timing};
use crate::laboratory::network::Family;
use crate::laboratory::play;
use crate::laboratory::words::Word;

/// Whether somebody says that what this peer sends no longer arrives.
fn loses(word: &Word, peer: usize) -> bool {
    let links = word.line["links"].as_array();
    word.is("link_down") && links.is_some_and(|links| links.iter().any(|link| link["peer"] == name(peer)))
}

/// Nobody of `hearing` loses anybody of `heard`, so far.
#[track_caller]
fn stays_up(cluster: &Cluster, hearing: &[usize], heard: &[usize]) {
    for &node in hearing {
        let lost = cluster.words_of(node).iter().any(|word| heard.iter().any(|&peer| loses(word, peer)));
        assert!(!lost, "{} hears {:?} all the time:{}", name(node), names(heard), cluster.said(node));
    }
}

#[test]
fn one_pair_cut_one_way_is_a_link_that_is_down_until_four_bounds_have_passed() {
    play(4, Family::V4, |cluster| {
        let cut = Cut::partial([&[1], &[2]], &[3, 4]).one_way(&[1]);
        cluster.settle();
        cluster.sever(&[(&[1], &[2])]);
        cluster.wait_for(2, "that what node-1 sends is lost", |said| said.iter().any(|word| loses(word, 1)));
        let early = timing().detection_bound() * 3;
        cluster.hears_no("more than a link", Word::is_verdict, early);
        // The deaf one hears only from others that it is heard: it may know the direction, and need not.
        cut.is_told_by(cluster, [1, 3, 4]);
        let told = cluster.verdicts_of(2);
        let is_right = |word: &Word| ["partial", "simplex"].contains(&word.text("kind"));
        assert!(!told.is_empty() && told.iter().all(is_right), "{}", cluster.said(2));
        stays_up(cluster, &[1], &[2]);
        cluster.heal();
        is_healed_for(cluster, 1..=4);
    });
}

#[test]
fn of_a_group_cut_one_way_the_side_that_hears_knows_the_direction_and_the_deaf_one_cannot() {
    play(5, Family::V4, |cluster| {
        let (first, second): ([usize; 3], [usize; 2]) = ([1, 2, 3], [4, 5]);
        let cut = Cut::complete("complete", [&first, &second]);
        let known = Cut { sides: cut.sides, ..cut.one_way(&first) };
        cluster.settle();
        cluster.sever(&[(&first, &second)]);
        cut.is_told_by(cluster, second);
        known.is_told_by(cluster, first);
        stays_up(cluster, &first, &second);
        for node in 1..=5 {
            let mode = if first.contains(&node) { "majority" } else { "minority" };
            assert_eq!(cluster.modes_of(node), [mode], "{}", cluster.said(node));
        }
        cluster.heal();
        is_healed_for(cluster, 1..=5);
    });
}

/// Nothing arrives at node-5, and all that it sends arrives.
#[test]
fn a_node_that_hears_nobody_and_is_heard_by_all_is_isolated_for_everybody() {
    play(5, Family::V4, |cluster| {
        let others = [1, 2, 3, 4];
        cluster.settle();
        cluster.sever(&[(&others, &[5])]);
        for node in 1..=5 {
            cluster.wait_for(node, "an isolation", |said| {
                let opened = said.iter().find(|word| word.is("partition_opened"));
                opened.is_some_and(|word| word.text("kind") == "isolation")
            });
        }
        cluster.wait_for_mode(5, "isolated");
        cluster.listen(any_verdict());
        stays_up(cluster, &others, &[5]);
        for node in 1..=5 {
            let (verdicts, said) = (cluster.verdicts_of(node), cluster.said(node));
            let opened = verdicts.iter().filter(|word| !word.is("partition_changed")).count();
            assert_eq!(opened, 1, "{} says one thing:{said}", name(node));
            for word in &verdicts {
                let lone = [0, 1].iter().any(|&side: &usize| word.line["sides"][side]["nodes"][0] == name(5));
                assert!(lone && word.text("kind") == "isolation", "{said}");
            }
        }
        cluster.heal();
        cluster.wait_for_all(1..=5, "partition_closed");
        cluster.wait_for_normal();
    });
}

/// All that is sent arrives at node-5, and nothing that it sends arrives anywhere.
#[test]
fn a_node_that_hears_all_and_is_heard_by_nobody_knows_that_it_is_isolated_and_the_others_miss_it() {
    play(5, Family::V4, |cluster| {
        let others = [1, 2, 3, 4];
        cluster.settle();
        cluster.sever(&[(&[5], &others)]);
        cluster.wait_for_all(others, "node_unheard");
        cluster.wait_for_all([5], "partition_opened");
        cluster.wait_for_mode(5, "isolated");
        cluster.listen(any_verdict() + Duration::from_secs(2));
        stays_up(cluster, &[5], &others);
        for node in 1..=5 {
            let (verdicts, said) = (cluster.verdicts_of(node), cluster.said(node));
            let opened: Vec<&Word> = verdicts.iter().filter(|word| !word.is("partition_changed")).collect();
            assert_eq!(opened.len(), 1, "{} says one thing:{said}", name(node));
            let is_isolation = verdicts.iter().all(|word| word.text("kind") == "isolation");
            assert!(if node == 5 { is_isolation } else { opened[0].about() == name(5) }, "{said}");
        }
        cluster.heal();
        cluster.wait_for_all(others, "node_heard");
        cluster.wait_for_all([5], "partition_closed");
        cluster.wait_for_normal();
        for node in others {
            let heard = cluster.verdicts_of(node).into_iter().find(|word| word.is("node_heard"));
            let confirmed = heard.map(|word| word.line["confirmed"].clone());
            assert_eq!(confirmed, Some(true.into()), "it lived through it:{}", cluster.said(node));
        }
    });
}
