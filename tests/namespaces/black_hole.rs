//! Paths on which large packets vanish without a word, as where the tunnel below takes more room than anybody knows:
//! heartbeats are small and pass, rows and hellos do not.

use crate::laboratory::cluster::any_verdict;
use crate::laboratory::network::Family;
use crate::laboratory::play;
use crate::laboratory::truth::Truth;
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

/// No row tells what the others lost, so nobody can know the sides for certain: what must not be is that somebody names
/// wrong ones. Once rows pass again all know.
#[test]
fn a_cut_of_which_no_row_tells_is_named_as_soon_as_rows_pass() {
    play(5, Family::V4, |cluster| {
        let sides: [&[usize]; 2] = [&[1, 2, 3], &[4, 5]];
        cluster.settle();
        cluster.network.swallow_larger(HEARTBEATS_ONLY, &sides);
        cluster.wait_for_all(1..=5, "link_down");
        cluster.hears_no("a verdict", Word::is_verdict, any_verdict());
        cluster.cut(&sides);
        Truth(&sides).is_told(cluster);
    });
}
