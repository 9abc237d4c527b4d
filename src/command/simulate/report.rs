//! The answer as people read it.

use std::fmt::Write as _;
use std::time::Duration;

use netsplit::config::Human;

use super::advice::{Advice, bytes};
use super::answer::Answer;
use super::outcome::{Outcome, Times, Told, Traffic};
use super::poisson::Rate;
use super::scenario::{Fault, Rhythm, Scenario};
use crate::command::budget::partition_budget;
use crate::command::words;

/// How wide lines are that are folded.
const WIDTH: usize = 100;

/// All of it.
pub(super) fn text(answer: &Answer<'_>) -> String {
    let mut text = head(answer);
    let faults = answer.question.scenario.faults.iter().zip(&answer.outcome.faults);
    faults.for_each(|(fault, told)| text.push_str(&self::fault(answer, fault, told)));
    text.push_str(&standing(answer.outcome, scenario_agents(answer)));
    text.push_str(&alarms(answer.outcome));
    text.push_str(&traffic(answer.outcome));
    text.push_str(&advice(answer));
    text
}

/// Seconds as they are shown, to the hundredth.
pub(super) fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}

fn head(answer: &Answer<'_>) -> String {
    let scenario = &answer.question.scenario;
    let timing = answer.question.settings.timing_at(&scenario.nodes);
    let configured = answer.question.settings.timing.period;
    let stretched = if timing.period > configured {
        format!(" ({} in a small cluster: the cap on heartbeats makes it longer here)", Human(configured))
    } else {
        String::new()
    };
    let lines = [
        ("Cluster", format!("{}{}", cluster(scenario), conditions(scenario))),
        ("Played", played(answer.outcome, scenario)),
        (
            "Settings",
            format!(
                "{}: period {}{stretched}, timeout {}, confirm period {}, {} failures; a link is down within {}, a cut told \
                 within {}",
                answer.question.source,
                Human(timing.period),
                Human(timing.timeout),
                Human(timing.confirm_period),
                timing.failure_threshold,
                seconds(timing.detection_bound()),
                seconds(partition_budget(&timing)),
            ),
        ),
    ];
    lines.iter().map(|(name, text)| words::fold(&format!("{name:<10}"), text, WIDTH, 10)).collect()
}

fn cluster(scenario: &Scenario) -> String {
    let zones = scenario.nodes.zones();
    let listed: Vec<String> = zones.iter().take(10).map(|(zone, size)| format!("{zone} {size}")).collect();
    match zones.len() {
        0 => words::nodes(scenario.nodes.len()),
        count => format!(
            "{} in {count} zone{} ({}{})",
            words::nodes(scenario.nodes.len()),
            if count == 1 { "" } else { "s" },
            listed.join(", "),
            if count > 10 { ", …" } else { "" },
        ),
    }
}

fn conditions(scenario: &Scenario) -> String {
    let conditions = &scenario.conditions;
    let loss = (conditions.loss > 0.0).then(|| format!("{} % loss", percent(conditions.loss)));
    let bursts = conditions
        .bursts
        .map(|bursts| format!("bursts of loss of {} every {} on the average", Human(bursts.mean), Human(bursts.pause)));
    let delay = format!("delay {} to {}", Human(conditions.delay), Human(conditions.delay + conditions.jitter));
    let throttles = scenario
        .throttles
        .iter()
        .map(|throttle| format!("{} runs {} of every {}", throttle.text, Human(throttle.run), Human(throttle.of)));
    let all = [loss, bursts, Some(delay)].into_iter().flatten().chain(throttles);
    all.fold(String::new(), |text, part| text + ", " + &part)
}

