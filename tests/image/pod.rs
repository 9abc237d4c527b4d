//! The pod of a node, as daemonset/base describes it and a kubelet makes it: its volumes on disk, and the container as a bundle
//! for `runc`, which is what a container engine runs, too. What a manifest says and this does not know is an error.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::laboratory::NAMES;
use crate::seccomp;

/// The one key, by its name.
pub const KEY: &str = "20261121-125302";

/// What a pod is made of.
pub struct Pod<'a> {
    /// The configuration of the image.
    pub image: &'a Value,
    /// Where the image is unpacked.
    pub root: &'a Path,
    /// What belongs to this pod alone.
    pub directory: PathBuf,
    /// The name of its network, of the container, and of the control group.
    pub name: &'a str,
    pub node: String,
    pub address: IpAddr,
    pub host: IpAddr,
    /// The nodes with the addresses of their agents.
    pub peers: &'a [(String, String)],
    pub key: &'a str,
}

/// The limits that the manifest sets.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes.
    pub memory: u64,
    /// Of a core, in thousandths.
    pub cpu: u64,
}

impl Limits {
    pub fn of_the_manifest() -> Self {
        let daemonset = daemonset();
        let limits = &container(&daemonset)["resources"]["limits"];
        let amount = |name: &str, unit: &str| -> u64 {
            let text = limits[name].as_str().unwrap();
            text.strip_suffix(unit).unwrap_or_else(|| panic!("{name}: {text}")).parse().unwrap()
        };
        Self { memory: amount("memory", "Mi") << 20, cpu: amount("cpu", "m") }
    }
}

impl Pod<'_> {
    /// Writes the bundle, and returns where it is.
    pub fn bundle(&self) -> &Path {
        let daemonset = daemonset();
        let (pod, container) = (&daemonset["spec"]["template"]["spec"], container(&daemonset));
        let (user, group) =
            (number(&pod["securityContext"]["runAsUser"]), number(&pod["securityContext"]["runAsGroup"]));
        let shared = number(&pod["securityContext"]["fsGroup"]);
        let own = &container["securityContext"];
        assert_eq!((&own["capabilities"], &container["command"]), (&json!({"drop": ["ALL"]}), &Value::Null));
        assert_eq!(pod["securityContext"]["seccompProfile"], json!({"type": "RuntimeDefault"}));
        let limits = Limits::of_the_manifest();
        let specification = json!({
            "ociVersion": "1.0.2",
            "hostname": self.name,
            "root": {"path": self.root, "readonly": own["readOnlyRootFilesystem"]},
            "process": {
                "user": {"uid": user, "gid": group, "additionalGids": [shared]},
                "args": all(&self.image["config"]["Entrypoint"]).chain(all(&container["args"])).collect::<Vec<_>>(),
                "env": self.environment(container),
                "cwd": "/",
                "capabilities": {},
                "noNewPrivileges": own["allowPrivilegeEscalation"] == false,
            },
            "mounts": usual_mounts().into_iter().chain(self.volumes(pod, container, shared)).collect::<Vec<_>>(),
            "linux": {
                "namespaces": [
                    {"type": "network", "path": Path::new(NAMES).join(self.name)},
                    {"type": "pid"},
                    {"type": "ipc"},
                    {"type": "uts"},
                    {"type": "mount"},
                ],
                "cgroupsPath": format!("/{}", self.name),
                "resources": {
                    "memory": {"limit": limits.memory},
                    "cpu": {"quota": limits.cpu * 100, "period": 100_000},
                },
                "seccomp": seccomp::profile(),
            },
        });
        fs::write(self.directory.join("config.json"), specification.to_string()).unwrap();
        &self.directory
    }

    fn environment(&self, container: &Value) -> Vec<String> {
        let of = |variable: &Value| {
            let value = match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
                Some("spec.nodeName") => self.node.clone(),
                Some("status.podIP") => self.address.to_string(),
                Some("status.hostIP") => self.host.to_string(),
                other => panic!("where does a variable come from: {other:?}"),
            };
            format!("{}={value}", variable["name"].as_str().unwrap())
        };
        let image = all(&self.image["config"]["Env"]).map(|variable| variable.as_str().unwrap().to_owned());
        image.chain(all(&container["env"]).map(|variable| of(&variable))).collect()
    }

    fn volumes(&self, pod: &Value, container: &Value, group: u32) -> Vec<Value> {
        let mut sources = BTreeMap::new();
        for volume in all(&pod["volumes"]) {
            let name = volume["name"].as_str().unwrap();
            let place = self.directory.join("volumes").join(name);
            fs::create_dir_all(&place).unwrap();
            // As a kubelet does for an `fsGroup`.
            chown(&place, None, Some(group)).unwrap();
            fs::set_permissions(&place, fs::Permissions::from_mode(0o2777)).unwrap();
            if volume["configMap"].is_object() {
                project(&place, "netsplit.yaml", &self.configuration(), 0o644, group);
            } else if volume["secret"].is_object() {
                // The YAML of Kubernetes reads 0440 as octal; this reader does not.
                let digits = volume["secret"]["defaultMode"].as_f64().unwrap().to_string();
                let mode = u32::from_str_radix(&digits, 8).unwrap();
                project(&place, KEY, self.key, mode, group);
            } else {
                assert!(volume["emptyDir"].is_object(), "a volume of another kind: {volume}");
            }
            sources.insert(name.to_owned(), place);
        }
        let of = |mount: Value| {
            let access = if mount["readOnly"] == true { "ro" } else { "rw" };
            let source = &sources[mount["name"].as_str().unwrap()];
            json!({"destination": mount["mountPath"], "source": source, "options": ["rbind", access]})
        };
        all(&container["volumeMounts"]).map(of).collect()
    }

    /// The shipped one, with a list of nodes in the place of Kubernetes.
    fn configuration(&self) -> String {
        let map = yaml("daemonset/base/configmap.yaml");
        let mut text: Value = serde_yaml::from_str(map["data"]["netsplit.yaml"].as_str().unwrap()).unwrap();
        let discovery = &mut text["peers"]["discovery"];
        assert!(discovery["kubernetes"].is_object(), "the shipped configuration asks Kubernetes");
        let peers = self.peers.iter().map(|(name, address)| json!({"name": name, "address": address}));
        *discovery = json!({"static": peers.collect::<Vec<_>>()});
        // JSON is YAML.
        serde_json::to_string_pretty(&text).unwrap()
    }

    /// Where a volume of the pod is on the disk of the node.
    pub fn volume(&self, name: &str) -> PathBuf {
        self.directory.join("volumes").join(name)
    }
}

