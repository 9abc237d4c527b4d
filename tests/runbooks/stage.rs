//! Where a page is played: a directory with a real agent in it, a shell, and stand-ins for the programs that need a cluster.
//!
//! The script of a page is run by `bash` with nothing on its path but what the pages may use. Programs that only read and write
//! files are the real ones; netsplit is the real one too, and asks a real agent; all others are `stand-in.sh`, which notes each
//! call. What bash itself complains of (syntax, a variable that no block has set, a program that nobody knows) is a finding.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::pages::root;
use crate::ports::free_port;

/// Programs that are played by the stand-in. Each is judged in `calls`.
const PLAYED: [&str; 12] =
    ["amtool", "chmod", "chown", "crictl", "curl", "df", "git", "kubectl", "ls", "netsplit", "openssl", "rm"];

/// Programs that work on files and texts, here as anywhere.
const REAL: [&str; 12] =
    ["basename", "bash", "cat", "cp", "cut", "date", "grep", "mkdir", "mktemp", "sed", "sort", "timeout"];

/// Commands of netsplit that are parsed, with all their arguments, and not run; and why.
const PARSED_ONLY: [(&str, &str); 2] = [
    ("forget", "it writes into the state directory of this machine"),
    ("override", "it writes into the state directory of this machine"),
];

/// Endpoints of the agent: those that the pages ask for. None is there.
const ENDPOINTS: [(&str, &str); 3] = [
    ("central-prometheus", "type: http, url: \"http://127.0.0.1:PORT/-/healthy\", partition: true"),
    ("knative-broker", "type: http, url: \"http://127.0.0.1:PORT/\""),
    ("orders-kafka", "type: kafka, address: \"127.0.0.1:PORT\""),
];

/// One call of a program.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) program: String,
    /// Where it was called.
    pub(crate) directory: PathBuf,
    pub(crate) arguments: Vec<String>,
    /// How what it ran in a container ended, if anything.
    pub(crate) status: Option<i32>,
    /// What that said of errors.
    pub(crate) complaint: String,
    /// What was in the files that it was given.
    pub(crate) files: String,
}

/// What came of a page.
pub(crate) struct Played {
    pub(crate) calls: Vec<Call>,
    /// What the shell, and the programs that are real, complained of; and whether it came to the end.
    pub(crate) complaints: Vec<String>,
}

/// The directory, and the agent that runs in it.
pub(crate) struct Stage {
    directory: tempfile::TempDir,
    agent: Child,
    pub(crate) address: String,
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

/// Where a program of this machine is.
fn find(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).map(|directory| directory.join(program));
    places.into_iter().find(|place| place.is_file()).unwrap_or_else(|| panic!("there is no `{program}`"))
}

