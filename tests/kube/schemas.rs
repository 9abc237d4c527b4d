//! The manifests against what several versions of Kubernetes and of the Prometheus Operator publish of their objects, strictly: a
//! field that is unknown, of another type or missing is an error. `scripts/schemas.py` writes `schemas/`. The defaults, patterns
//! and rules of these schemas are left to the API server, which has one version.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::built::{all, list, one, text};

/// Those of Kubernetes, the oldest first.
const KUBERNETES: [&str; 2] =
    [include_str!("schemas/kubernetes-1.27.json"), include_str!("schemas/kubernetes-1.37.json")];

const OPERATOR: [&str; 2] =
    [include_str!("schemas/prometheus-operator-0.66.json"), include_str!("schemas/prometheus-operator-0.85.json")];

/// The definitions of custom resources of the oldest Prometheus Operator, for an API server.
pub(crate) fn custom_resources() -> Vec<Value> {
    let Value::Object(mut definitions) = serde_json::from_str(OPERATOR[0]).unwrap() else { panic!("an object") };
    definitions.remove("source");
    definitions.into_iter().map(|(_, definition)| definition).collect()
}

/// What one version publishes.
struct Schemas {
    source: String,
    definitions: Map<String, Value>,
}

impl Schemas {
    fn read(file: &str) -> Self {
        let Value::Object(mut definitions) = serde_json::from_str(file).unwrap() else { panic!("an object") };
        let source = text(&definitions.remove("source").unwrap()["module"]).to_owned();
        Self { source, definitions }
    }

    /// The schema of an object of this version and kind.
    fn of(&self, version: &str, kind: &str) -> Option<&Value> {
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let is_built_in = |definition: &Value| {
            let kinds = &definition["x-kubernetes-group-version-kind"];
            list(kinds).any(|one| one["group"] == group && one["version"] == version && one["kind"] == kind)
        };
        let custom = |definition: &'_ Value| {
            let spec = &definition["spec"];
            spec["group"] == group && spec["names"]["kind"] == kind
        };
        self.definitions.values().find_map(|definition| {
            if custom(definition) {
                let mut versions = list(&definition["spec"]["versions"]);
                return Some(&versions.find(|one| one["name"] == version)?["schema"]["openAPIV3Schema"]);
            }
            is_built_in(definition).then_some(definition)
        })
    }

    /// What is wrong with an object. None if it is of a kind that this does not know.
    fn findings(&self, object: &Value) -> Option<Vec<String>> {
        let schema = self.of(text(&object["apiVersion"]), text(&object["kind"]))?;
        let mut found = Vec::new();
        self.compare(schema, object, text(&object["kind"]), &mut found);
        Some(found)
    }

    fn compare(&self, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.rsplit('/').next().unwrap_or_default();
            return self.compare(&self.definitions[name], value, place, found);
        }
        if !is_of_type(schema, value) {
            found.push(format!("{place}: {value} is no {}", schema["type"]));
        } else if let Some(object) = value.as_object() {
            self.compare_fields(schema, object, place, found);
        }
        for (number, item) in list(value).enumerate() {
            self.compare(&schema["items"], item, &format!("{place}[{number}]"), found);
        }
        if schema["enum"].is_array() && !list(&schema["enum"]).any(|allowed| allowed == value) {
            found.push(format!("{place}: {value} is none of {}", schema["enum"]));
        }
    }

    fn compare_fields(&self, schema: &Value, object: &Map<String, Value>, place: &str, found: &mut Vec<String>) {
        let [fields, more] = ["properties", "additionalProperties"].map(|key| &schema[key]);
        let is_free = (fields.is_null() && more.is_null()) || schema["x-kubernetes-preserve-unknown-fields"] == true;
        for (key, value) in object {
            let place = format!("{place}.{key}");
            match fields.get(key).or(more.is_object().then_some(more)) {
                Some(schema) => self.compare(schema, value, &place, found),
                None if is_free || *more == true => {}
                None => found.push(format!("{place}: unknown")),
            }
        }
        let missing = list(&schema["required"]).filter(|name| !object.contains_key(text(name)));
        found.extend(missing.map(|name| format!("{place}.{}: missing", text(name))));
    }
}

