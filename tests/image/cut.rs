//! Five pods of the image, within the limits of the manifest: they find each other, see a cut and its end, and answer what the
//! runbooks ask.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use tempfile::TempDir;

use crate::archive::Archive;
use crate::commands;
use crate::container::Container;
use crate::laboratory::agent::name;
use crate::laboratory::cluster::{Cluster, new_key};
use crate::laboratory::network::{Family, PORT};
use crate::laboratory::play;
use crate::laboratory::truth::Truth;
use crate::pod::{Limits, Pod};
use crate::{group, needs, seccomp};

const SIDES: [&[usize]; 2] = [&[1, 2, 3], &[4, 5]];

/// Within this a partition is decided, from the last datagram over the links that were cut (section 17 of the design), also by
/// agents that get 10 ms in each 100 ms; and what the processes of a real machine take beyond it.
const PARTITION: Duration = Duration::from_millis(4700 + 100);

/// The image, unpacked. `None`, with the reason told, where there is no image or nothing to run it with.
fn unpacked(archive: &Archive) -> Option<TempDir> {
    if Command::new("runc").arg("--version").output().is_err() || !Path::new(seccomp::FILE).exists() {
        needs::skip("there is no `runc`, or no profile of seccomp: install runc and buildah");
        return None;
    }
    let root = tempfile::tempdir().unwrap();
    archive.unpack(root.path());
    Some(root)
}

/// As on a node that never ran it: whoever reads the program first pays for its memory.
fn forget_the_program(root: &Path) {
    let program = File::open(root.join("bin/netsplit")).unwrap();
    program.sync_all().unwrap();
    posix_fadvise(&program, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).unwrap();
}

/// A pod on each node, of which none runs yet.
fn pods(cluster: &Cluster, archive: &Archive, root: &Path) -> Vec<Container> {
    // The processes of tests that were killed are gone by now.
    group::sweep();
    let key = new_key();
    let agent = |node: usize| format!("{}:{PORT}", cluster.network.address(node));
    let peers: Vec<(String, String)> = cluster.all().map(|node| (name(node), agent(node))).collect();
    let pod = |node: usize| {
        let pod = Pod {
            image: &archive.image,
            root,
            directory: cluster.node(node).directory().join("pod"),
            name: cluster.network.namespace(node),
            node: name(node),
            address: cluster.network.address(node),
            host: cluster.network.host(node).expect("nodes below the pods"),
            peers: &peers,
            key: &key,
        };
        Container::of(&pod)
    };
    cluster.all().map(pod).collect()
}

/// Cuts and heals; all of it is told in time.
fn cut_and_heal(cluster: &mut Cluster, pods: &[Container]) {
    let truth = Truth(&SIDES);
    cluster.cut(&SIDES);
    truth.is_told(cluster);
    for node in cluster.all() {
        let word = cluster.words_of(node).into_iter().find(|word| word.is("partition_opened")).unwrap();
        let took = Duration::from_secs_f64(word.line["detection_seconds"].as_f64().unwrap());
        eprintln!("{} named the cut after {took:.3?}", name(node));
        assert!(took <= PARTITION, "{} took {took:?}, more than {PARTITION:?}", name(node));
    }
    commands::work_in_a_cut(&pods[4]);
    cluster.heal();
    truth.is_healed(cluster);
}

/// Nothing is allowed that the manifest does not allow.
fn is_locked_in(pod: &Container) {
    let right = [
        ("Uid", "65532 65532 65532 65532"),
        ("Gid", "65532 65532 65532 65532"),
        ("Groups", "65532"),
        ("CapPrm", "0000000000000000"),
        ("CapEff", "0000000000000000"),
        ("CapBnd", "0000000000000000"),
        ("NoNewPrivs", "1"),
        // A filter.
        ("Seccomp", "2"),
    ];
    for (field, value) in right {
        assert_eq!(pod.status(field), value, "{field}");
    }
    let mut writable = pod.writable();
    writable.retain(|place| !["/proc", "/dev"].iter().any(|usual| place.starts_with(usual)));
    writable.sort();
    assert_eq!(writable, ["/var/lib/netsplit", "/var/log"]);
}

/// What the limits came to.
fn is_within_its_limits(node: usize, pod: &Container) {
    let (group, limits) = (pod.group(), Limits::of_the_manifest());
    let peak = group.memory_peak.map_or("unknown".to_owned(), |peak| format!("{} kB", peak / 1000));
    eprintln!(
        "{}: memory of the container at most {peak} (limit {} kB), of the agent {}; processor {:.2?}, throttled in {} of {} \
         periods ({:.0} %)",
        name(node),
        group.memory_limit / 1000,
        pod.status("VmHWM"),
        group.busy,
        group.throttled,
        group.periods,
        group.share_throttled() * 100.0,
    );
    assert_eq!(group.memory_limit, limits.memory, "the limit is enforced");
    assert_eq!(group.quota.as_micros() * 1000, group.period.as_micros() * u128::from(limits.cpu), "{group:?}");
    assert_eq!(group.killed, 0, "nothing was killed for its memory");
    assert!(group.memory_peak.is_none_or(|peak| peak < limits.memory), "{group:?}");
}

#[test]
fn five_pods_see_a_cut_and_its_end_within_their_limits() {
    let Some(archive) = Archive::of_this_machine() else { return };
    let Some(root) = unpacked(&archive) else { return };
    play(5, Family::Overlay, |cluster| {
        forget_the_program(root.path());
        let pods = pods(cluster, &archive, root.path());
        for node in cluster.all() {
            cluster.start_as(node, pods[node - 1].start());
        }
        cluster.settled();
        let start = cluster.words.now();
        let before: Vec<Duration> = pods.iter().map(|pod| pod.group().busy).collect();
        cluster.listen(Duration::from_secs(10));
        let time = cluster.words.now().since(start);
        for (pod, before) in pods.iter().zip(before) {
            let busy = pod.group().busy.saturating_sub(before);
            eprintln!("at rest: {:.2} % of a core", busy.div_duration_f64(time) * 100.0);
        }
        pods.iter().for_each(is_locked_in);
        cut_and_heal(cluster, &pods);
        commands::work_at_rest(&pods[0], &archive);
        for (node, pod) in (1..).zip(&pods) {
            is_within_its_limits(node, pod);
            let log = fs::read_to_string(&pod.log).unwrap();
            assert!(log.contains("partition_opened") && log.contains("partition_closed"), "{log}");
        }
        cluster.all().for_each(|node| cluster.terminate(node));
    });
}
