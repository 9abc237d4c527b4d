//! What kustomize makes of `daemonset/`: each directory of the guide's table, and each overlay that the guide shows how to write.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::group::output_of;

/// What Pod Security lets into a namespace, the most first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Level {
    Privileged,
    Baseline,
    Restricted,
}

impl Level {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }

    /// The next one that lets in less.
    pub(crate) fn stricter(self) -> Option<Self> {
        match self {
            Self::Privileged => Some(Self::Baseline),
            Self::Baseline => Some(Self::Restricted),
            Self::Restricted => None,
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Privileged, Self::Baseline, Self::Restricted].into_iter().find(|level| level.as_str() == name)
    }
}

/// What is to be built.
#[derive(Clone)]
struct Source {
    /// Its directory, beside the clone `netsplit`.
    directory: String,
    /// The level that the guide names. None where it has no pods.
    level: Option<Level>,
    /// Its files, where they are not in the repository.
    files: Vec<(String, String)>,
}

/// An overlay, built.
pub(crate) struct Built {
    /// Its directory, without that of the clone.
    pub(crate) name: String,
    pub(crate) level: Option<Level>,
    /// What kustomize said in two places.
    pub(crate) texts: [String; 2],
    pub(crate) objects: Vec<Value>,
}

impl Built {
    pub(crate) fn of_kind<'a, 'k>(&'a self, kind: &'k str) -> impl Iterator<Item = &'a Value> + use<'a, 'k> {
        self.objects.iter().filter(move |object| object["kind"] == kind)
    }

    /// Its DaemonSet. None where it has no agents.
    pub(crate) fn daemonset(&self) -> Option<&Value> {
        self.of_kind("DaemonSet").next()
    }

    /// The one of this kind and name.
    pub(crate) fn named(&self, kind: &str, name: &str) -> Option<&Value> {
        self.of_kind(kind).find(|object| object["metadata"]["name"] == name)
    }
}

/// All that the guide speaks of. None if there is no kustomize here.
pub(crate) fn all() -> Option<&'static [Built]> {
    static ALL: OnceLock<Option<Vec<Built>>> = OnceLock::new();
    ALL.get_or_init(build_all).as_deref()
}

/// The one of this name.
pub(crate) fn one(name: &str) -> Option<&'static Built> {
    all().map(|all| all.iter().find(|built| built.name == name).unwrap_or_else(|| panic!("the guide has no {name}")))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The kustomize that `scripts/install-kustomize.sh` builds. Without it the test is skipped, where that is allowed.
fn kustomize() -> Option<PathBuf> {
    let file = root().join("target/kustomize/kustomize");
    if !file.exists() {
        crate::needs::skip("kustomize is missing: make install-test-needs");
        return None;
    }
    Some(file)
}

fn build_all() -> Option<Vec<Built>> {
    let program = kustomize()?;
    let guide = fs::read_to_string(root().join("docs/install.md")).unwrap();
    let sources = [from_table(&guide), shown(&guide)].concat();
    let [here, there] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    // Longer, and with another name.
    let there_inside = there.path().join("some/where/else");
    for place in [here.path(), &there_inside] {
        lay_out(place, &sources);
    }
    let build = |source: &Source| {
        let inside =
            output_of(Command::new(&program).args(["build", "."]).current_dir(here.path().join(&source.directory)));
        let mut from_elsewhere = Command::new(&program);
        from_elsewhere
            .arg("build")
            .arg(there_inside.join(&source.directory))
            .current_dir("/")
            .env("HOME", there.path());
        let objects = serde_yaml::from_multiple(&inside).unwrap();
        let name = source.directory.trim_start_matches("netsplit/").to_owned();
        Built { name, level: source.level, texts: [inside, output_of(&mut from_elsewhere)], objects }
    };
    Some(sources.iter().map(build).collect())
}

/// The rows of the guide's table: a directory, what it is for, and the level.
fn from_table(guide: &str) -> Vec<Source> {
    let rows = guide.lines().filter(|line| line.starts_with("| `daemonset/"));
    let source = |row: &str| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let directory = cells[1].trim_matches('`');
        let level = cells[3].strip_prefix('`').and_then(|rest| Level::named(rest.split('`').next()?));
        assert!(level.is_some() || cells[3].starts_with("any"), "no level: {row}");
        Source { directory: format!("netsplit/{directory}"), level, files: Vec::new() }
    };
    rows.map(source).collect()
}

/// The overlays that the guide shows: those that a shell writes, with the image of the reader, and those that are YAML.
fn shown(guide: &str) -> Vec<Source> {
    let image = guide.split("\nimages:\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let mut written = Vec::new();
    for piece in guide.split("cat > ../production/").skip(1) {
        let (name, rest) = piece.split_once(" <<'END'\n").unwrap();
        let (text, _) = rest.split_once("END\n").unwrap();
        let more = if name == "kustomization.yaml" { format!("images:\n{image}") } else { String::new() };
        written.push((name.to_owned(), format!("{text}{more}")));
    }
    let blocks = guide.split("```yaml\n").skip(1).filter_map(|piece| piece.split("```").next());
    let blocks = blocks.filter(|text| text.contains("kind: Kustomization"));
    let mut all = vec![source_of("production".to_owned(), written, guide)];
    for (number, text) in blocks.enumerate() {
        let files = vec![("kustomization.yaml".to_owned(), flush(text))];
        all.push(source_of(format!("shown-{number}"), files, guide));
    }
    all
}

/// Without the indentation of its first line.
fn flush(text: &str) -> String {
    let indentation = text.len() - text.trim_start().len();
    let lines: Vec<&str> = text.lines().map(|line| line.get(indentation..).unwrap_or_default()).collect();
    lines.join("\n") + "\n"
}

/// An overlay of the reader, whose level is that of what it changes.
fn source_of(directory: String, files: Vec<(String, String)>, guide: &str) -> Source {
    let (_, kustomization) = files.iter().find(|(name, _)| name == "kustomization.yaml").unwrap();
    let changed = |source: &Source| kustomization.contains(&format!("- ../{}\n", source.directory));
    let level = from_table(guide).iter().find(|source| changed(source)).unwrap().level;
    Source { directory, level, files }
}

/// The clone, and what is beside it.
fn lay_out(place: &Path, sources: &[Source]) {
    copy(&root().join("daemonset"), &place.join("netsplit/daemonset"));
    for source in sources {
        fs::create_dir_all(place.join(&source.directory)).unwrap();
        for (name, text) in &source.files {
            fs::write(place.join(&source.directory).join(name), text).unwrap();
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let from = entry.unwrap().path();
        let to = to.join(from.file_name().unwrap_or(OsStr::new("")));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

/// The entries of a list; none where there is none.
pub(crate) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
