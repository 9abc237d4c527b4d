//! The roster as Kubernetes has it: the `EndpointSlices` of a headless Service, which name the node and the zone of each agent.
//!
//! They are **listed, not watched**: each pod that is replaced rewrites slices of some 50 kB, and a watch would have the API
//! server send them to every agent. A list comes every ten minutes or so, and when the agent wants one, out of the API
//! server's memory (`resourceVersion=0`), so that etcd is not asked at all.
//! The client is made anew for each list: credentials and authorities that were replaced count from the next one on, and nothing
//! is held in between.

mod access;
mod slices;

use std::path::PathBuf;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::Bytes;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Resource;
use kube::api::{ListParams, Request};
use kube::client::Body;
use tokio::runtime::Handle;

use self::access::Access;
use super::chance::part_of;
use super::reading::Reading;
use super::{Answer, Cause, Failure, Families, Source};

/// How large a list may be: fifty times that of 1,000 nodes.
const LARGEST: usize = 32 * 1024 * 1024;

/// How long a list is good for: this, and up to as much again as the second: ten minutes, a quarter more or less.
const GOOD_FOR: Duration = Duration::from_secs(450);
const OR_LONGER: Duration = Duration::from_secs(300);

/// Whose endpoints are listed, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesSettings {
    /// The Service. It needs one port of UDP, or one with the name `heartbeat`, which is that of the agents.
    pub service: String,
    /// Its namespace; `None` for the one of this pod, or of the kubeconfig.
    pub namespace: Option<String>,
    /// Where the API server is and as whom it is asked; `None` for what each pod is told.
    pub kubeconfig: Option<PathBuf>,
}

/// The endpoints of a Service.
#[derive(Clone, Debug)]
pub struct KubernetesList {
    settings: KubernetesSettings,
    families: Families,
    reading: Reading,
}

impl KubernetesList {
    /// The endpoints of `settings.service` in `families`.
    pub fn new(settings: KubernetesSettings, families: Families) -> Self {
        Self { settings, families, reading: Reading::default() }
    }

    async fn list(&self) -> Result<Bytes, Failure> {
        let settings = self.settings.clone();
        let opening = move || Handle::current().block_on(Access::open(&settings));
        let Access { client, namespace } = self.reading.by_another(opening).await?;
        let url = EndpointSlice::url_path(&(), Some(&namespace));
        let wanted = ListParams::default().labels(&format!("kubernetes.io/service-name={}", self.settings.service));
        let request = Request::new(url).list(&wanted.match_any());
        let request = request.map_err(|error| Failure::new(Cause::Configuration, error.to_string()))?;
        let answer = client.send(request.map(Body::from)).await.map_err(|error| access::failure(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LARGEST).collect().await;
        let body = body.map_err(|error| access::failure(error.as_ref()))?.to_bytes();
        if status.is_success() { Ok(body) } else { Err(access::refusal(status, &body, &namespace)) }
    }
}

impl Source for KubernetesList {
    const KIND: &'static str = "kubernetes";

    fn hint(cause: Cause) -> &'static str {
        match cause {
            Cause::Empty => "does the Service select the pods of the agents, with publishNotReadyAddresses: true?",
            Cause::NotFound => "check service and namespace below peers.discovery.kubernetes",
            Cause::Refused => {
                "let the ServiceAccount of the agents list endpointslices.discovery.k8s.io in the namespace"
            }
            Cause::ServerFailure => "look at the API server's log: it, or its etcd, cannot answer",
            Cause::Timeout | Cause::Unreachable => "is the API server up, and may this node reach it?",
            Cause::Tls => "is this the API server, and its authority that of ca.crt or the kubeconfig?",
            Cause::Truncated => "the list is longer than 32 MiB: is this the Service of the agents?",
            Cause::Malformed => "is this an API server, and has the Service one port of UDP, or one named heartbeat?",
            Cause::Configuration => {
                "outside of a pod name a kubeconfig below peers.discovery.kubernetes; inside leave \
                 automountServiceAccountToken on"
            }
            Cause::Internal => "this is a fault in netsplit, please report it",
        }
    }

    async fn ask(&self) -> Result<Answer, Failure> {
        let body = self.list().await?;
        let families = self.families;
        // The agent's own thread has heartbeats to send.
        let read = tokio::task::spawn_blocking(move || slices::listing(&body, families)).await;
        let listing = read.map_err(|ended| Failure::new(Cause::Internal, ended.to_string()))??;
        Ok(Answer { listing, good_for: GOOD_FOR + part_of(OR_LONGER) })
    }
}
