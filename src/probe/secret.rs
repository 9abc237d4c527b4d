//! Secrets: read from a file for one probe, never shown, gone with it.

use std::fmt;
use std::fs;
use std::path::Path;

use super::report::Fault;

/// The largest file that is read. A token of Kubernetes has about a thousand bytes.
const LARGEST: u64 = 64 * 1024;

/// A password or token.
pub(super) struct Secret(String);

impl Secret {
    /// What a file holds, less the end of its line.
    pub(super) fn in_file(path: &Path) -> Result<Self, Fault> {
        let text = read(path)?;
        let text = String::from_utf8(text).map_err(|_| unreadable(path, &"it is not UTF-8"))?;
        Ok(Self(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    /// For the protocol, and for nobody else.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A file that the configuration names. A file that is not there is a fault of this machine.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    let size = fs::metadata(path).map_err(|error| unreadable(path, &error))?.len();
    if size > LARGEST {
        return Err(unreadable(path, &"it is larger than 64 KiB"));
    }
    fs::read(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, why: &dyn fmt::Display) -> Fault {
    Fault::local(format!("{} cannot be read: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_file_without_the_end_of_its_line_and_is_never_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "correct horse \r\n").unwrap();
        let secret = Secret::in_file(file.path()).unwrap();
        assert_eq!((secret.expose(), format!("{secret:?}").contains("horse")), ("correct horse ", false));
    }

    #[test]
    fn a_file_that_is_missing_or_too_large_is_a_fault_of_this_machine() {
        let directory = tempfile::tempdir().unwrap();
        let large = directory.path().join("large");
        fs::write(&large, vec![b'x'; 65 * 1024]).unwrap();
        for path in [directory.path().join("missing"), large] {
            let fault = Secret::in_file(&path).unwrap_err();
            assert_eq!(fault.cause, None);
            assert!(fault.detail.contains(path.to_str().unwrap()), "{}", fault.detail);
        }
    }
}
