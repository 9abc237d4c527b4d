//! Every overlay as it is built, without a cluster: it is the same each time, it holds together, and what commands lean on is in it
//! by its name. What the sources say, and what is in commands, is of `tests/runbooks`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::built::{Built, all, list, one, text};

/// What the guide has the reader create.
const SECRET: &str = "network-partition-detector-keys";

/// The names that runbooks use, without and with the suffix of the agents in the nodes' network.
const NAME: &str = "network-partition-detector";

fn pod(daemonset: &Value) -> &Value {
    &daemonset["spec"]["template"]["spec"]
}

fn containers(daemonset: &Value) -> impl Iterator<Item = &Value> {
    ["containers", "initContainers"].into_iter().flat_map(|kind| list(&pod(daemonset)[kind]))
}

/// The images that say no version: without a tag, or with the one that is another every day.
fn vague_images(daemonset: &Value) -> Vec<&str> {
    let images = containers(daemonset).map(|container| text(&container["image"]));
    let is_vague = |image: &&str| {
        let tag = image.rsplit('/').next().and_then(|last| last.split_once(':')).map(|(_, tag)| tag);
        !image.contains("@sha256:") && matches!(tag, None | Some("" | "latest"))
    };
    images.filter(is_vague).collect()
}

/// The namespace's objects that it names and does not have.
fn dangling(built: &Built, daemonset: &Value) -> Vec<String> {
    let pod = pod(daemonset);
    let volumes = || list(&pod["volumes"]);
    let mut named =
        vec![("ServiceAccount", text(&pod["serviceAccountName"])), ("PriorityClass", text(&pod["priorityClassName"]))];
    named.extend(volumes().filter_map(|volume| Some(("ConfigMap", volume["configMap"]["name"].as_str()?))));
    named.extend(volumes().filter_map(|volume| Some(("Secret", volume["secret"]["secretName"].as_str()?))));
    for binding in built.of_kind("RoleBinding") {
        named.push((text(&binding["roleRef"]["kind"]), text(&binding["roleRef"]["name"])));
        named.extend(list(&binding["subjects"]).map(|subject| (text(&subject["kind"]), text(&subject["name"]))));
    }
    let configuration = configuration(built);
    named.push(("Service", text(&configuration["peers"]["discovery"]["kubernetes"]["service"])));
    let is_there =
        |&(kind, name): &(&str, &str)| built.named(kind, name).is_some() || (kind, name) == ("Secret", SECRET);
    named.into_iter().filter(|object| !is_there(object)).map(|(kind, name)| format!("{kind} {name}")).collect()
}

/// What its agents are told.
fn configuration(built: &Built) -> Value {
    let map = built.of_kind("ConfigMap").next().unwrap();
    serde_yaml::from_str(text(&map["data"]["netsplit.yaml"])).unwrap()
}

/// Whether pods with these labels are chosen by those.
fn chooses(selector: &Value, labels: &Value) -> bool {
    let selector = selector.as_object().unwrap();
    !selector.is_empty() && selector.iter().all(|(key, value)| labels[key] == *value)
}

/// What of the node its pods use: directories, and ports.
fn of_the_node(daemonset: &Value) -> BTreeSet<String> {
    let paths = list(&pod(daemonset)["volumes"]).filter_map(|volume| volume["hostPath"]["path"].as_str());
    let ports = containers(daemonset).flat_map(|container| list(&container["ports"]));
    let ports = ports.filter_map(|port| Some(format!("{} {}", text(&port["protocol"]), port["hostPort"].as_u64()?)));
    paths.map(str::to_owned).chain(ports).collect()
}

/// Kind and name of each object.
fn objects(built: &Built) -> BTreeSet<(&str, &str)> {
    built.objects.iter().map(|object| (text(&object["kind"]), text(&object["metadata"]["name"]))).collect()
}

