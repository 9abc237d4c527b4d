//! Agents on an overlay, as pods are: a cut of the overlay is told from a cut of the nodes that carry it.

use crate::judgement::{Cut, is_healed_for};
use crate::laboratory::network::Family;
use crate::laboratory::play;
use crate::laboratory::truth::Truth;

const SIDES: [&[usize]; 2] = [&[1, 2, 3], &[4, 5]];

#[test]
fn a_cut_of_the_overlay_alone_is_called_so_since_the_hosts_answer() {
    play(5, Family::Overlay, |cluster| {
        let cut = Cut { before: "overlay", ..Cut::complete("overlay", SIDES) };
        cluster.settle();
        cluster.network.cut_overlay(&SIDES);
        cut.is_told_by(cluster, 1..=5);
        for node in 1..=5 {
            let mode = if SIDES[0].contains(&node) { "majority" } else { "minority" };
            assert_eq!(cluster.modes_of(node), [mode], "{}", cluster.said(node));
        }
        cluster.heal();
        is_healed_for(cluster, 1..=5);
    });
}

#[test]
fn a_cut_of_the_nodes_below_is_complete_since_no_host_answers() {
    play(5, Family::Overlay, |cluster| {
        let truth = Truth(&SIDES);
        cluster.settle();
        cluster.cut(&SIDES);
        truth.is_told(cluster);
        cluster.heal();
        truth.is_healed(cluster);
    });
}
