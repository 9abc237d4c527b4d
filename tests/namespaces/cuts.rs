//! Complete cuts: every agent names its own side, and all call the cut the same.

use crate::laboratory::cluster::Cluster;
use crate::laboratory::network::Family;
use crate::laboratory::play;
use crate::laboratory::truth::Truth;

/// Cuts so, and heals.
fn cut_and_heal(cluster: &mut Cluster, sides: &[&[usize]]) {
    let truth = Truth(sides);
    cluster.settle();
    cluster.cut(sides);
    truth.is_told(cluster);
    cluster.heal();
    truth.is_healed(cluster);
}

#[test]
fn three_and_two_are_majority_and_minority() {
    play(5, Family::V4, |cluster| cut_and_heal(cluster, &[&[1, 2, 3], &[4, 5]]));
}

#[test]
fn where_there_is_only_ipv6_a_cut_is_told_all_the_same() {
    play(5, Family::V6, |cluster| cut_and_heal(cluster, &[&[1, 2, 3], &[4, 5]]));
}

#[test]
fn of_two_halves_neither_is_the_majority() {
    play(4, Family::V4, |cluster| cut_and_heal(cluster, &[&[1, 2], &[3, 4]]));
}

#[test]
fn of_three_sides_none_is_the_majority() {
    play(5, Family::V4, |cluster| cut_and_heal(cluster, &[&[1, 2], &[3, 4], &[5]]));
}

#[test]
fn one_node_cut_off_is_unheard_for_the_others_and_isolated_for_itself() {
    play(5, Family::V4, |cluster| cut_and_heal(cluster, &[&[1, 2, 3, 4], &[5]]));
}

#[test]
fn seven_nodes_cut_into_odd_and_even() {
    play(7, Family::V4, |cluster| cut_and_heal(cluster, &[&[1, 3, 5, 7], &[2, 4, 6]]));
}

#[test]
fn thirty_nodes_cut_in_halves() {
    let (first, second): (Vec<usize>, Vec<usize>) = ((1..=15).collect(), (16..=30).collect());
    play(30, Family::V4, |cluster| cut_and_heal(cluster, &[&first, &second]));
}
