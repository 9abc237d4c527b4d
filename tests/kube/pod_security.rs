//! The level of Pod Security that the guide names for each overlay: its pods are admitted there, and at the next stricter one refused.
//! No controller makes pods here: a test makes them of the DaemonSets' templates.

use serde_json::{Value, json};

use crate::applied::{NAMESPACE, Site, site};
use crate::built::{Built, Level, all, one};
use crate::process::until;
use crate::schemas::with;

/// The pod that a DaemonSet makes.
fn pod_of(daemonset: &Value) -> Value {
    let template = &daemonset["spec"]["template"];
    let mut pod =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"], "spec": template["spec"]});
    pod["metadata"]["generateName"] = json!("agent-");
    pod["metadata"]["namespace"] = json!(NAMESPACE);
    pod
}

/// Whether a pod is let in. What else may be wrong with it is not taken for a refusal.
#[track_caller]
fn is_admitted(site: &Site, pod: &Value) -> bool {
    // The server has the classes of priority from a watch.
    until("the class of priority", || !site.create_pod(pod).1.contains("no PriorityClass"));
    let (status, answer) = site.create_pod(pod);
    match status {
        201 => true,
        403 if answer.contains("violates PodSecurity") => false,
        _ => panic!("{status} {answer}"),
    }
}

/// Lets into the namespace what this level does. The server has it from a watch: two pods tell when it has come.
fn enforce(site: &Site, level: Level) {
    site.enforce(level.as_str());
    let pod =
        |spec: Value| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "tells-"}, "spec": spec});
    let containers = json!([{"name": "c", "image": "example.internal/c:1"}]);
    // The one violates `baseline`, and both violate `restricted`.
    let host = pod(json!({"containers": containers, "hostNetwork": true}));
    let plain = pod(json!({"containers": containers}));
    let expected = [level == Level::Privileged, level != Level::Restricted];
    until("the level", || [&host, &plain].map(|pod| is_admitted(site, pod)) == expected);
}

/// The overlays whose level the guide says to be this.
fn of_level(all: &[Built], level: Level) -> impl Iterator<Item = (&Built, Value)> {
    let of_it = all.iter().filter(move |built| built.level == Some(level));
    of_it.map(|built| (built, pod_of(built.daemonset().unwrap())))
}

#[test]
fn pods_are_admitted_at_the_level_of_the_guide_and_refused_at_the_next() {
    let (Some(site), Some(all)) = (site(), all()) else { return };
    let mut judged = 0;
    for level in [Level::Privileged, Level::Baseline, Level::Restricted] {
        let pods: Vec<_> = of_level(all, level).collect();
        // The pods' class of priority has to be there.
        for (built, _) in &pods {
            site.apply_all(built);
        }
        enforce(&site, level);
        for (built, pod) in &pods {
            assert!(is_admitted(&site, pod), "{} at {level:?}", built.name);
        }
        if let Some(stricter) = level.stricter() {
            enforce(&site, stricter);
            for (built, pod) in &pods {
                assert!(!is_admitted(&site, pod), "{} at {stricter:?}: the guide asks for too much", built.name);
            }
        }
        judged += pods.len();
    }
    assert!(judged > 6, "the guide was read");
}

#[test]
fn a_pod_that_asks_for_more_than_ours_is_refused() {
    let (Some(site), Some(base)) = (site(), one("daemonset/base")) else { return };
    site.apply_all(base);
    enforce(&site, Level::Restricted);
    let right = pod_of(base.daemonset().unwrap());
    assert!(is_admitted(&site, &right));
    for (place, value) in [
        ("/spec/securityContext/runAsNonRoot", json!(false)),
        ("/spec/securityContext/runAsUser", json!(0)),
        ("/spec/securityContext/seccompProfile", json!(null)),
        ("/spec/securityContext/sysctls", json!([{"name": "net.core.somaxconn", "value": "1024"}])),
        ("/spec/containers/0/securityContext/allowPrivilegeEscalation", json!(true)),
        ("/spec/containers/0/securityContext/capabilities", json!({"drop": ["ALL"], "add": ["NET_RAW"]})),
        ("/spec/containers/0/ports/0", json!({"containerPort": 7475, "hostPort": 7475})),
        ("/spec/volumes/2", json!({"name": "log", "hostPath": {"path": "/var/log/netsplit"}})),
        ("/spec/hostPID", json!(true)),
    ] {
        assert!(!is_admitted(&site, &with(&right, place, &value)), "{place}");
    }
}
