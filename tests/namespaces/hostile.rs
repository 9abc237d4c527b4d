//! Datagrams that no agent sent, or sent before: they change nothing, and heartbeats go on.

use std::net::UdpSocket;

use crate::laboratory::cluster::{Cluster, any_verdict};
use crate::laboratory::network::Family;
use crate::laboratory::play;
use crate::tap::Tap;

/// Everything wrong that can be made of heartbeats that were overheard.
fn wrong(heard: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    // Replayed.
    all.extend(heard.iter().chain(heard).cloned());
    for good in heard {
        // Forged: the right header, and a tag that no key made.
        all.push(good.iter().enumerate().map(|(at, &byte)| if at < good.len() - 16 { byte } else { !byte }).collect());
        // Truncated, and followed by more.
        all.extend((0..good.len()).map(|size| good[..size].to_vec()));
        all.push(good.iter().copied().chain([0]).collect());
        // One bit wrong, wherever it is.
        all.extend((0..good.len()).map(|at| {
            let flip = |(place, &byte): (usize, &u8)| if place == at { byte ^ 1 << (at % 8) } else { byte };
            good.iter().enumerate().map(flip).collect()
        }));
    }
    // Noise, of every size that passes an Ethernet.
    let mut noise = 0_u64;
    all.extend((0..1400).step_by(7).map(|size| {
        let next = |_| {
            // Knuth's MMIX: any noise will do, and the same one helps whoever looks for a failure.
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            noise.to_be_bytes()[0]
        };
        (0..size).map(next).collect()
    }));
    all
}

fn send_all(cluster: &Cluster, from: &UdpSocket, datagrams: &[Vec<u8>]) {
    for datagram in datagrams {
        from.send_to(datagram, cluster.network.agent(1)).unwrap();
    }
}

#[test]
fn what_is_forged_replayed_or_truncated_changes_nothing_and_heartbeats_go_on() {
    play(3, Family::V4, |cluster| {
        cluster.settle();
        let heard = Tap::on(&cluster.network, 1).heartbeats(cluster.network.address(2), 5);
        let mut answers = Tap::on(&cluster.network, 2);
        for from in [2, cluster.stranger()] {
            send_all(cluster, &cluster.network.socket(from), &wrong(&heard));
            answers.heartbeats(cluster.network.address(1), 3);
        }
        cluster.hears_no("anything at all", |_| true, any_verdict());
    });
}
