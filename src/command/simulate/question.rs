//! What is asked: the arguments made into a scenario and the settings to be judged.

use std::time::Duration;

use netsplit::config::{self, Config, Discovery, Environment};
use netsplit::detector::settings::ModePolicy;
use netsplit::simulation::{Bursts, Conditions, Machine};

use super::amounts::{Pair, ThrottleText};
use super::cut::CutText;
use super::nodes::{Nodes, Zones};
use super::scenario::{Fault, Judged, Rhythm, Scenario, Throttle};
use super::{Arguments, WrongArguments};

/// How many nodes there are where nothing says so.
const USUAL_NODES: usize = 5;

/// How many clusters are played where something happens, so that a slow one among a hundred shows.
const USUAL_SEEDS: u64 = 10;

/// For how long a cluster is watched where nothing happens.
const HOUR: Duration = Duration::from_secs(3600);

/// For how long cuts come and go.
const FLAPPING: Duration = Duration::from_secs(600);

/// For how long a cut lasts.
const CUT: Duration = Duration::from_secs(30);

/// All that is asked.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) scenario: Scenario,
    pub(super) settings: Judged,
    /// Where the settings are from.
    pub(super) source: String,
    /// How soon everybody is to know.
    pub(super) want: Option<Duration>,
    /// What was taken for want of better, to be said beside the answer.
    pub(super) note: Option<String>,
}

impl Question {
    pub(super) fn of(arguments: &Arguments) -> anyhow::Result<Self> {
        refuse_without_faults(arguments)?;
        let config = arguments.config.as_deref().map(|file| config::read(file, &Environment::of_process()));
        let config = config.transpose()?.map(|loaded| loaded.config);
        let nodes = nodes(arguments, config.as_ref())?;
        let scenario = scenario(arguments, nodes)?;
        let (settings, source) = settings(arguments, config.as_ref())?;
        let note = config.and_then(|config| guessed(arguments, &config, scenario.nodes.len()));
        Ok(Self { scenario, settings, source, want: arguments.want, note })
    }
}

/// What says something of a cut means nothing without one.
fn refuse_without_faults(arguments: &Arguments) -> Result<(), WrongArguments> {
    let has_cut = !arguments.cuts.is_empty();
    let refusal = if arguments.cut_for.is_some() && !has_cut {
        "--cut-for says how long each --cut lasts, and there is none: write one, such as --cut '3|2', or leave --cut-for out"
    } else if arguments.want.is_some() && !has_cut && arguments.stalls.is_empty() {
        "--want says how soon a --cut or --stall is to be known, and there is none: write one, such as --cut '3|2', or \
         leave --want out"
    } else {
        return Ok(());
    };
    Err(WrongArguments(refusal.to_owned()))
}

/// A file that looks its nodes up does not say how many there are.
fn guessed(arguments: &Arguments, config: &Config, played: usize) -> Option<String> {
    let is_said = arguments.nodes.is_some() || arguments.zones.as_ref().is_some_and(|zones| zones.nodes().is_some());
    let found = match &config.discovery {
        Discovery::Static(_) => return None,
        Discovery::Dns(dns) => format!("looked up in the DNS ({})", dns.name),
        Discovery::Kubernetes(kubernetes) => format!("those of a Service of Kubernetes ({})", kubernetes.service),
    };
    let why = if arguments.cuts.iter().any(|cut| cut.nodes().is_some()) { ", as many as the cut has" } else { "" };
    (!is_said).then(|| {
        format!(
            "The nodes are {found}, which is not asked here: {played} nodes are played{why}; --nodes N plays as many as you \
             have."
        )
    })
}

/// Who there is: what was said first, then what the zones, a cut and the configuration say.
fn nodes(arguments: &Arguments, config: Option<&Config>) -> Result<Nodes, WrongArguments> {
    let by_zones = arguments.zones.as_ref().and_then(Zones::nodes);
    let by_cut = arguments.cuts.iter().find_map(CutText::nodes);
    let list = config.and_then(|config| match &config.discovery {
        Discovery::Static(list) => Some(list),
        Discovery::Dns(_) | Discovery::Kubernetes(_) => None,
    });
    if let (None, None, Some(list)) = (arguments.nodes, &arguments.zones, list) {
        let machine = |member: &netsplit::detector::settings::Member| Machine {
            name: member.name.clone(),
            zone: member.zone.clone(),
        };
        return Ok(Nodes::listed(list.iter().map(machine).collect())?);
    }
    let count = arguments.nodes.or(by_zones).or(list.map(Vec::len)).or(by_cut).unwrap_or(USUAL_NODES);
    Ok(Nodes::of(count, arguments.zones.as_ref())?)
}

