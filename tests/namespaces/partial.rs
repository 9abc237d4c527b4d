//! Cuts around which there is a way: everybody names both sides and who reaches them, and everybody may go on.

use crate::judgement::{Cut, is_healed_for};
use crate::laboratory::network::Family;
use crate::laboratory::play;

#[test]
fn two_sides_that_a_bridge_reaches_are_named_by_all_with_the_bridge() {
    play(5, Family::V4, |cluster| {
        let cut = Cut::partial([&[1, 2], &[4, 5]], &[3]);
        cluster.settle();
        cluster.cut(&cut.sides);
        cut.is_told_by(cluster, 1..=5);
        for node in 1..=5 {
            // Everybody reaches a majority of the electorate, if only through the bridge.
            assert_eq!(cluster.modes_of(node), ["degraded"], "{}", cluster.said(node));
        }
        cluster.heal();
        is_healed_for(cluster, 1..=5);
    });
}

#[test]
fn one_node_that_some_do_not_reach_is_a_side_of_its_own() {
    play(5, Family::V4, |cluster| {
        let cut = Cut::partial([&[1], &[4, 5]], &[2, 3]);
        cluster.settle();
        cluster.cut(&cut.sides);
        cut.is_told_by(cluster, 1..=5);
        cluster.heal();
        is_healed_for(cluster, 1..=5);
    });
}
