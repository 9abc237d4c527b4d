//! Paths on which large packets vanish without a word, as where the tunnel below takes more room than anybody knows:
//! heartbeats are small and pass, rows and hellos do not.

use crate::laboratory::cluster::any_verdict;
use crate::laboratory::network::Family;
use crate::laboratory::play;
use crate::laboratory::words::Word;

/// A heartbeat is 96 bytes in an IPv4 packet of 124; one with a row of five nodes makes a packet of 142, and a hello one
/// of 636.
const HEARTBEATS_ONLY: usize = 130;

#[test]
fn where_only_heartbeats_pass_nobody_is_cut_off() {
    play(5, Family::V4, |cluster| {
        cluster.settle();
        cluster.network.swallow_larger(HEARTBEATS_ONLY, &[]);
        cluster.hears_no("anything at all", |_| true, any_verdict() * 2);
        cluster.network.heal();
        cluster.hears_no("anything at all", |_| true, any_verdict());
    });
}

/// Of what the others lost no row tells; that their rows are other ones now every heartbeat says. So nobody may go on by
/// rows of before the cut, in which each side reaches the other: the smaller one would write for ever.
#[test]
fn a_cut_of_which_no_row_tells_leaves_one_side_that_writes() {
    play(5, Family::V4, |cluster| {
        let sides: [&[usize]; 2] = [&[1, 2, 3], &[4, 5]];
        let mode = |node: usize| if sides[0].contains(&node) { "majority" } else { "minority" };
        cluster.settle();
        cluster.network.swallow_larger(HEARTBEATS_ONLY, &sides);
        cluster.all().for_each(|node| cluster.wait_for_mode(node, mode(node)));
        // Rows pass again within each side: what was possible only is certain.
        cluster.cut(&sides);
        cluster.hears_no("another mode", |word| word.is("mode_changed"), any_verdict());
        for node in cluster.all() {
            // What each had taken for cuts of its own links before is over.
            let said = cluster.words_of(node);
            let is_told = |word: &&Word| word.is("partition_opened") || word.is("partition_changed");
            let is_complete = |word: &Word| word.text("kind") == "complete";
            assert!(said.iter().filter(is_told).all(is_complete), "{}", cluster.said(node));
        }
        cluster.heal();
        cluster.wait_for_all(1..=5, "partition_closed");
        // So many rows were lost that it takes minutes until the loss is forgiven: degraded, but nobody is cut off.
        cluster.all().for_each(|node| cluster.wait_for_mode(node, "degraded"));
    });
}