fn is_of_type(schema: &Value, value: &Value) -> bool {
    if schema["x-kubernetes-int-or-string"] == true || schema["format"] == "int-or-string" {
        return value.is_string() || value.is_i64();
    }
    match text(&schema["type"]) {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        // What has no type may be anything.
        _ => true,
    }
}

fn versions(files: [&str; 2]) -> [Schemas; 2] {
    files.map(Schemas::read)
}

#[test]
fn every_manifest_is_valid_in_every_version() {
    let Some(all) = all() else { return };
    let (kubernetes, operator) = (versions(KUBERNETES), versions(OPERATOR));
    let mut kinds = BTreeSet::new();
    for built in all {
        for object in &built.objects {
            let is_custom = text(&object["apiVersion"]).starts_with("monitoring.coreos.com/");
            for schemas in if is_custom { &operator } else { &kubernetes } {
                let place = format!("{}, {}: {}", built.name, schemas.source, object["kind"]);
                let found = schemas.findings(object).unwrap_or_else(|| panic!("{place} is not known"));
                assert_eq!(found, Vec::<String>::new(), "{place}");
            }
            kinds.insert(text(&object["kind"]));
        }
    }
    assert_eq!(kinds.len(), 11, "{kinds:?}");
}

#[test]
fn what_no_version_knows_is_found() {
    let Some(base) = one("daemonset/base") else { return };
    let right = base.daemonset().unwrap();
    let wrong = [
        ("/spec/template/spec/containers/0/imagePolicy", json!("Always"), "unknown"),
        ("/spec/template/spec/volumes/0/configMaps", json!({}), "unknown"),
        ("/spec/template/spec/hostNetwork", json!("true"), "is no \"boolean\""),
        ("/spec/template/spec/tolerations", json!({}), "is no \"array\""),
        ("/spec/template/metadata/labels/app", json!(7), "is no \"string\""),
        ("/spec/minReadySeconds", json!(1.5), "is no \"integer\""),
        ("/spec/updateStrategy/rollingUpdate/maxUnavailable", json!(["10%"]), "is no \"string\""),
        ("/spec/template/spec/containers/0/ports/0", json!({"name": "heartbeat"}), "containerPort: missing"),
        ("/metadata/annotations", json!(null), "is no \"object\""),
    ];
    for schemas in versions(KUBERNETES) {
        assert_eq!(schemas.findings(right), Some(Vec::new()));
        for (place, value, told) in &wrong {
            let found = schemas.findings(&with(right, place, value)).unwrap();
            assert!(found.len() == 1 && found[0].contains(told), "{place}: {found:?}");
        }
        assert_eq!(schemas.findings(&with(right, "/apiVersion", &json!("apps/v1beta1"))), None);
    }
}

#[test]
fn what_no_operator_knows_is_found() {
    let Some(monitoring) = one("daemonset/overlays/monitoring") else { return };
    let wrong = [
        ("ServiceMonitor", "/spec/endpoints/0/intervall", json!("10s"), "unknown"),
        ("ServiceMonitor", "/spec/endpoints/0/relabelings/0/action", json!("dropp"), "is none of"),
        ("ServiceMonitor", "/spec/selector", json!(null), "is no \"object\""),
        ("PrometheusRule", "/spec/groups/0/rules/0/expr", json!({}), "is no"),
        ("PrometheusRule", "/spec/groups/0/rules/0/keepFiringFor", json!("5m"), "unknown"),
        ("AlertmanagerConfig", "/spec/inhibitRules/0/equals", json!(["cluster"]), "unknown"),
    ];
    for schemas in versions(OPERATOR) {
        for (kind, place, value, told) in &wrong {
            let right = monitoring.of_kind(kind).next().unwrap();
            let found = schemas.findings(&with(right, place, value)).unwrap();
            assert!(found.len() == 1 && found[0].contains(told), "{place}: {found:?}");
        }
    }
}

/// An object with this there, whether or not something was.
pub(crate) fn with(object: &Value, place: &str, value: &Value) -> Value {
    let mut object = object.clone();
    let (parent, key) = place.rsplit_once('/').unwrap();
    match object.pointer_mut(parent).unwrap() {
        Value::Array(list) => list[key.parse::<usize>().unwrap()] = value.clone(),
        parent => parent[key] = value.clone(),
    }
    object
}
