//! The keys of the cluster on disk: one directory, one key a file, 64 hex digits.
//!
//! The order of the file names is the order of age, the last is the newest; so names with the date first rotate well
//! (`2026-11-21`), and `key-9` is newer than `key-10`. Key bytes appear in no message, and neither does a digit that
//! was mistyped.

#![deny(clippy::indexing_slicing, clippy::as_conversions, clippy::unwrap_used, clippy::expect_used)]

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom, SystemRandom};

use crate::wire::{KEY_SIZE, Key, Keys};

/// How many hex digits a key has.
pub const KEY_DIGITS: usize = 2 * KEY_SIZE;

/// How much of a file is read: a key with its newline, and enough to see that it is something else.
const READ_LIMIT: u64 = 4096;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The directory cannot be listed.
    #[error("cannot list the key directory {}: {cause}; create it and put a key in it (`netsplit keygen`), or correct authentication.keys", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// There is no key file in the directory.
    #[error("no key in {}: put at least one file with the output of `netsplit keygen` in it (dotfiles and subdirectories do not count)", .0.display())]
    Empty(PathBuf),
    /// A file cannot be read.
    #[error("cannot read the key {}: {cause}; make it readable for the user that netsplit runs as, or remove it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// What is there is neither a file nor a directory.
    #[error("{} is no regular file: a key directory holds key files only", .0.display())]
    NotAFile(PathBuf),
    /// A file does not hold 64 characters.
    #[error("the key {} has {length} characters, not {KEY_DIGITS}: it must be one line of {KEY_DIGITS} hex digits, as `netsplit keygen` writes it", path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// How many bytes it has without its newline; counted up to 4096.
        length: usize,
    },
    /// A character is no hex digit.
    #[error("the key {} has something at character {position} that is no hex digit (0-9, a-f): write it anew with `netsplit keygen`", path.display())]
    NotHex {
        /// The file.
        path: PathBuf,
        /// Which character, counted from 1.
        position: usize,
    },
}

/// The system gave no randomness for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot make a key: the system gave no randomness; try again when it has booted")]
pub struct NoRandomness;

/// A new key: 64 hex digits, without a newline.
pub fn generate() -> Result<String, NoRandomness> {
    let mut bytes = [0; KEY_SIZE];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandomness)?;
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or_default();
    Ok(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)]).collect())
}

/// All keys of a directory, oldest first; at least one.
///
/// Dotfiles are ignored (Kubernetes keeps `..data` beside the keys that it projects), and so are subdirectories. One
/// bad file refuses the directory, for an agent that leaves out a key without a word falls silent at the next rotation.
/// While a volume is being swapped a file may be gone between list and read: keep the keys of before and try again.
pub fn read_directory(directory: &Path) -> Result<Keys, KeysError> {
    let keys = read_files(directory)?.into_iter().map(|(_, key)| key).collect();
    Keys::oldest_first(keys).ok_or_else(|| KeysError::Empty(directory.into()))
}

/// What an operator most likely did not mean in a directory that can be used all the same: one key in two files, two keys
/// of one id, or a key that everybody on this machine may read. A sentence each.
pub fn oddities(directory: &Path) -> Result<Vec<String>, KeysError> {
    let files = read_files(directory)?;
    let mut odd = Vec::new();
    for (at, (later, key)) in files.iter().enumerate() {
        if is_for_everybody(later) {
            odd.push(format!("everybody on this machine may read the key {0}: `chmod o= {0}`", later.display()));
        }
        let Some((earlier, other)) = files.iter().take(at).find(|(_, other)| other.id() == key.id()) else { continue };
        let (earlier, later) = (earlier.display(), later.display());
        odd.push(if key == other {
            format!("{earlier} and {later} hold the same key; keep the one whose name says how old it is")
        } else {
            format!(
                "{earlier} and {later} are keys of one id ({:02x}), so that peers cannot say which they hold; replace \
                 the later one with another from `netsplit keygen`",
                key.id().0
            )
        });
    }
    Ok(odd)
}