fn percent(share: f64) -> String {
    let text = format!("{:.3}", share * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn played(outcome: &Outcome, scenario: &Scenario) -> String {
    let seeds = &scenario.seeds;
    let time = words::span(outcome.judged);
    match outcome.runs {
        1 => format!("one cluster, seed {}, {time} of virtual time", seeds.start),
        runs => format!("{runs} clusters, seeds {} to {}, {time} of virtual time in all", seeds.start, seeds.end - 1),
    }
}

fn fault(answer: &Answer<'_>, fault: &Fault, told: &Told) -> String {
    let scenario = &answer.question.scenario;
    let timing = answer.question.settings.timing_at(&scenario.nodes);
    let truth = fault.truth(&scenario.nodes, &timing);
    let length = Human(fault.length(scenario.rhythm));
    let flaps = if let Rhythm::Flapping { off, .. } = scenario.rhythm {
        format!(", then {} whole", Human(off))
    } else {
        String::new()
    };
    let mut text = format!("\n{}: {} × {length}{flaps}\n", capital(&answer.name(fault)), told.rounds);
    text.push_str(&verdict(told));
    for right in truth.words(&scenario.nodes) {
        text.push_str(&words::fold("    ", &right, WIDTH, 6));
    }
    text.push_str(&named_otherwise(told));
    let bounds = (seconds(timing.detection_bound()), seconds(truth.bound()));
    text.push_str(&times(told, &bounds));
    if matches!(fault, Fault::Cut(_)) {
        let _ = writeln!(text, "  {} of {} agents might write when it ended", told.writers, told.agents);
    }
    text
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn verdict(told: &Told) -> String {
    if told.owed == 0 {
        return format!("  – it does not last long enough to be told; {} agents said something wrong\n", told.wrong);
    }
    let mark = if told.right == told.owed && told.wrong == 0 { '✓' } else { '✗' };
    let share = format!("  {mark} {} of {} agents told what is right, and nothing else:\n", told.right, told.owed);
    let excused = if told.excused > 0 {
        format!("    (it does not last long enough for {} others to have to)\n", told.excused)
    } else {
        String::new()
    };
    if mark == '✓' {
        return share + &excused;
    }
    format!(
        "{share}{excused}    ({} said something else at some moment, {} were silent or wrong when it ended)\n",
        told.wrong, told.silent
    )
}

fn named_otherwise(told: &Told) -> String {
    let mut text = String::new();
    if !told.wrong_words.is_empty() {
        let mut words = told.wrong_words.clone();
        words.sort_unstable();
        words.dedup();
        text.push_str(&words::fold("    said instead: ", &words.join("; "), WIDTH, 6));
    }
    if told.named_twice > 0 {
        let _ =
            writeln!(text, "    in {} of {} rounds agents called it by different ids", told.named_twice, told.rounds);
    }
    text
}

fn times(told: &Told, bounds: &(String, String)) -> String {
    let rows = [
        ("links down after", &told.links, bounds.0.as_str()),
        ("agents told it after", &told.tellings, bounds.1.as_str()),
        ("its end after", &told.ends, "–"),
    ];
    let mut text = format!("  {:<22}{:>10}{:>10}{:>10}{:>10}{:>10}\n", "", "median", "p99", "max", "bound", "count");
    for (what, times, bound) in rows.into_iter().filter(|(_, times, _)| !times.is_empty()) {
        let times = Times::of(times.clone());
        let [median, p99, max] =
            [times.percentile(50), times.percentile(99), times.max()].map(|time| time.map_or("–".to_owned(), seconds));
        let _ = writeln!(text, "  {what:<22}{median:>10}{p99:>10}{max:>10}{bound:>10}{:>10}", times.count());
    }
    if told.unended > 0 {
        let _ = writeln!(text, "  {} agents had not told the end when it came again", told.unended);
    }
    text
}

/// How many agents there were in all clusters together.
fn scenario_agents(answer: &Answer<'_>) -> u64 {
    answer.outcome.agents(answer.question.scenario.nodes.len())
}

/// Who could tell nothing, or was wrong about a cluster that is whole, however quiet it was about it.
fn standing(outcome: &Outcome, agents: u64) -> String {
    let mut text = String::new();
    for (modes, when) in outcome.amiss.iter().zip(["when the judging began", "at the end"]) {
        let mute = modes.mute();
        if mute > 0 {
            let _ = writeln!(text, "✗ {mute} of {agents} agents could tell nothing {when} (mode starting)");
        }
        let mistaken = modes.mistaken();
        if mistaken > 0 {
            let modes = modes.mistaken_words();
            let _ =
                writeln!(text, "✗ {mistaken} of {agents} agents took a whole cluster for cut {when} (mode {modes})");
        }
    }
    if text.is_empty() { text } else { format!("\n{text}") }
}

fn alarms(outcome: &Outcome) -> String {
    let alarms = outcome.alarms;
    let mut text = format!("\nTold without a reason, in {} of virtual time\n", words::span(outcome.judged));
    let _ = writeln!(text, "  {:<22}{:>10}{:>10}   95 % confidence", "", "times", "a day");
    let rows = [
        ("partitions", alarms.partitions),
        ("nodes silent or down", alarms.nodes),
        ("agents blind", alarms.blind),
        ("links down", alarms.links),
    ];
    for (what, count) in rows {
        let rate = Rate::of(count, outcome.judged);
        let interval = if count == 0 {
            format!("below {} a day", figures(rate.to))
        } else {
            format!("{} to {} a day", figures(rate.from), figures(rate.to))
        };
        let _ = writeln!(text, "  {what:<22}{count:>10}{:>10}   {interval}", figures(rate.per_day));
    }
    text
}

/// A number with as many digits as matter.
fn figures(number: f64) -> String {
    match number {
        0.0 => "0".to_owned(),
        number if number < 10.0 => format!("{number:.2}"),
        number if number < 100.0 => format!("{number:.1}"),
        number => format!("{number:.0}"),
    }
}

fn traffic(outcome: &Outcome) -> String {
    let row = |what: &str, of: &Traffic| {
        let (sent, most) =
            (bytes(of.bytes_per_second()), words::as_number(usize::try_from(of.most).unwrap_or(usize::MAX)));
        let datagrams = of.datagrams_per_second();
        format!("  {what:<22}{datagrams:>8.1}/s{sent:>14}   at most {} in one second\n", bytes(most).replace("/s", ""))
    };
    let mut text = "\nEach agent sends, with the headers of UDP and IPv4, and receives as much\n".to_owned();
    text.push_str(&row("while nothing is cut", &outcome.whole));
    if !outcome.cut.time.is_zero() {
        text.push_str(&row("while something is", &outcome.cut));
    }
    text
}

fn advice(answer: &Answer<'_>) -> String {
    let mut text = "\nSettings to change\n".to_owned();
    if answer.advice.is_empty() {
        let wish = match (answer.question.want, answer.wish_is_met()) {
            (Some(want), Some(true)) => format!(", and a cut is told within the {} that are wanted", Human(want)),
            _ => String::new(),
        };
        let nothing = if answer.is_fine() {
            format!("none: nothing was told without a reason{wish}")
        } else {
            "none that would help is known: what is wrong here does not come from timing or mode".to_owned()
        };
        text.push_str(&words::fold("  ", &nothing, WIDTH, 2));
    }
    answer.advice.iter().for_each(|advice| text.push_str(&piece(advice)));
    text
}

fn piece(advice: &Advice) -> String {
    let settings = advice.settings.join(", ");
    let mut text = words::fold(
        "  ",
        &format!("{}: {}", if advice.helps { "→" } else { "✗ tried, and not enough" }, settings),
        WIDTH,
        4,
    );
    text.push_str(&words::fold("    because ", &advice.why, WIDTH, 4));
    for figure in &advice.figures {
        let _ = writeln!(text, "    {:<36}{:>12} → {}", figure.what, figure.before, figure.after);
    }
    text
}
