//! One dead path of several that cost the same: routers choose by the ports, so a path is a port here.

use std::time::Duration;

use crate::laboratory::agent::name;
use crate::laboratory::cluster::any_verdict;
use crate::laboratory::network::{Family, PORT};
use crate::laboratory::play;
use crate::laboratory::words::Word;

/// A quarter lost, averaged over about 128 datagrams, is ten hundredths after 65: at five a second, and with polls.
const MEASURED: Duration = Duration::from_secs(25);

#[test]
fn one_of_four_source_ports_that_leads_nowhere_is_loss_and_never_a_link_that_is_down() {
    play(4, Family::V4, |cluster| {
        let is_down = |word: &Word| word.is_verdict() || word.is("link_down");
        let says_so = |word: &Word| word.is("link_degraded") && word.text("peer") == name(4);
        // Fast: it is no matter of timing, and at one datagram a second it takes minutes.
        cluster.set("  profile: fast\n");
        cluster.settle();
        // Three of the four are bound anew now and then; the one that the agent listens on stays.
        cluster.network.drop_port(4, PORT);
        cluster.hears_no("that anything is down", is_down, MEASURED);
        for node in 1..=3 {
            cluster.wait_for(node, "that it loses datagrams of node-4", |said| said.iter().any(|word| says_so(word)));
        }
        let others: Vec<String> = (1..=3).map(name).collect();
        let blames = |word: &Word| word.is("link_degraded") && others.iter().any(|other| other == word.text("peer"));
        cluster.hears_no(
            "that another path is bad, or anything down",
            |word| blames(word) || is_down(word),
            any_verdict(),
        );
    });
}
