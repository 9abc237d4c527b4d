//! The overlays as they are applied, to a real API server, which validates each field strictly, in the namespace of the guide. The
//! custom resources of the Prometheus Operator are installed in it. Tests take turns: there is one such namespace.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::{Value, json};

use crate::built::{Built, all, list, one, text};
use crate::kube::{ADMIN, ApiServer, shared};
use crate::process::until;
use crate::schemas::{custom_resources, with};

/// The namespace of the guide.
pub(crate) const NAMESPACE: &str = "observability";

/// Where the overlays are applied.
pub(crate) struct Site {
    pub(crate) server: &'static ApiServer,
}

/// The one site, for one test at a time. None if there is no API server here.
pub(crate) fn site() -> Option<MutexGuard<'static, Site>> {
    static SITE: OnceLock<Option<Mutex<Site>>> = OnceLock::new();
    let site = SITE.get_or_init(|| Some(Mutex::new(Site::prepare(shared()?)))).as_ref()?;
    Some(site.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Site {
    fn prepare(server: &'static ApiServer) -> Self {
        server.create_namespace(NAMESPACE);
        let site = Self { server };
        for definition in custom_resources() {
            server.does("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &definition);
            let spec = &definition["spec"];
            for version in list(&spec["versions"]) {
                let (group, version) = (text(&spec["group"]), text(&version["name"]));
                let kind = text(&spec["names"]["kind"]);
                until("the custom resource", || site.resource(&format!("{group}/{version}"), kind).is_some());
            }
        }
        site
    }

    /// How the server calls this kind, if it serves it, and whether it is in a namespace.
    fn resource(&self, version: &str, kind: &str) -> Option<(String, bool)> {
        let (status, answer) = self.server.ask("GET", &path_of(version), None, Some(ADMIN));
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        let is_it = |resource: &&Value| resource["kind"] == kind && !text(&resource["name"]).contains('/');
        let resource = list(&answer["resources"]).find(is_it).filter(|_| status == 200)?;
        Some((text(&resource["name"]).to_owned(), resource["namespaced"] == true))
    }

    /// Applies an object as `kubectl apply --server-side --validate=strict` does.
    pub(crate) fn apply(&self, object: &Value) -> (u16, String) {
        let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
        let (resource, is_in_namespace) = self.resource(version, kind).unwrap_or_else(|| panic!("no {version} {kind}"));
        let metadata = &object["metadata"];
        let namespace = text(&metadata["namespace"]);
        assert_eq!(namespace, if is_in_namespace { NAMESPACE } else { "" }, "{kind}");
        let place = if is_in_namespace { format!("/namespaces/{namespace}") } else { String::new() };
        let path = format!(
            "{}{place}/{resource}/{}?fieldManager=test&force=true&fieldValidation=Strict",
            path_of(version),
            text(&metadata["name"])
        );
        self.server.ask("PATCH", &path, Some(object), Some(ADMIN))
    }

    /// Applies an overlay.
    #[track_caller]
    pub(crate) fn apply_all(&self, built: &Built) {
        for object in &built.objects {
            let (status, answer) = self.apply(object);
            assert!(matches!(status, 200 | 201), "{}: {status} {answer}\n{object}", built.name);
        }
    }

    /// Lets into the namespace what Pod Security calls so.
    pub(crate) fn enforce(&self, level: &str) {
        let labels = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": level}}});
        self.server.does("PATCH", &format!("/api/v1/namespaces/{NAMESPACE}"), &labels);
    }

    /// What becomes of a pod that is created there; it is not kept.
    pub(crate) fn create_pod(&self, pod: &Value) -> (u16, String) {
        let path = format!("/api/v1/namespaces/{NAMESPACE}/pods?dryRun=All&fieldValidation=Strict");
        self.server.ask("POST", &path, Some(pod), Some(ADMIN))
    }
}

fn path_of(version: &str) -> String {
    if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") }
}

#[test]
fn every_overlay_is_applied_and_strictly_valid() {
    let (Some(site), Some(all)) = (site(), all()) else { return };
    for built in all {
        site.apply_all(built);
    }
}

#[test]
fn a_field_that_does_not_exist_is_not_applied() {
    let (Some(site), Some(base), Some(monitoring)) =
        (site(), one("daemonset/base"), one("daemonset/overlays/monitoring"))
    else {
        return;
    };
    for (built, kind, place) in [
        (base, "DaemonSet", "/spec/template/spec/containers/0/imagePolicy"),
        (base, "Service", "/spec/publishReadyAddresses"),
        (monitoring, "ServiceMonitor", "/spec/endpoints/0/intervall"),
        (monitoring, "AlertmanagerConfig", "/spec/inhibitRules/0/equals"),
    ] {
        let object = with(built.of_kind(kind).next().unwrap(), place, &json!("x"));
        let (status, answer) = site.apply(&object);
        let name = place.rsplit('/').next().unwrap();
        assert!(status >= 400 && answer.contains(name), "{kind}: {status} {answer}");
    }
}
