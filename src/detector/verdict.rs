//! Cells to cuts: what the matrix means now.
//!
//! A function of rows and roster, with no memory: the same rows give the same verdict on every agent.
//! A pair is *broken* when either direction is, since every protocol that answers needs both; otherwise it is
//! *joined* if either direction is ok. Unknown is neither.

use super::bits::Bits;

/// One valid row, ready to be judged by.
#[derive(Clone, Copy, Debug)]
pub struct RowBits<'a> {
    /// Where it is up or late.
    pub ok: &'a Bits,
    /// Where it is down; nothing if nowhere, or if its owner distrusts it.
    pub broken: Option<&'a Bits>,
    /// Where it is down and the agent's host or port answered; nothing as above.
    pub down_agents: Option<&'a Bits>,
    /// Where it is absent.
    pub absent: &'a Bits,
    /// It came by way of others, who might have forged it.
    pub relayed: bool,
}

/// What the matrix means from the place of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Who is judged: the roster without those who left, those whom nobody ever heard, and those whose agents are down.
    pub judged: Bits,
    /// Whose agent is down, as a valid row of my side shows, and nobody of my side hears it.
    pub agents_down: Bits,
    /// Who is connected to me by pairs that are not broken: my component.
    pub component: Bits,
    /// Who is connected to me by pairs that are joined. Never more than the component.
    pub joined: Bits,
    /// Who is connected to me by pairs that are joined, and not only by the word of a relayed row about one whose own row
    /// nobody has: it may say that it does not hear the other.
    pub counted: Bits,
    /// Whom a valid row of my component shows up or late.
    pub seen: Bits,
}

impl Verdict {
    /// Who is cut off from me for certain.
    pub fn outside(&self) -> Bits {
        self.judged.without(&self.component)
    }

    /// Who is cut off from me unless an unknown pair joins us.
    pub fn not_joined(&self) -> Bits {
        self.judged.without(&self.joined)
    }
}

