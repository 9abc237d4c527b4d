//! Loss and links: what mere loss makes fall, and what it costs to make it rare.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use netsplit::detector::event::Event;
use netsplit::simulation::World;

use crate::{default_timing, for_each_seed, lossy, settled, verify};

fn links_fallen(world: &World) -> usize {
    let fallen = world.told().iter().map(|told| match &told.event {
        Event::LinkDown { links } => links.len(),
        _ => 0,
    });
    fallen.sum()
}

/// Links that fell by mere loss per million heartbeats, counted once the loss has been measured.
fn false_downs_per_million(loss: f64, time: Duration) -> f64 {
    let (hosts, downs) = (30, AtomicUsize::new(0));
    let seeds = 2;
    for_each_seed(seeds, |seed| {
        let mut world = settled(hosts, default_timing(), lossy(0.0), seed);
        world.set_conditions(lossy(loss));
        world.run_for(Duration::from_secs(180));
        world.forget_told();
        world.run_for(time);
        downs.fetch_add(links_fallen(&world), Ordering::Relaxed);
    });
    let links = (hosts * (hosts - 1)) as f64 * seeds as f64;
    let heartbeats = links * time.as_secs_f64() / (default_timing().period.as_secs_f64() * 7.0 / 8.0);
    downs.into_inner() as f64 * 1e6 / heartbeats
}

/// With three polls a window mere loss fells 0.8 links per million heartbeats at 20 % and 17 at 30 %, as measured here (and
/// by theory p · (1 − (1 − p)²)^6 at most, since the peer's own heartbeats help). With as many polls as the loss asks for it
/// is p · (1 − (1 − p)²)^24 at most: none in all that is sent here at 20 %, and 0.03 per million at 30 %. What is measured
/// strays around the true loss, so that some windows have fewer polls.
#[test]
fn mere_loss_fells_no_more_links_at_twenty_percent_than_at_one() {
    let time = verify::size(Duration::from_secs(600), Duration::from_secs(3600));
    for (loss, most) in [(0.05, 0.0), (0.1, 0.0), (0.2, 0.0), (0.3, 1.0)] {
        let fallen = false_downs_per_million(loss, time);
        assert!(fallen <= most, "at {loss}: {fallen} links of a million heartbeats");
    }
}