impl Stage {
    /// An agent that is alone in its cluster, and knows that it is.
    pub(crate) fn set() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path();
        for name in ["bin", "notes", "log", "config", "keys"] {
            fs::create_dir(place.join(name)).unwrap();
        }
        let stand_in = place.join("stand-in.sh");
        fs::write(&stand_in, include_str!("stand-in.sh")).unwrap();
        fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755)).unwrap();
        for program in PLAYED {
            symlink(&stand_in, place.join("bin").join(program)).unwrap();
        }
        for program in REAL {
            symlink(find(program), place.join("bin").join(program)).unwrap();
        }
        let (agent, address) = start_agent(place);
        Self { directory, agent, address }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Runs a script in a directory of its own that is, to it, the root of the repository.
    pub(crate) fn play(&self, script: &str) -> Played {
        let work = tempfile::tempdir_in(self.path()).unwrap();
        let bin = self.path().join("bin");
        symlink(root().join("daemonset"), work.path().join("daemonset")).unwrap();
        let (file, end) = (self.path().join("page"), work.path().join(".end"));
        fs::write(&file, format!("{script}: >'{}'\n", end.display())).unwrap();
        let mut command = Command::new(bin.join("bash"));
        command.env_clear().envs([("PATH", bin.as_os_str()), ("STAGE", self.path().as_os_str())]);
        command.envs([("NETSPLIT", env!("CARGO_BIN_EXE_netsplit")), ("NETSPLIT_ADDRESS", self.address.as_str())]);
        command.envs([("REPOSITORY", root().as_os_str()), ("RM", find("rm").as_os_str()), ("LC_ALL", "C".as_ref())]);
        command.env("PARSED_ONLY", PARSED_ONLY.map(|(name, _)| name).join(" "));
        let output = command.arg("-u").arg(&file).current_dir(work.path()).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).replace(&format!("{}: ", file.display()), "");
        let mut complaints: Vec<String> = said.lines().map(str::to_owned).collect();
        if !end.exists() {
            complaints.push("it did not come to its end".to_owned());
        }
        // Whether directories that were applied are whole can be judged only as long as they are there.
        let calls = self.calls();
        complaints.extend(calls.iter().flat_map(crate::kubectl::misfits_of_directory));
        Played { calls, complaints }
    }

    /// The calls in their order; they are forgotten then.
    fn calls(&self) -> Vec<Call> {
        let notes = self.path().join("notes");
        let names = fs::read_dir(&notes).unwrap().map(|entry| entry.unwrap().path());
        let (mut calls, all): (Vec<PathBuf>, Vec<PathBuf>) = names.partition(|path| {
            !["status", "stderr", "files"].iter().any(|end| path.extension().is_some_and(|e| e == *end))
        });
        calls.sort();
        let found = calls.iter().map(|note| Call::read(note)).collect();
        calls.iter().chain(&all).for_each(|path| fs::remove_file(path).unwrap());
        found
    }
}

impl Call {
    fn read(note: &Path) -> Self {
        let beside = |name: &str| fs::read_to_string(format!("{}.{name}", note.display())).ok();
        let text = fs::read_to_string(note).unwrap();
        let mut words = text.trim_end_matches('\0').split('\0').map(str::to_owned);
        let (program, directory) = (words.next().unwrap(), PathBuf::from(words.next().unwrap()));
        Self {
            program,
            directory,
            arguments: words.collect(),
            status: beside("status").map(|status| status.parse().unwrap()),
            complaint: beside("stderr").unwrap_or_default(),
            files: beside("files").unwrap_or_default(),
        }
    }
}

/// Starts an agent in this directory and waits until it is in mode normal.
fn start_agent(place: &Path) -> (Child, String) {
    fs::write(place.join("keys/20261121"), "0123456789abcdef".repeat(4)).unwrap();
    let (udp, http, nobody) = (free_port(), free_port(), free_port());
    let address = format!("127.0.0.1:{http}");
    let endpoints = ENDPOINTS.map(|(name, what)| format!("  - {{name: {name}, {what}}}\n"));
    let text = format!(
        "cluster: test\nnode: {{name: node-1}}\nlisten: \"127.0.0.1:{udp}\"\nhttp: {{listen: \"{address}\"}}\n\
         peers: {{discovery: {{static: [{{name: node-1, address: \"127.0.0.1:{udp}\"}}]}}}}\n\
         authentication: {{keys: {0}/keys}}\nstate: {{directory: {0}/state}}\n\
         audit: {{path: {0}/log/partition-events.log}}\nendpoints:\n{1}",
        place.display(),
        endpoints.concat().replace("PORT", &nobody.to_string()),
    );
    let file = place.join("config/netsplit.yaml");
    fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_netsplit"));
    command.arg("run").arg("--config").arg(&file).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut agent = command.spawn().unwrap();
    let mut lines = BufReader::new(agent.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains(r#""to":"normal""#)), "the agent ended");
    // It goes on saying things, and somebody has to listen.
    std::thread::spawn(move || lines.for_each(drop));
    (agent, address)
}