fn is_for_everybody(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o004 != 0)
}

fn read_files(directory: &Path) -> Result<Vec<(PathBuf, Key)>, KeysError> {
    key_files(directory)?.into_iter().map(|path| read_key(&path).map(|key| (path, key))).collect()
}

fn key_files(directory: &Path) -> Result<Vec<PathBuf>, KeysError> {
    let failed = |cause| KeysError::Directory { path: directory.into(), cause };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        // Of what a link leads to: projected keys are links into `..data`.
        let about = fs::metadata(&path).map_err(|cause| KeysError::Unreadable { path: path.clone(), cause })?;
        if about.is_dir() {
            continue;
        }
        if !about.is_file() {
            return Err(KeysError::NotAFile(path));
        }
        files.push(path);
    }
    files.sort();
    Ok(files)
}

fn read_key(path: &Path) -> Result<Key, KeysError> {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(READ_LIMIT).read_to_end(&mut text));
    read.map_err(|cause| KeysError::Unreadable { path: path.into(), cause })?;
    let digits = text.strip_suffix(b"\n").unwrap_or(&text);
    let digits = digits.strip_suffix(b"\r").unwrap_or(digits);
    parse(digits).map(|bytes| Key::new(&bytes)).map_err(|flaw| match flaw {
        Flaw::Length => KeysError::Length { path: path.into(), length: digits.len() },
        Flaw::NotHex { position } => KeysError::NotHex { path: path.into(), position },
    })
}

enum Flaw {
    Length,
    NotHex { position: usize },
}

