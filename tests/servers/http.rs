//! Servers that speak HTTP: Prometheus, a registry of images, and one that says what the test wants.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use super::faults::{self, Certificates, Shows};
use super::process::{Process, free_address, listens, program};

/// What a password is in these servers, and for whom.
pub(crate) const USER: &str = "netsplit";
pub(crate) const PASSWORD: &str = "correct horse";

/// The password as bcrypt has it (`htpasswd -nB`).
const HASH: &str = "$2b$04$9xNtpOcnFUkZKUIsAE8g0ON.FFOq6rN9.dvW1IehIjiUoIT9Ml7m.";

/// A server that runs.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) process: Process,
    _directory: TempDir,
}

impl Server {
    fn start(name: &str, prepare: impl Fn(&TempDir, SocketAddr) -> Vec<String>) -> Option<Self> {
        let program = program(name)?;
        // Somebody else may take the port between our looking and its binding.
        for _ in 0..5 {
            let (directory, address) = (tempfile::tempdir().unwrap(), free_address());
            let arguments = prepare(&directory, address);
            let mut process = Process::start(&program, &arguments, directory.path(), "log");
            if process.becomes(|| listens(address)) {
                return Some(Self { address, process, _directory: directory });
            }
        }
        panic!("{name} did not begin on any port");
    }
}

/// How a server lets one in.
#[derive(Default)]
pub(crate) struct Door<'a> {
    /// With TLS, showing this.
    pub(crate) tls: Option<(&'a Certificates, Shows)>,
    /// Only with the password.
    pub(crate) password: bool,
}

/// A Prometheus that scrapes nothing. None if it is missing.
pub(crate) fn prometheus(door: &Door<'_>) -> Option<Server> {
    Server::start("prometheus", |directory, address| {
        let place = directory.path();
        fs::write(place.join("prometheus.yml"), "global: {}\n").unwrap();
        let mut web = String::from("{}\n");
        if let Some((certificates, shows)) = door.tls {
            let (certificate, key) = (certificates.certificate(shows), certificates.key(shows));
            web =
                format!("tls_server_config:\n  cert_file: {}\n  key_file: {}\n", certificate.display(), key.display());
        }
        if door.password {
            web = format!("{}basic_auth_users:\n  {USER}: {HASH}\n", web.trim_start_matches("{}\n"));
        }
        fs::write(place.join("web.yml"), web).unwrap();
        vec![
            "--config.file=prometheus.yml".into(),
            "--storage.tsdb.path=data".into(),
            "--web.config.file=web.yml".into(),
            format!("--web.listen-address={address}"),
        ]
    })
}

/// A registry of images that has none. None if it is missing.
pub(crate) fn registry(door: &Door<'_>) -> Option<Server> {
    Server::start("docker-registry", |directory, address| {
        let place = directory.path();
        let mut config = format!(
            "version: 0.1\nlog: {{level: info, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: {}}}}}\n",
            place.join("images").display()
        );
        if door.password {
            fs::write(place.join("passwords"), format!("{USER}:{HASH}\n")).unwrap();
            let path = place.join("passwords");
            writeln!(config, "auth: {{htpasswd: {{realm: test, path: {}}}}}", path.display()).unwrap();
        }
        write!(config, "http:\n  addr: {address}\n  secret: test\n").unwrap();
        if let Some((certificates, shows)) = door.tls {
            let (certificate, key) = (certificates.certificate(shows), certificates.key(shows));
            let files = format!("{{certificate: {}, key: {}}}", certificate.display(), key.display());
            writeln!(config, "  tls: {files}").unwrap();
        }
        fs::write(place.join("registry.yml"), config).unwrap();
        vec!["serve".into(), "registry.yml".into()]
    })
}

/// A server that gives to each request, by its first line, the answer that the test wants, and remembers what was asked.
pub(crate) struct Fixture {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fixture {
    /// `answer` makes of a first line, as in `GET /readyz`, a status line and a body.
    pub(crate) fn that(answer: impl Fn(&str) -> (&'static str, String) + Clone + Send + 'static) -> Self {
        Self::that_heeds(move |head| answer(head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1")))
    }

    /// `answer` makes of all of a head a status line and a body.
    pub(crate) fn that_heeds(answer: impl Fn(&str) -> (&'static str, String) + Clone + Send + 'static) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let remembered = Arc::clone(&asked);
        let port = faults::serving(move |stream| {
            let mut writer = stream.try_clone().unwrap();
            let mut reader = BufReader::new(stream);
            while let Some(head) = read_head(&mut reader) {
                let (status, body) = answer(&head);
                let is_last = head.contains("connection: close");
                remembered.lock().unwrap().push(head);
                let size = body.len();
                let text = format!("HTTP/1.1 {status}\r\ncontent-length: {size}\r\n\r\n{body}");
                if writer.write_all(text.as_bytes()).is_err() || is_last {
                    return;
                }
            }
        });
        Self { address: port.address, asked }
    }

    /// The heads of all requests so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// The head of a request and its body, which is ours and short.
fn read_head(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    Some(head)
}
