//! What `daemonset/` says, as far as commands lean on it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::pages::{read, root};

/// The objects that the manifests make, and what they need.
pub(crate) struct Manifests {
    /// The namespace that everything is in.
    pub(crate) namespace: String,
    /// Kind in lower case, and name.
    objects: BTreeSet<(String, String)>,
    /// `key=value` of the labels of pods.
    labels: BTreeSet<String>,
    daemonset: Value,
    role: Value,
    services: Vec<Value>,
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The documents of a YAML file.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    serde_yaml::from_multiple(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Those that a kustomization lists, each with its documents.
fn resources(directory: &str) -> (Value, Vec<Value>) {
    let kustomization = documents(&read(&format!("{directory}/kustomization.yaml"))).remove(0);
    let files =
        list(&kustomization["resources"]).filter_map(Value::as_str).filter(|name| name.strip_suffix(".yaml").is_some());
    let objects = files.flat_map(|file| documents(&read(&format!("{directory}/{file}")))).collect();
    (kustomization, objects)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

impl Manifests {
    pub(crate) fn read() -> Self {
        let (base, made) = resources("daemonset/base");
        let (_, monitoring) = resources("daemonset/overlays/monitoring");
        let (host, _) = resources("daemonset/overlays/hostnetwork");
        let suffix = text(&host["nameSuffix"]);
        let of_kind = |kind: &str| made.iter().find(|object| object["kind"] == kind).unwrap().clone();
        let daemonset = of_kind("DaemonSet");
        let mut objects = BTreeSet::new();
        for object in made.iter().chain(&monitoring) {
            let (kind, name) = (text(&object["kind"]).to_lowercase(), text(&object["metadata"]["name"]));
            objects.insert((kind.clone(), format!("{name}{suffix}")));
            objects.insert((kind, name));
        }
        let secrets = list(&daemonset["spec"]["template"]["spec"]["volumes"]);
        let secrets = secrets.filter_map(|volume| volume["secret"]["secretName"].as_str());
        objects.extend(secrets.map(|name| ("secret".to_owned(), name.to_owned())));
        objects.insert(("namespace".to_owned(), text(&base["namespace"])));
        let app = text(&daemonset["spec"]["template"]["metadata"]["labels"]["app"]);
        Self {
            namespace: text(&base["namespace"]),
            objects,
            labels: [format!("app={app}"), format!("app={app}{suffix}")].into(),
            role: of_kind("Role"),
            services: made.iter().filter(|object| object["kind"] == "Service").cloned().collect(),
            daemonset,
        }
    }

    pub(crate) fn has(&self, kind: &str, name: &str) -> bool {
        self.objects.contains(&(kind.to_owned(), name.to_owned()))
    }

    /// Whether pods have this label, or the slices of a Service do.
    pub(crate) fn has_label(&self, label: &str) -> bool {
        let service = label.strip_prefix("kubernetes.io/service-name=");
        self.labels.contains(label) || service.is_some_and(|name| self.has("service", name))
    }

    pub(crate) fn container(&self) -> &Value {
        &self.daemonset["spec"]["template"]["spec"]["containers"][0]
    }

    /// Whether pods of it are named so.
    pub(crate) fn is_pod(&self, name: &str) -> bool {
        name.starts_with(self.daemonset["metadata"]["name"].as_str().unwrap())
    }

    /// The configuration file, as the container is told.
    pub(crate) fn configuration(&self) -> String {
        text(&self.container()["args"][2])
    }

    /// Whether the Role allows it.
    pub(crate) fn allows(&self, verb: &str, resource: &str) -> bool {
        list(&self.role["rules"]).any(|rule| {
            let groups: Vec<String> = list(&rule["apiGroups"]).map(text).collect();
            let mut resources = list(&rule["resources"]).map(text);
            let is_it = |name: String| groups.iter().any(|group| format!("{name}.{group}") == resource);
            list(&rule["verbs"]).any(|allowed| allowed == verb) && resources.any(is_it)
        })
    }

    /// Whether `HOST:PORT` of a URL is that of a Service here.
    pub(crate) fn serves(&self, place: &str) -> bool {
        self.services.iter().any(|service| {
            let host = format!("{}.{}", text(&service["metadata"]["name"]), self.namespace);
            list(&service["spec"]["ports"]).any(|port| place == format!("{host}:{}", port["port"]))
        })
    }

    /// The directories of the node that the overlay `persistent` uses.
    pub(crate) fn host_paths() -> Vec<String> {
        let overlay = documents(&read("daemonset/overlays/persistent/daemonset.yaml")).remove(0);
        list(&overlay["spec"]["template"]["spec"]["volumes"]).map(|volume| text(&volume["hostPath"]["path"])).collect()
    }
}

/// What is wrong with a directory that is to be applied: no kustomization, or one that names what is not there.
pub(crate) fn misfits(directory: &Path) -> Vec<String> {
    let Ok(text_of_it) = fs::read_to_string(directory.join("kustomization.yaml")) else {
        return vec![format!("there is no kustomization in {}", directory.display())];
    };
    let kustomization = documents(&text_of_it).remove(0);
    let patches = list(&kustomization["patches"]).filter_map(|patch| patch["path"].as_str());
    let resources = list(&kustomization["resources"]).filter_map(Value::as_str);
    let missing = resources.chain(patches).filter(|name| !directory.join(name).exists());
    missing.map(|name| format!("{} names {name}, which is not there", directory.display())).collect()
}

/// The kustomizations of the repository.
pub(crate) fn kustomizations() -> Vec<String> {
    let overlays = fs::read_dir(root().join("daemonset/overlays")).unwrap();
    let overlays = overlays.map(|entry| format!("daemonset/overlays/{}", entry.unwrap().file_name().display()));
    overlays.chain(["daemonset/base".to_owned()]).collect()
}
