//! A real API server of Kubernetes on loopback, with an etcd of its own. There are no controllers and no nodes: what a test
//! wants to be there it creates, accounts and slices of endpoints included.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use netsplit::probe::Tls;
use rcgen::KeyPair;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempDir};

use super::faults::{Certificates, LONG, Shows};
use super::process::{Process, free_address, listens, program};

/// The token of somebody who may do everything.
pub(crate) const ADMIN: &str = "admin-of-the-test";

/// The parts of it that complain of their own start: what it keeps of itself, its versions, its connections to etcd.
const OWN: [&str; 3] = [" controller.go:", " genericapiserver.go:", " logging.go:"];

/// An API server that runs.
pub(crate) struct ApiServer {
    pub(crate) address: SocketAddr,
    pub(crate) process: Process,
    pub(crate) etcd: Process,
    pub(crate) certificates: Certificates,
    program: PathBuf,
    arguments: Vec<String>,
    runs: usize,
    directory: TempDir,
}

/// A server that all tests share; it ends with the program. Nobody stops it, and each test has a namespace of its own.
pub(crate) fn shared() -> Option<&'static ApiServer> {
    static SHARED: OnceLock<Option<ApiServer>> = OnceLock::new();
    SHARED.get_or_init(|| ApiServer::start(&[])).as_ref()
}

/// Where a program is that `scripts/install-kube.sh` builds. Without it the test is skipped, where that is allowed.
pub(crate) fn built(name: &str) -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/kube").join(name);
    if !file.exists() {
        crate::needs::skip(&format!("{name} is missing: make install-test-needs"));
        return None;
    }
    Some(file)
}

impl ApiServer {
    /// One that is ready, with these arguments of its own. None if there is none here.
    pub(crate) fn start(more: &[&str]) -> Option<Self> {
        let mut server = Self::begin(more)?;
        server.becomes_ready();
        Some(server)
    }

    /// One that has its port, and may not be ready yet.
    pub(crate) fn begin(more: &[&str]) -> Option<Self> {
        let (program, keeper) = (built("kube-apiserver")?, program("etcd")?);
        let (certificates, directory) = (Certificates::make(), tempfile::tempdir().unwrap());
        // Somebody else may take a port between our looking and its binding.
        for run in 0..5 {
            let (etcd, client) = etcd(&keeper, directory.path(), run);
            let Some(etcd) = etcd else { continue };
            let address = free_address();
            let mut arguments = arguments(address, client, &certificates, directory.path());
            arguments.extend(more.iter().map(ToString::to_string));
            let mut process = Process::start(&program, &arguments, directory.path(), &format!("log-{run}"));
            if process.becomes(|| listens(address)) {
                return Some(Self { address, process, etcd, certificates, program, arguments, runs: 5, directory });
            }
            eprintln!("{}", process.told());
        }
        panic!("the API server did not begin on any port");
    }

    /// Ends it, and leaves what it knows with its etcd.
    pub(crate) fn stop(&mut self) {
        self.process.kill();
    }

    /// Starts one again where it was, which knows what it knew.
    pub(crate) fn start_again(&mut self) {
        self.runs += 1;
        let log = format!("log-{}", self.runs);
        self.process = Process::start(&self.program, &self.arguments, self.directory.path(), &log);
        self.becomes_ready();
    }

    fn becomes_ready(&mut self) {
        let client = Client::of(self.address, &self.certificates);
        let is_ready = || client.ask("GET", "/readyz", None, Some(ADMIN)).is_some_and(|(status, _)| status == 200);
        assert!(self.process.becomes(is_ready), "{}", self.process.told());
    }

    /// How it is trusted.
    pub(crate) fn trust(&self) -> Tls {
        self.certificates.trust()
    }

    /// Where its files are, and those of a test may be.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What it answers: its status, and what it says.
    #[track_caller]
    pub(crate) fn ask(&self, method: &str, path: &str, body: Option<&Value>, token: Option<&str>) -> (u16, String) {
        let client = Client::of(self.address, &self.certificates);
        client.ask(method, path, body, token).unwrap_or_else(|| panic!("no answer to {method} {path}"))
    }

