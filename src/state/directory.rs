//! The real [`Disk`]: a directory of this machine.

use std::fs::{self, DirBuilder, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::disk::{Disk, File, Locked};

/// Only the user that netsplit runs as has business in there.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// A directory, and the lock on it once it is taken.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    lock: Option<fs::File>,
}

impl Directory {
    /// The directory at `path`, which need not exist.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), lock: None }
    }
}

impl Disk for Directory {
    type File = fs::File;

    /// Makes the last part of the path only: a path that is mistyped further up must not grow a tree.
    fn prepare(&mut self) -> io::Result<()> {
        if self.path.is_dir() {
            return Ok(());
        }
        match DirBuilder::new().mode(DIRECTORY_MODE).create(&self.path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && self.path.is_dir() => Ok(()),
            Err(error) => Err(error),
            Ok(()) => sync_directory(self.path.parent().filter(|parent| *parent != Path::new(""))),
        }
    }

    fn lock(&mut self, name: &str) -> io::Result<Locked> {
        if self.lock.is_some() {
            return Ok(Locked::Ours);
        }
        let path = self.path.join(name);
        let file = OpenOptions::new().create(true).write(true).truncate(false).mode(FILE_MODE).open(path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(Locked::InUse),
            Err(TryLockError::Error(error)) if !is_without_locks(&error) => return Err(error),
            Err(TryLockError::Error(_)) | Ok(()) => self.lock = Some(file),
        }
        Ok(Locked::Ours)
    }

    fn read(&mut self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let path = self.path.join(name);
        let is_file = match fs::metadata(&path) {
            Ok(about) => about.is_file(),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
            Err(error) => return Err(error),
        };
        if !is_file {
            // To open a pipe would wait for somebody to write into it.
            return Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file"));
        }
        let mut bytes = Vec::new();
        fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    fn create(&mut self, name: &str) -> io::Result<fs::File> {
        let path = self.path.join(name);
        // What is left of a crash may be a link or belong to somebody else: nothing is written through it.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        OpenOptions::new().create_new(true).write(true).mode(FILE_MODE).open(path)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync_names(&mut self) -> io::Result<()> {
        sync_directory(Some(&self.path))
    }
}

impl File for fs::File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Of a relative path of one part, the parent is where netsplit was started.
fn sync_directory(path: Option<&Path>) -> io::Result<()> {
    fs::File::open(path.unwrap_or(Path::new(".")))?.sync_all()
}

/// Some network file systems cannot lock. An agent there is better off with a state that nobody guards than with none.
fn is_without_locks(error: &io::Error) -> bool {
    [Errno::ENOLCK, Errno::EOPNOTSUPP, Errno::ENOSYS].iter().any(|errno| error.raw_os_error() == Some(*errno as i32))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_missing_directory_is_made_for_this_user_alone_and_a_missing_tree_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("state");
        Directory::at(&path).prepare().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        let error = Directory::at(parent.path().join("mistyped/state")).prepare().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_directory_has_one_owner_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let (mut one, mut other) = (Directory::at(parent.path()), Directory::at(parent.path()));
        assert_eq!(one.lock("lock").unwrap(), Locked::Ours);
        assert_eq!(one.lock("lock").unwrap(), Locked::Ours, "it already is");
        assert_eq!(other.lock("lock").unwrap(), Locked::InUse);
        drop(one);
        assert_eq!(other.lock("lock").unwrap(), Locked::Ours);
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let parent = tempfile::tempdir().unwrap();
        nix::unistd::mkfifo(&parent.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(Directory::at(parent.path()).read("pipe", 10).is_err());
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let parent = tempfile::tempdir().unwrap();
        let path = |name| parent.path().join(name);
        fs::write(path("elsewhere"), "precious").unwrap();
        std::os::unix::fs::symlink("elsewhere", path("state.json.tmp")).unwrap();
        Directory::at(parent.path()).create("state.json.tmp").unwrap().write_all(b"new").unwrap();
        assert_eq!(fs::read(path("elsewhere")).unwrap(), b"precious");
    }
}