fn settings(arguments: &Arguments, config: Option<&Config>) -> Result<(Judged, String), WrongArguments> {
    if let (Some(config), Some(file)) = (config, &arguments.config) {
        let settings = &config.settings;
        return Ok((Judged { timing: settings.timing, mode: settings.mode }, file.display().to_string()));
    }
    let name = arguments.profile.as_deref().unwrap_or("default");
    let profiles = config::profiles();
    let known = profiles.iter().find(|(known, _)| *known == name);
    let &(_, timing) = known.ok_or_else(|| {
        let names = profiles.map(|(name, _)| name);
        WrongArguments(format!("no profile is named `{name}`: write {}", names.join(", ")))
    })?;
    Ok((Judged { timing, mode: ModePolicy::default() }, format!("profile {name}")))
}

fn scenario(arguments: &Arguments, nodes: Nodes) -> Result<Scenario, WrongArguments> {
    let mut faults = Vec::new();
    for cut in &arguments.cuts {
        faults.push(Fault::Cut(cut.among(&nodes)?));
    }
    for stall in &arguments.stalls {
        faults.push(Fault::Stall { node: nodes.node(&stall.node)?, length: stall.length });
    }
    let throttles: Vec<Throttle> =
        arguments.throttles.iter().map(|text| throttle(text, &nodes)).collect::<Result<_, _>>()?;
    refuse_both(&faults, &throttles, &nodes)?;
    let rhythm = match arguments.flapping {
        Some(Pair(on, off)) => Rhythm::Flapping { on, off },
        None => Rhythm::Once(arguments.cut_for.unwrap_or(CUT)),
    };
    let usual = match rhythm {
        Rhythm::Flapping { .. } => FLAPPING,
        Rhythm::Once(_) if faults.is_empty() => HOUR,
        Rhythm::Once(_) => Duration::ZERO,
    };
    let seeds = arguments.seeds.unwrap_or(if faults.is_empty() { 1 } else { USUAL_SEEDS });
    Ok(Scenario {
        conditions: conditions(arguments),
        faults,
        rhythm,
        throttles,
        length: arguments.hours.unwrap_or(usual),
        seeds: arguments.seed..arguments.seed + seeds,
        nodes,
    })
}

fn conditions(arguments: &Arguments) -> Conditions {
    Conditions {
        loss: arguments.loss.0,
        bursts: arguments.bursts.map(|Pair(mean, pause)| Bursts { mean, pause }),
        delay: arguments.delay,
        jitter: arguments.jitter,
        ..Conditions::default()
    }
}

fn throttle(text: &ThrottleText, nodes: &Nodes) -> Result<Throttle, WrongArguments> {
    let chosen = match text.nodes.split_once(':') {
        _ if text.nodes == "all" => (0..nodes.len()).collect(),
        Some(("zone", zone)) => nodes.zone(zone)?,
        Some(("node", node)) => vec![nodes.node(node)?],
        _ => nodes.node_or_zone(&text.nodes)?,
    };
    Ok(Throttle { text: text.nodes.clone(), nodes: chosen, run: text.run, of: text.of })
}

/// A node that is both stalled and throttled would run freely after its stall.
fn refuse_both(faults: &[Fault], throttles: &[Throttle], nodes: &Nodes) -> Result<(), WrongArguments> {
    let is_throttled = |node: &usize| throttles.iter().any(|throttle| throttle.nodes.contains(node));
    let stalled =
        faults.iter().filter_map(|fault| if let Fault::Stall { node, .. } = fault { Some(node) } else { None });
    match stalled.into_iter().find(|node| is_throttled(node)) {
        Some(&node) => {
            let name = nodes.name(node);
            Err(WrongArguments(format!("{name} is in --stall and in --throttle: leave it out of one of the two")))
        }
        None => Ok(()),
    }
}