/// Judges the valid rows (`None`: no valid row of that node) from the place of `me`, whose row is always valid.
/// `left`: who said goodbye.
pub fn judge(rows: &[Option<RowBits<'_>>], me: usize, left: &Bits) -> Verdict {
    let mut judged = who_is_judged(rows, me, left);
    let mut component = component_of(rows, me, &judged);
    let agents_down = whose_agents_are_down(rows, me, &component, &judged);
    if !agents_down.is_empty() {
        // What does not run joins nobody.
        judged.remove(&agents_down);
        component = component_of(rows, me, &judged);
    }
    let broken = |from: usize| rows[from].and_then(|row| row.broken);
    let joined = reach(&component, me, broken, |from, to| is_joined(rows, from, to));
    let counted = reach(&joined, me, broken, |from, to| is_joined(rows, from, to) && !is_hearsay(rows, from, to));
    let seen = seen_by(rows, &component);
    Verdict { judged, agents_down, component, joined, counted, seen }
}

fn component_of(rows: &[Option<RowBits<'_>>], me: usize, judged: &Bits) -> Bits {
    let surely_broken = |from: usize| rows[from].filter(|row| !row.relayed).and_then(|row| row.broken);
    let edge = |from, to| !is_surely_broken(rows, from, to) && !is_absent_for_one(rows, from, to);
    reach(judged, me, surely_broken, edge)
}

/// Whether for one of the pair, which is heard here, the other is absent, and the other says nothing itself.
fn is_absent_for_one(rows: &[Option<RowBits<'_>>], one: usize, other: usize) -> bool {
    match (rows[one], rows[other]) {
        (Some(row), None) => !row.relayed && row.absent.has(other),
        (None, Some(row)) => !row.relayed && row.absent.has(one),
        _ => false,
    }
}

/// Whom a valid row of these nodes shows up or late.
fn seen_by(rows: &[Option<RowBits<'_>>], nodes: &Bits) -> Bits {
    let mut seen = Bits::none(rows.len());
    for row in nodes.iter().filter_map(|owner| rows[owner]) {
        seen.add(row.ok);
    }
    seen
}

fn whose_agents_are_down(rows: &[Option<RowBits<'_>>], me: usize, side: &Bits, judged: &Bits) -> Bits {
    let mut down = Bits::none(rows.len());
    for agents in side.iter().filter_map(|owner| rows[owner]?.down_agents) {
        down.add(agents);
    }
    if !down.is_empty() {
        down.keep(judged);
        down.remove(&seen_by(rows, side));
        down.clear(me);
    }
    down
}

fn who_is_judged(rows: &[Option<RowBits<'_>>], me: usize, left: &Bits) -> Bits {
    let mut absent_everywhere = Bits::all(rows.len());
    for row in rows.iter().flatten() {
        absent_everywhere.keep(row.absent);
    }
    let mut judged = Bits::all(rows.len()).without(left).without(&absent_everywhere);
    judged.set(me);
    judged
}

/// Whether either direction of the pair is down.
pub fn is_broken(rows: &[Option<RowBits<'_>>], one: usize, other: usize) -> bool {
    let says = |owner: usize, peer| rows[owner].and_then(|row| row.broken).is_some_and(|broken| broken.has(peer));
    says(one, other) || says(other, one)
}

/// Whether either direction of the pair is down, and not only by a relayed row that says so of somebody whose own row is
/// heard. So no relay parts a node from those that this agent hears: what relays alone say is about pairs beyond them.
pub(super) fn is_surely_broken(rows: &[Option<RowBits<'_>>], one: usize, other: usize) -> bool {
    let is_relayed = |node: usize| rows[node].is_some_and(|row| row.relayed);
    let is_heard = |node: usize| rows[node].is_some_and(|row| !row.relayed);
    let says = |owner: usize, peer| {
        let broken = rows[owner].and_then(|row| row.broken).is_some_and(|broken| broken.has(peer));
        broken && !(is_relayed(owner) && is_heard(peer))
    };
    says(one, other) || says(other, one)
}

/// Whether the pair is not broken and either direction is ok.
pub fn is_joined(rows: &[Option<RowBits<'_>>], one: usize, other: usize) -> bool {
    let says = |owner: usize, peer| rows[owner].is_some_and(|row| row.ok.has(peer));
    (says(one, other) || says(other, one)) && !is_broken(rows, one, other)
}

/// Whether all that is known of the pair came by way of others, and from one of the two alone.
fn is_hearsay(rows: &[Option<RowBits<'_>>], one: usize, other: usize) -> bool {
    match (rows[one], rows[other]) {
        (Some(row), None) | (None, Some(row)) => row.relayed,
        _ => false,
    }
}

/// Who of `among` can be reached from `start` over `edge`s. `never`: to whom no edge leads from a node, as far as its own
/// row says so: in a cut these are half of all, and need not be looked at one by one.
fn reach<'a>(
    among: &Bits,
    start: usize,
    never: impl Fn(usize) -> Option<&'a Bits>,
    edge: impl Fn(usize, usize) -> bool,
) -> Bits {
    let mut reached = Bits::none(among.len());
    reached.set(start);
    let mut unreached = among.clone();
    unreached.clear(start);
    let mut left = unreached.count();
    let (mut frontier, mut possible) = (vec![start], Bits::default());
    while let Some(from) = frontier.pop().filter(|_| left > 0) {
        possible.clone_from(&unreached);
        if let Some(never) = never(from) {
            possible.remove(never);
        }
        for to in possible.iter().filter(|&to| edge(from, to)) {
            reached.set(to);
            unreached.clear(to);
            left -= 1;
            frontier.push(to);
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::super::row::{Cell, Cells};
    use super::*;
    use proptest::prelude::*;

    /// Rows from letters: `u` up, `l` late, `d` down, `a` down with its agent, `?` unknown, `.` absent; an empty string is no valid row.
    /// One that begins with `~` came by way of others.
    struct Rows(Vec<Option<(bool, [Bits; 4])>>);

    impl Rows {
        fn of(texts: &[&str]) -> Self {
            let row = |text: &str| {
                let cells = text.trim_start_matches('~');
                (cells != text, Self::bits(cells))
            };
            Self(texts.iter().map(|text| (!text.is_empty()).then(|| row(text))).collect())
        }

        fn bits(text: &str) -> [Bits; 4] {
            let mut cells = Cells::absent(text.len());
            for (index, letter) in text.chars().enumerate() {
                let cell = match letter {
                    'u' => Cell::Up,
                    'l' => Cell::Late,
                    'd' => Cell::Down,
                    'a' => Cell::DownAgent,
                    '?' => Cell::Unknown,
                    _ => Cell::Absent,
                };
                cells.set(index, cell);
            }
            [cells.ok(), cells.broken(), cells.down_agents(), cells.absent_ones()]
        }

        fn view((relayed, [ok, broken, down_agents, absent]): &(bool, [Bits; 4])) -> RowBits<'_> {
            let relayed = *relayed;
            RowBits { ok, broken: Some(broken), down_agents: Some(down_agents), absent, relayed }
        }

        fn judge(&self, me: usize) -> Verdict {
            judge(&self.views(), me, &Bits::none(self.0.len()))
        }

        fn views(&self) -> Vec<Option<RowBits<'_>>> {
            self.0.iter().map(|row| row.as_ref().map(Self::view)).collect()
        }
    }

    fn nodes(bits: &Bits) -> Vec<usize> {
        bits.iter().collect()
    }

    #[test]
    fn a_clean_cut_leaves_my_side_and_the_rest_as_one() {
        // 0,1,2 | 3,4: from 0 the rows of 3 and 4 are void.
        let rows = Rows::of(&["uuudd", "uuudd", "uuudd", "", ""]);
        assert_eq!(nodes(&rows.judge(0).component), [0, 1, 2]);
        assert_eq!(nodes(&rows.judge(0).outside()), [3, 4]);
    }

    #[test]
    fn one_ok_pair_keeps_two_sides_together() {
        let rows = Rows::of(&["uudd", "uuud", "", ""]);
        assert_eq!(nodes(&rows.judge(0).outside()), Vec::<usize>::new(), "2 is heard by 1, 3 may be heard by 2");
    }

    #[test]
    fn an_unknown_pair_makes_a_cut_possible_and_not_certain() {
        let rows = Rows::of(&["uu?", "uud", ""]);
        let verdict = rows.judge(0);
        assert!(verdict.outside().is_empty());
        assert_eq!(nodes(&verdict.not_joined()), [2]);
    }

    #[test]
    fn a_pair_is_broken_when_either_direction_is() {
        // 2 hears nobody, everybody hears 2.
        let rows = Rows::of(&["uuu", "uuu", "ddu"]);
        assert_eq!(nodes(&rows.judge(0).component), [0, 1]);
        assert_eq!(nodes(&rows.judge(2).component), [2]);
        assert!(rows.judge(0).seen.has(2), "it shows life");
    }

    #[test]
    fn who_is_down_with_its_agent_in_one_row_and_heard_by_nobody_is_not_judged() {
        let rows = Rows::of(&["uuda", "uudd", "", ""]);
        let verdict = rows.judge(0);
        assert_eq!((nodes(&verdict.agents_down), nodes(&verdict.outside())), (vec![3], vec![2]));
        assert_eq!(nodes(&rows.judge(1).agents_down), [3], "another's row tells as much as my own");
    }

    #[test]
    fn who_is_down_with_its_agent_and_heard_by_somebody_is_judged() {
        for heard in ["u", "l"] {
            let third = format!("uuu{heard}");
            let verdict = Rows::of(&["uuua", "uuua", &third, ""]).judge(0);
            assert!(verdict.agents_down.is_empty() && verdict.judged.has(3));
        }
    }

    #[test]
    fn what_the_rows_of_another_side_say_of_an_agent_does_not_count() {
        let rows = Rows::of(&["uudd", "uudd", "dduu", "ddau"]);
        assert!(rows.judge(0).agents_down.is_empty());
    }

    #[test]
    fn what_a_relay_alone_says_parts_nobody_from_those_whom_i_hear() {
        // 0 hears 1, and 1 hears 2; the row of 2 came by way of 1 and says that 2 hears nobody.
        let verdict = Rows::of(&["uud", "uuu", "~ddu"]).judge(0);
        assert!(verdict.outside().is_empty(), "not for certain");
        assert_eq!(nodes(&verdict.not_joined()), [2], "but it is not joined either");
        assert_eq!(nodes(&Rows::of(&["uud", "uuu", "ddu"]).judge(1).outside()), [2], "1 heard it itself");
    }

    #[test]
    fn a_relay_completes_a_cut_of_nodes_that_nobody_here_hears() {
        // 3 is down for 0 and 1; 2 is heard by 1 alone, and whether 2 hears 3 only a relay can say.
        let certain = |relayed| nodes(&Rows::of(&["uudd", "uuud", relayed, ""]).judge(0).outside());
        assert_eq!(certain(""), Vec::<usize>::new());
        assert_eq!(certain("~duuu"), Vec::<usize>::new());
        assert_eq!(certain("~duud"), [3]);
    }

    #[test]
    fn what_a_relay_says_of_one_whose_row_nobody_has_is_not_counted_on() {
        // 0 hears 1, and 1 hears 2; the row of 2 came by way of 1 and says that 2 hears 3.
        let verdict = |third: &str| Rows::of(&["uudd", "uuud", "~duuu", third]).judge(0);
        assert_eq!((nodes(&verdict("").joined), nodes(&verdict("").counted)), (vec![0, 1, 2, 3], vec![0, 1, 2]));
        assert_eq!(nodes(&verdict("~dduu").counted), [0, 1, 2, 3], "the row of 3 came too");
        let direct = Rows::of(&["uud", "uuu", ""]).judge(0);
        assert_eq!(nodes(&direct.counted), [0, 1, 2], "of 1, which is heard, the row of 2 can be had if there is one");
    }

    #[test]
    fn an_agent_that_is_down_joins_nobody() {
        // 2 would join 3 by what is unknown, if it ran.
        let rows = Rows::of(&["uuad", "uu?d", "", ""]);
        assert_eq!(nodes(&rows.judge(0).outside()), [3]);
    }

    #[test]
    fn for_whom_a_node_is_absent_does_not_join_it() {
        // 3 is down for 0 and 1. 2 started later and never heard it.
        let rows = Rows::of(&["uuud", "uuud", "uuu.", ""]);
        assert_eq!(nodes(&rows.judge(0).outside()), [3]);
        assert_eq!(nodes(&rows.judge(2).outside()), [3]);
        let answers = Rows::of(&["uuud", "uuud", "uuu.", "dduu"]);
        assert_eq!(nodes(&answers.judge(0).component), [0, 1, 2, 3], "3 hears it, and it may hear 3 any moment");
    }

    #[test]
    fn a_node_that_is_absent_in_every_row_is_not_judged() {
        let rows = Rows::of(&["uu.", "uu.", ""]);
        assert_eq!(nodes(&rows.judge(0).judged), [0, 1]);
    }

    proptest! {
        #[test]
        fn the_order_of_the_nodes_does_not_matter(
            letters in proptest::collection::vec(proptest::sample::select(vec!["u", "l", "d", "?", "."]), 36),
            valid in proptest::collection::vec(any::<bool>(), 6),
            order in Just((0..6_usize).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let text = |row: usize, places: &[usize]| -> String {
                if valid[row] || row == 0 { places.iter().map(|&place| letters[row * 6 + place]).collect() }
                else { String::new() }
            };
            let identity: Vec<usize> = (0..6).collect();
            let plain: Vec<String> = identity.iter().map(|&row| text(row, &identity)).collect();
            let shuffled: Vec<String> = order.iter().map(|&row| text(row, &order)).collect();
            let me = order.iter().position(|&node| node == 0).expect("0 is a node");
            let one = Rows::of(&plain.iter().map(String::as_str).collect::<Vec<_>>()).judge(0);
            let other = Rows::of(&shuffled.iter().map(String::as_str).collect::<Vec<_>>()).judge(me);
            let mut mapped: Vec<usize> = other.component.iter().map(|place| order[place]).collect();
            mapped.sort_unstable();
            prop_assert_eq!(nodes(&one.component), mapped);
        }

        #[test]
        fn a_certain_cut_survives_every_filling_of_unknown_cells(
            letters in proptest::collection::vec(proptest::sample::select(vec!["u", "d", "?"]), 25),
            filling in proptest::collection::vec(proptest::sample::select(vec!["u", "d"]), 25),
        ) {
            let rows = |fill: bool| -> Vec<String> {
                (0..5).map(|row| (0..5).map(|cell| {
                    let letter = letters[row * 5 + cell];
                    if fill && letter == "?" { filling[row * 5 + cell] } else { letter }
                }).collect()).collect()
            };
            let judge = |texts: Vec<String>| Rows::of(&texts.iter().map(String::as_str).collect::<Vec<_>>()).judge(0);
            prop_assert!(judge(rows(true)).outside().covers(&judge(rows(false)).outside()));
        }

        #[test]
        fn no_relay_parts_a_node_that_somebody_whom_i_hear_does_not_call_down(
            letters in proptest::collection::vec(proptest::sample::select(vec!["u", "d", "?"]), 36),
            kinds in proptest::collection::vec(0..3_usize, 6),
        ) {
            let text = |row: usize| match kinds[row] {
                _ if row == 0 => letters[..6].concat(),
                0 => String::new(),
                1 => letters[row * 6..row * 6 + 6].concat(),
                _ => format!("~{}", letters[row * 6..row * 6 + 6].concat()),
            };
            let texts: Vec<String> = (0..6).map(text).collect();
            let plain: Vec<&str> = texts.iter().map(String::as_str).collect();
            let direct: Vec<&str> = plain.iter().map(|text| if text.starts_with('~') { "" } else { text }).collect();
            let (all, direct) = (Rows::of(&plain).judge(0), Rows::of(&direct));
            let heard = |node: usize| node == 0 || direct.0[node].is_some();
            for node in all.outside().iter() {
                let near = (0..6).filter(|&other| heard(other) && all.component.has(other));
                let views = direct.views();
                prop_assert!(near.into_iter().all(|other| is_broken(&views, other, node)), "{node}: {texts:?}");
            }
        }

        #[test]
        fn nobody_is_outside_without_a_broken_pair(
            letters in proptest::collection::vec(proptest::sample::select(vec!["u", "l", "?", "."]), 25),
        ) {
            let texts: Vec<String> = (0..5).map(|row| letters[row * 5..row * 5 + 5].concat()).collect();
            let verdict = Rows::of(&texts.iter().map(String::as_str).collect::<Vec<_>>()).judge(0);
            prop_assert!(verdict.outside().is_empty());
        }
    }
}