/// Those with agents, each with its DaemonSet.
fn with_agents() -> Option<Vec<(&'static Built, &'static Value)>> {
    let found: Vec<_> = all()?.iter().filter_map(|built| Some((built, built.daemonset()?))).collect();
    assert!(found.len() > 6, "the guide was read");
    Some(found)
}

#[test]
fn every_overlay_is_built_the_same_wherever_it_lies() {
    let Some(all) = all() else { return };
    for built in all {
        assert!(built.objects.len() > 5, "{} was built", built.name);
        assert_eq!(built.texts[0], built.texts[1], "{}", built.name);
    }
}

#[test]
fn every_image_says_its_version() {
    let Some(all) = with_agents() else { return };
    for (built, daemonset) in &all {
        assert_eq!(vague_images(daemonset), Vec::<&str>::new(), "{}", built.name);
    }
    for vague in ["netsplit", "netsplit:latest", "registry:5000/netsplit"] {
        let mut daemonset = all[0].1.clone();
        daemonset["spec"]["template"]["spec"]["containers"][0]["image"] = json!(vague);
        assert_eq!(vague_images(&daemonset), [vague]);
    }
}

#[test]
fn the_image_of_the_reader_takes_the_place_of_ours() {
    let Some(production) = one("production") else { return };
    let images: Vec<&str> =
        containers(production.daemonset().unwrap()).map(|container| text(&container["image"])).collect();
    assert!(
        matches!(images[..], [image] if image.starts_with("registry.example.internal/netsplit:0.1.0-")),
        "{images:?}"
    );
    assert_eq!(configuration(production)["cluster"], "production");
}

#[test]
fn the_two_at_once_that_the_guide_shows_are_both() {
    let [Some(both), Some(large), Some(persistent)] =
        ["shown-0", "daemonset/overlays/large", "daemonset/overlays/persistent"].map(one)
    else {
        return;
    };
    let [both, large, persistent] = [both, large, persistent].map(|built| built.daemonset().unwrap());
    assert_eq!(pod(both)["containers"], pod(large)["containers"]);
    assert_eq!(both["spec"]["minReadySeconds"], large["spec"]["minReadySeconds"]);
    assert_eq!(pod(both)["volumes"], pod(persistent)["volumes"]);
    assert_eq!(pod(both)["securityContext"], pod(persistent)["securityContext"]);
}

#[test]
fn what_an_overlay_names_is_in_it_or_the_secret_of_the_guide() {
    let Some(all) = with_agents() else { return };
    for (built, daemonset) in &all {
        assert_eq!(dangling(built, daemonset), Vec::<String>::new(), "{}", built.name);
        let labels = &daemonset["spec"]["template"]["metadata"]["labels"];
        assert!(chooses(&daemonset["spec"]["selector"]["matchLabels"], labels), "{}", built.name);
        for service in built.of_kind("Service") {
            assert!(chooses(&service["spec"]["selector"], labels), "{}", built.name);
        }
        for policy in built.of_kind("NetworkPolicy") {
            assert!(chooses(&policy["spec"]["podSelector"]["matchLabels"], labels), "{}", built.name);
        }
    }
    let (built, mut daemonset) = (all[0].0, all[0].1.clone());
    daemonset["spec"]["template"]["spec"]["serviceAccountName"] = json!("nobody");
    assert_eq!(dangling(built, &daemonset), ["ServiceAccount nobody"]);
}