/// Puts a file into a volume as a kubelet does: behind two links, of which the first can be changed in one step.
fn project(place: &Path, name: &str, text: &str, mode: u32, group: u32) {
    let version = place.join("..2026_11_21_12_53_02.1");
    fs::create_dir(&version).unwrap();
    fs::write(version.join(name), text).unwrap();
    fs::set_permissions(version.join(name), fs::Permissions::from_mode(mode)).unwrap();
    chown(version.join(name), None, Some(group)).unwrap();
    symlink(version.file_name().unwrap(), place.join("..data")).unwrap();
    symlink(Path::new("..data").join(name), place.join(name)).unwrap();
}

/// What every container has.
fn usual_mounts() -> Vec<Value> {
    let mount = |destination: &str, kind: &str, options: &[&str]| {
        let common = ["nosuid", "noexec"].iter().chain(options).collect::<Vec<_>>();
        json!({"destination": destination, "type": kind, "source": kind, "options": common})
    };
    vec![
        mount("/proc", "proc", &["nodev"]),
        mount("/dev", "tmpfs", &["mode=755", "size=65536k"]),
        mount("/dev/shm", "tmpfs", &["nodev", "mode=1777", "size=65536k"]),
        mount("/sys", "sysfs", &["nodev", "ro"]),
    ]
}

fn daemonset() -> Value {
    yaml("daemonset/base/daemonset.yaml")
}

fn container(daemonset: &Value) -> &Value {
    let containers = daemonset["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    let [container] = containers.as_slice() else { panic!("a pod has one container") };
    container
}

fn yaml(file: &str) -> Value {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    serde_yaml::from_str(&text).unwrap()
}

fn all(list: &Value) -> impl Iterator<Item = Value> {
    list.as_array().unwrap().clone().into_iter()
}

fn number(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap_or_else(|| panic!("a number: {value}"))).unwrap()
}
