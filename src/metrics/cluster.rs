//! The agent among the others: which one it is, what its side may do, and who counts.

use super::collector::Scrape;
use super::family::Family;
use super::sheet::Sheet;
use crate::detector::mode::Mode;

const BUILD_INFO: Family = Family::gauge("netsplit_build_info", &["version"], "Always 1: the version of this agent");
const ROSTER_SIZE: Family =
    Family::gauge("netsplit_roster_size", &[], "Nodes that belong to the cluster, this one included");
const COVERAGE_RATIO: Family =
    Family::gauge("netsplit_coverage_ratio", &[], "Share of the other nodes that this agent hears, 0 to 1");
const MODE: Family =
    Family::gauge("netsplit_mode", &["mode"], "1 for what this agent's side may do now, 0 for the rest");
const MODE_OVERRIDE: Family = Family::gauge(
    "netsplit_mode_override",
    &["mode"],
    "1 for what an operator put in the place of the mode; netsplit_mode is what the agent judges all the same",
);
const QUORUM: Family = Family::gauge(
    "netsplit_quorum",
    &[],
    "1 if this side has a majority of every electorate that counts; absent while that cannot be told",
);
const ELECTORATE_SIZE: Family = Family::gauge("netsplit_electorate_size", &[], "Nodes that count for the majority");
const ELECTORATE_MEMBERS: Family =
    Family::gauge("netsplit_electorate_members", &[], "Of those, how many are on this agent's side, itself included");
const VIEW_AGE: Family = Family::gauge(
    "netsplit_view_age_seconds",
    &[],
    "How old what is told here is: more than a few seconds are of an agent that does not run",
);

pub(super) const FAMILIES: &[Family] = &[
    BUILD_INFO,
    ROSTER_SIZE,
    COVERAGE_RATIO,
    MODE,
    MODE_OVERRIDE,
    QUORUM,
    ELECTORATE_SIZE,
    ELECTORATE_MEMBERS,
    VIEW_AGE,
];

pub(super) fn fill(sheet: &mut Sheet, scrape: &Scrape<'_>) {
    let view = &scrape.view;
    sheet.each(&BUILD_INFO, [([env!("CARGO_PKG_VERSION")], true)]);
    sheet.put(&ROSTER_SIZE, view.nodes.len());
    sheet.put(&COVERAGE_RATIO, view.coverage());
    let now = if scrape.is_stale { Mode::Starting } else { view.mode };
    sheet.each(&MODE, Mode::ALL.map(|mode| ([mode.as_str()], mode == now)));
    let overridden = view.overriding(scrape.calendar.now).filter(|_| !scrape.is_stale);
    sheet.each(&MODE_OVERRIDE, overridden.map(|overridden| ([overridden.mode.as_str()], true)));
    sheet.put_if_known(&QUORUM, view.quorum.filter(|_| !scrape.is_stale));
    sheet.put(&ELECTORATE_SIZE, view.electorate);
    sheet.put(&ELECTORATE_MEMBERS, view.members);
    sheet.put(&VIEW_AGE, scrape.calendar.now.since(view.at));
}