#[test]
fn what_runbooks_name_is_named_so() {
    let Some(all) = with_agents() else { return };
    let mut suffixes = BTreeSet::new();
    for (built, daemonset) in all {
        let suffix = text(&daemonset["metadata"]["name"]).strip_prefix(NAME).unwrap();
        suffixes.insert(suffix);
        for object in &built.objects {
            let is_everywhere = object["kind"] == "PriorityClass";
            let namespace = object["metadata"]["namespace"].as_str();
            assert_eq!(namespace, (!is_everywhere).then_some("observability"), "{}: {}", built.name, object["kind"]);
        }
        let labels = &daemonset["spec"]["template"]["metadata"]["labels"];
        assert_eq!(labels["app"], format!("{NAME}{suffix}"), "{}", built.name);
        for kind in ["ConfigMap", "Role", "RoleBinding", "ServiceAccount", "Service"] {
            assert!(built.named(kind, &format!("{NAME}{suffix}")).is_some(), "{}: {kind}", built.name);
        }
        assert!(built.named("Service", &format!("{NAME}-local{suffix}")).is_some(), "{}", built.name);
        let container = &pod(daemonset)["containers"][0];
        assert_eq!(container["name"], "agent");
        assert_eq!(
            daemonset["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"],
            "agent"
        );
        // `kubectl exec POD -- cat /var/log/partition-events.log`
        let log = list(&container["volumeMounts"]).find(|mount| mount["mountPath"] == "/var/log").unwrap();
        assert_ne!(log["readOnly"], true, "{}", built.name);
        let path = &configuration(built)["audit"]["path"];
        assert!(path == "/var/log/partition-events.log" || path.is_null(), "{}: {path}", built.name);
    }
    assert_eq!(suffixes, BTreeSet::from(["", "-host"]));
}

#[test]
fn agents_side_by_side_on_a_node_share_no_directory_no_port_and_no_object() {
    let Some(all) = with_agents() else { return };
    let name = |daemonset: &Value| daemonset["metadata"]["name"].clone();
    let mut pairs = 0;
    for (one, daemonset) in &all {
        for (other, other_daemonset) in all.iter().filter(|(_, other)| name(other) != name(daemonset)) {
            pairs += 1;
            let ours = of_the_node(daemonset);
            let theirs = of_the_node(other_daemonset);
            let shared: Vec<&String> = ours.intersection(&theirs).collect();
            assert_eq!(shared, Vec::<&String>::new(), "{} and {}", one.name, other.name);
            assert!(objects(one).is_disjoint(&objects(other)), "{} and {}", one.name, other.name);
        }
    }
    assert!(pairs > 8, "some were compared");
    let (_, persistent) = all.iter().find(|(built, _)| built.name.ends_with("/persistent")).unwrap();
    assert_eq!(of_the_node(persistent), BTreeSet::from(["/var/lib/netsplit", "/var/log/netsplit"].map(str::to_owned)));
}

/// The kinds of volumes that `restricted-v2` allows, by its documentation.
const VOLUMES: [&str; 8] =
    ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];

/// What `restricted-v2` would refuse: it gives users and groups itself.
fn refused_by_openshift(daemonset: &Value) -> Vec<String> {
    let pod = pod(daemonset);
    let contexts =
        || [&pod["securityContext"]].into_iter().chain(containers(daemonset).map(|it| &it["securityContext"]));
    let fixed = ["runAsUser", "runAsGroup", "fsGroup", "supplementalGroups"];
    let mut refused: Vec<String> = contexts()
        .flat_map(|context| fixed.into_iter().filter(|key| !context[*key].is_null()))
        .map(str::to_owned)
        .collect();
    refused
        .extend(["hostNetwork", "hostPID", "hostIPC"].into_iter().filter(|key| pod[*key] == true).map(str::to_owned));
    let is_allowed = |volume: &&Value| VOLUMES.iter().any(|kind| !volume[kind].is_null());
    refused.extend(list(&pod["volumes"]).filter(|volume| !is_allowed(volume)).map(Value::to_string));
    refused.extend(of_the_node(daemonset));
    refused
}

#[test]
fn the_overlay_for_openshift_leaves_users_and_groups_to_it() {
    let (Some(openshift), Some(base)) = (one("daemonset/overlays/openshift"), one("daemonset/base")) else { return };
    assert_eq!(refused_by_openshift(openshift.daemonset().unwrap()), Vec::<String>::new());
    assert_eq!(refused_by_openshift(base.daemonset().unwrap()), ["runAsUser", "runAsGroup", "fsGroup"]);
}
