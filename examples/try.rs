use netsplit::detector::settings::Timing;
use netsplit::simulation::*;
use std::time::Duration;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let n: usize = a[1].parse().unwrap();
    let k: usize = a[2].parse().unwrap();
    let loss: f64 = a[3].parse().unwrap();
    let t = Timing::of_period(Duration::from_secs(1));
    let mut w = World::started(n, t, Conditions { loss, ..Default::default() }, 1);
    w.run_for(Duration::from_secs(10));
    println!("datagrams {}", w.datagrams());
    let c = w.now();
    w.cut(&[(0..k).collect(), (k..n).collect()]);
    w.run_for(Duration::from_secs(8));
    let h = w.now();
    w.heal();
    w.run_for(Duration::from_secs(8));
    let _ = h;
    println!("datagrams {}", w.datagrams());
    for e in w.told() {
        println!(
            "{:8.3} {} {}",
            e.at.since_start().as_secs_f64() - c.since_start().as_secs_f64(),
            w.name(e.host),
            serde_json::to_string(&e.event).unwrap()
        );
    }
}
