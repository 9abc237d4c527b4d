//! What is said of cuts among a thousand nodes, which are a matter of minutes each: in `make test` among a few hundred, where a side
//! has names already that are not listed.

use crate::cuts::cuts_of;
use crate::scenarios::{a_third_one_way, halves_with_a_bridge, one_from_some, scenario, two_thirds};
use crate::verify;

#[test]
fn its_sides_are_named_from_the_first_word_on() {
    let [half, more, third] = verify::either([110, 112, 73], [500, 510, 333]);
    let shapes =
        [("half|half", vec![half, half]), ("51|49", vec![more, 2 * half - more]), ("three-way", vec![third; 3])];
    let shapes = shapes.iter().map(|(name, sizes)| (*name, sizes.as_slice()));
    cuts_of(&shapes.take(verify::either(1, 3)).collect::<Vec<_>>(), 1);
}

#[test]
fn its_partial_cuts_are_named_too() {
    let hosts = verify::either(150, 1000);
    for of in [two_thirds, halves_with_a_bridge, one_from_some, a_third_one_way].iter().take(verify::either(2, 4)) {
        scenario(&of(hosts), 1, 1);
    }
}