    /// Does this as somebody who may do everything.
    #[track_caller]
    pub(crate) fn does(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, text) = self.ask(method, path, Some(body), Some(ADMIN));
        assert!((200..300).contains(&status), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Makes a namespace.
    #[track_caller]
    pub(crate) fn create_namespace(&self, name: &str) {
        self.does("POST", "/api/v1/namespaces", &json!({"metadata": {"name": name}}));
    }

    /// Makes a ServiceAccount that may do nothing yet.
    #[track_caller]
    pub(crate) fn create_account(&self, namespace: &str, name: &str) {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
        self.does("POST", &path, &json!({"metadata": {"name": name}}));
    }

    /// A token of a ServiceAccount, as a kubelet gets it for a pod.
    #[track_caller]
    pub(crate) fn token_of(&self, namespace: &str, account: &str) -> String {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let answer = self.does("POST", &path, &json!({"spec": {"expirationSeconds": 3600}}));
        answer["status"]["token"].as_str().unwrap().to_owned()
    }

    /// A kubeconfig for who has the token in this file.
    pub(crate) fn kubeconfig(&self, namespace: &str, token_file: &Path) -> NamedTempFile {
        let authority = self.certificates.authority_file();
        kubeconfig(&format!("https://{}", self.address), Some(&authority), namespace, token_file)
    }

    /// Its counters, by name and labels.
    pub(crate) fn counters(&self) -> BTreeMap<String, String> {
        let (_, text) = self.ask("GET", "/metrics", None, Some(ADMIN));
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// What its log says of clients that did something wrong: warnings and errors, less what its parts say of themselves.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let told = self.process.told();
        // As klog marks them; what TLS has to say has the mark of a note.
        let is_bad = |line: &&str| line.starts_with(['W', 'E', 'F']) || line.contains("TLS handshake error");
        let is_own = |line: &&str| OWN.iter().any(|part| line.contains(part));
        told.lines().filter(is_bad).filter(|line| !is_own(line)).map(ToOwned::to_owned).collect()
    }
}

/// A kubeconfig for who has the token in this file, at this server.
pub(crate) fn kubeconfig(url: &str, authority: Option<&Path>, namespace: &str, token_file: &Path) -> NamedTempFile {
    let authority = authority.map(|file| format!(", certificate-authority: {}", file.display())).unwrap_or_default();
    let file = NamedTempFile::new().unwrap();
    let text = format!(
        "clusters: [{{name: c, cluster: {{server: \"{url}\"{authority}}}}}]\n\
         users: [{{name: u, user: {{tokenFile: {}}}}}]\n\
         contexts: [{{name: x, context: {{cluster: c, user: u, namespace: {namespace}}}}}]\n\
         current-context: x\n",
        token_file.display()
    );
    fs::write(file.path(), text).unwrap();
    file
}

/// Starts an etcd, whose address for clients comes with it. None if somebody else had its ports.
fn etcd(program: &Path, directory: &Path, run: usize) -> (Option<Process>, SocketAddr) {
    let (client, peer) = (free_address(), free_address());
    let arguments = [
        "--name=m".to_owned(),
        format!("--data-dir=etcd-{run}"),
        "--logger=zap".to_owned(),
        format!("--listen-client-urls=http://{client}"),
        format!("--advertise-client-urls=http://{client}"),
        format!("--listen-peer-urls=http://{peer}"),
        format!("--initial-advertise-peer-urls=http://{peer}"),
        format!("--initial-cluster=m=http://{peer}"),
    ];
    let mut process = Process::start(program, &arguments, directory, &format!("etcd-log-{run}"));
    let is_ready = process.becomes(|| listens(client));
    (is_ready.then_some(process), client)
}

fn arguments(address: SocketAddr, etcd: SocketAddr, certificates: &Certificates, directory: &Path) -> Vec<String> {
    let file = |name: &str, text: &str| {
        let file = directory.join(name);
        fs::write(&file, text).unwrap();
        file.display().to_string()
    };
    let accounts = KeyPair::generate().unwrap();
    let (signing, verifying) = (file("accounts.key", &accounts.serialize_pem()), accounts.public_key_pem());
    let verifying = file("accounts.pub", &verifying);
    let tokens = file("tokens.csv", &format!("{ADMIN},admin,1,system:masters\n"));
    let [certificate, key] = [certificates.certificate(Shows::Good), certificates.key(Shows::Good)];
    vec![
        format!("--etcd-servers=http://{etcd}"),
        format!("--bind-address={}", address.ip()),
        format!("--advertise-address={}", address.ip()),
        format!("--secure-port={}", address.port()),
        // An address of loopback may not stand in the Service `kubernetes`.
        "--endpoint-reconciler-type=none".to_owned(),
        format!("--tls-cert-file={}", certificate.display()),
        format!("--tls-private-key-file={}", key.display()),
        format!("--client-ca-file={}", certificates.authority_file().display()),
        format!("--token-auth-file={tokens}"),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={verifying}"),
        format!("--service-account-signing-key-file={signing}"),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        "--authorization-mode=Node,RBAC".to_owned(),
        // No controller makes the account `default` of a namespace.
        "--disable-admission-plugins=ServiceAccount".to_owned(),
        "--allow-privileged=true".to_owned(),
    ]
}

/// Speaks with a server over TLS, one question a connection.
struct Client {
    address: SocketAddr,
    config: Arc<ClientConfig>,
}

impl Client {
    fn of(address: SocketAddr, certificates: &Certificates) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificates.authority_file()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        Self { address, config: Arc::new(builder.with_root_certificates(roots).with_no_client_auth()) }
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>, token: Option<&str>) -> Option<(u16, String)> {
        let body = body.map(ToString::to_string).unwrap_or_default();
        let content = match method {
            // Only who applies says who manages.
            "PATCH" if path.contains("fieldManager=") => "application/apply-patch+yaml",
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        // Of this version an answer has no chunks.
        let request = format!(
            "{method} {path} HTTP/1.0\r\nhost: {}\r\n{authorization}content-type: {content}\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(LONG)).unwrap();
        let name = ServerName::from(self.address.ip());
        let connection = ClientConnection::new(Arc::clone(&self.config), name).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        stream.conn.send_close_notify();
        let _ = stream.flush();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    }
}