fn parse(digits: &[u8]) -> Result<[u8; KEY_SIZE], Flaw> {
    if digits.len() != KEY_DIGITS {
        return Err(Flaw::Length);
    }
    let mut bytes = [0; KEY_SIZE];
    for (index, &digit) in digits.iter().enumerate() {
        let value = hex_value(digit).ok_or(Flaw::NotHex { position: index + 1 })?;
        let byte = bytes.get_mut(index / 2).ok_or(Flaw::Length)?;
        *byte = *byte << 4 | value;
    }
    Ok(bytes)
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::{TempDir, tempdir};

    use super::*;
    use crate::wire::KeyId;

    const ONES: &str = "0101010101010101010101010101010101010101010101010101010101010101";
    const TWOS: &str = "0202020202020202020202020202020202020202020202020202020202020202";
    // printf '\1%.0s' {1..32} | sha256sum, and the same for 2.
    const ID_OF_ONES: KeyId = KeyId(0x72);
    const ID_OF_TWOS: KeyId = KeyId(0x75);

    fn directory(files: &[(&str, &str)]) -> TempDir {
        let directory = tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap();
        }
        directory
    }

    fn error(files: &[(&str, &str)]) -> String {
        let directory = directory(files);
        let text = read_directory(directory.path()).unwrap_err().to_string();
        text.replace(directory.path().to_str().unwrap(), "KEYS")
    }

    #[test]
    fn the_last_file_by_name_is_the_newest_key() {
        let directory = directory(&[("2026-11-21", TWOS), ("2026-01-01", ONES)]);
        let keys = read_directory(directory.path()).unwrap();
        assert_eq!(keys.newest(), ID_OF_TWOS);
        assert_eq!(keys.for_peer(None).unwrap().id(), ID_OF_ONES);
    }

    #[test]
    fn a_newline_at_the_end_and_capital_digits_are_fine() {
        for text in [format!("{ONES}\n"), format!("{ONES}\r\n")] {
            assert_eq!(read_directory(directory(&[("a", &text)]).path()).unwrap().newest(), ID_OF_ONES);
        }
        let (small, capital) = (directory(&[("a", &"ab".repeat(32))]), directory(&[("a", &"AB".repeat(32))]));
        let newest = |at: &TempDir| read_directory(at.path()).unwrap().newest();
        assert_eq!(newest(&small), newest(&capital));
    }

    #[test]
    fn keys_are_found_as_kubernetes_projects_them() {
        let directory = directory(&[]);
        let data = directory.path().join("..2026_11_21");
        fs::create_dir(&data).unwrap();
        fs::write(data.join("first"), ONES).unwrap();
        symlink("..2026_11_21", directory.path().join("..data")).unwrap();
        symlink("..data/first", directory.path().join("first")).unwrap();
        fs::create_dir(directory.path().join("lost+found")).unwrap();
        assert_eq!(read_directory(directory.path()).unwrap().len(), 1);
    }

    #[test]
    fn a_missing_directory_says_what_to_do() {
        let text = read_directory(Path::new("/nowhere/keys")).unwrap_err().to_string();
        assert!(text.starts_with("cannot list the key directory /nowhere/keys: No such file"), "{text}");
        assert!(text.contains("netsplit keygen"), "{text}");
    }

    #[test]
    fn a_directory_of_dotfiles_is_empty() {
        assert!(error(&[(".key", ONES)]).starts_with("no key in KEYS: put at least one file"));
    }

    #[test]
    fn a_link_to_nowhere_is_an_unreadable_key() {
        let directory = directory(&[("a", ONES)]);
        symlink("gone", directory.path().join("b")).unwrap();
        assert!(
            matches!(read_directory(directory.path()), Err(KeysError::Unreadable { path, .. }) if path.ends_with("b"))
        );
    }

    #[test]
    fn a_short_key_is_told_by_its_length_and_not_by_its_content() {
        let text = error(&[("a", "abcdef\n")]);
        assert!(text.starts_with("the key KEYS/a has 6 characters, not 64"), "{text}");
        assert!(!text.contains("abcdef"), "{text}");
    }

    #[test]
    fn a_key_of_two_lines_is_refused() {
        assert!(error(&[("a", &format!("{ONES}\n{TWOS}\n"))]).contains("has 129 characters"));
    }

    #[test]
    fn a_character_that_is_no_digit_is_told_by_its_position() {
        let text = error(&[("a", &format!("{}x{}", &ONES[..10], &ONES[11..]))]);
        assert!(text.starts_with("the key KEYS/a has something at character 11 that is no hex digit"), "{text}");
    }

    #[test]
    fn one_key_in_two_files_and_two_keys_of_one_id_are_odd() {
        let of_number = |number: usize| format!("{number:064x}");
        let id = |number: usize| read_directory(directory(&[("a", &of_number(number))]).path()).unwrap().newest();
        let twin = (1..10_000).find(|&number| id(number) == id(0)).unwrap();
        let directory = directory(&[("1", &of_number(0)), ("2", &of_number(twin)), ("3", ONES), ("4", ONES)]);
        let odd = oddities(directory.path()).unwrap();
        assert_eq!(odd.len(), 2, "{odd:?}");
        assert!(odd[0].contains("/1 and ") && odd[0].contains("/2 are keys of one id"), "{}", odd[0]);
        assert!(odd[1].contains("/4 hold the same key"), "{}", odd[1]);
        assert!(!odd.concat().contains(ONES), "no key is told");
    }

    #[test]
    fn a_key_that_everybody_may_read_is_odd() {
        let directory = directory(&[("1", ONES), ("2", TWOS)]);
        fs::set_permissions(directory.path().join("2"), fs::Permissions::from_mode(0o644)).unwrap();
        let odd = oddities(directory.path()).unwrap();
        assert!(odd.len() == 1 && odd[0].contains("may read the key") && odd[0].ends_with("/2`"), "{odd:?}");
    }

    #[test]
    fn a_generated_key_reads_back_and_no_two_are_alike() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert_ne!(one, other);
        assert_eq!(read_directory(directory(&[("a", &one), ("b", &other)]).path()).unwrap().len(), 2);
    }
}
