//! The archive that `make image` writes: an index, a manifest, the image's configuration, and its layers, each a file that is
//! named after its SHA-256 (the OCI image layout).

use std::env::consts::ARCH;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ring::digest::{SHA256, digest};
use serde_json::Value;
use tempfile::TempDir;

/// An archive, unpacked.
pub struct Archive {
    /// How large the archive is.
    pub bytes: u64,
    /// The configuration of its image.
    pub image: Value,
    layers: Vec<PathBuf>,
    _directory: TempDir,
}

impl Archive {
    /// The one of this architecture, in the words of images. `None`, with the reason told, where it was not built: with
    /// `NETSPLIT_TEST_ALL=1` too, since the program is built anew for it.
    pub fn of(architecture: &str) -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let file = root.join(format!("target/image/{architecture}/netsplit.tar"));
        if !file.exists() {
            eprintln!("skipped: there is no image for {architecture}: `make image ARCH={architecture}` builds one");
            return None;
        }
        let archive = Self::read(&file);
        eprintln!("{}: {} kB, revision {}", file.display(), archive.bytes / 1000, archive.label("revision"));
        Some(archive)
    }

    /// The one that this machine runs.
    pub fn of_this_machine() -> Option<Self> {
        Self::of(if ARCH == "aarch64" { "arm64" } else { "amd64" })
    }

    fn read(file: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        untar(file, directory.path());
        let index = json(&fs::read(directory.path().join("index.json")).unwrap());
        let manifest = json(&fs::read(blob(directory.path(), only(&index["manifests"]))).unwrap());
        let image = json(&fs::read(blob(directory.path(), &manifest["config"])).unwrap());
        let layers = manifest["layers"].as_array().unwrap().iter().map(|layer| blob(directory.path(), layer)).collect();
        Self { bytes: fs::metadata(file).unwrap().len(), image, layers, _directory: directory }
    }

    /// What the image says of itself, by the last word of its label's name.
    pub fn label(&self, name: &str) -> &str {
        let label = &self.image["config"]["Labels"][format!("org.opencontainers.image.{name}")];
        label.as_str().unwrap_or_else(|| panic!("a label {name}: {}", self.image))
    }

    /// Lays out the root of a container.
    pub fn unpack(&self, root: &Path) {
        fs::create_dir_all(root).unwrap();
        self.layers.iter().for_each(|layer| untar(layer, root));
    }
}

/// The file of a descriptor, which must have its digest.
fn blob(directory: &Path, descriptor: &Value) -> PathBuf {
    let (kind, name) = descriptor["digest"].as_str().unwrap().split_once(':').unwrap();
    let file = directory.join("blobs").join(kind).join(name);
    let found = digest(&SHA256, &fs::read(&file).unwrap());
    let found = found.as_ref().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    });
    assert_eq!((kind, name), ("sha256", found.as_str()), "a file of the archive has its digest");
    file
}

fn only(list: &Value) -> &Value {
    let [only] = list.as_array().unwrap().as_slice() else { panic!("one, not {list}") };
    only
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn untar(file: &Path, into: &Path) {
    let done = Command::new("tar").arg("-xpf").arg(file).arg("-C").arg(into).output().unwrap();
    assert!(done.status.success(), "tar: {}", String::from_utf8_lossy(&done.stderr));
}
