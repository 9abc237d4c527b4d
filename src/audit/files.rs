//! The real [`Disk`]: a file of this machine, and those beside it.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::disk::{About, Disk, File, Identity, Locked, Name};

/// The group of the agent may read: whoever collects logs.
const DIRECTORY_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;

/// The log at a path, and the lock on it once it is taken.
#[derive(Debug)]
pub struct Files {
    path: PathBuf,
    lock: Option<fs::File>,
}

impl Files {
    /// The log at `path`, where nothing need be.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), lock: None }
    }

    fn path(&self, name: Name) -> PathBuf {
        beside(&self.path, &name.to_string())
    }

    /// Where it is; of a relative path of one part, where netsplit was started.
    fn directory(&self) -> &Path {
        self.path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."))
    }
}

/// The file that has this behind its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

impl Disk for Files {
    type File = fs::File;

    /// Makes the last part of the path only: a path that is mistyped further up must not grow a tree.
    fn prepare(&mut self) -> io::Result<()> {
        let directory = self.directory();
        if directory.is_dir() {
            return Ok(());
        }
        match DirBuilder::new().mode(DIRECTORY_MODE).create(directory) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
            other => other,
        }
    }

    fn lock(&mut self) -> io::Result<Locked> {
        let path = beside(&self.path, ".lock");
        if let Some(lock) = &self.lock {
            // A directory that was removed took the file with it, and then the lock keeps nobody out.
            let there = fs::metadata(&path).ok().map(|metadata| about(&metadata).identity);
            if there == Some(about(&lock.metadata()?).identity) {
                return Ok(Locked::Ours);
            }
        }
        let options = OpenOptions::new().create(true).write(true).truncate(false).mode(FILE_MODE).clone();
        let file = options.open(path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(Locked::InUse),
            Err(TryLockError::Error(error)) if !is_without_locks(&error) => return Err(error),
            Err(TryLockError::Error(_)) | Ok(()) => self.lock = Some(file),
        }
        Ok(Locked::Ours)
    }

    fn look(&mut self, name: Name) -> io::Result<Option<About>> {
        match fs::metadata(self.path(name)) {
            Ok(metadata) if metadata.is_file() => Ok(Some(about(&metadata))),
            // To open a pipe would wait for somebody who reads it.
            Ok(_) => Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file")),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read(&mut self, name: Name, from: u64, limit: u64) -> io::Result<Vec<u8>> {
        let mut file = fs::File::open(self.path(name))?;
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn open(&mut self, name: Name) -> io::Result<fs::File> {
        OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(self.path(name))
    }

    fn rename(&mut self, from: Name, to: Name) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&mut self, name: Name) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    fn sync_names(&mut self) -> io::Result<()> {
        fs::File::open(self.directory())?.sync_all()
    }
}

impl File for fs::File {
    fn about(&self) -> io::Result<About> {
        self.metadata().map(|metadata| about(&metadata))
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

fn about(metadata: &Metadata) -> About {
    About { identity: identity(metadata), length: metadata.len() }
}

/// Which file it is, whatever its name.
pub(super) fn identity(metadata: &Metadata) -> Identity {
    Identity(metadata.dev(), metadata.ino())
}

/// Some network file systems cannot lock. An agent there is better off with a log that nobody guards than with none.
fn is_without_locks(error: &io::Error) -> bool {
    [Errno::ENOLCK, Errno::EOPNOTSUPP, Errno::ENOSYS].iter().any(|errno| error.raw_os_error() == Some(*errno as i32))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_log_is_for_its_user_and_to_be_read_by_its_group() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("log/events.log");
        let mut files = Files::at(&path);
        files.prepare().unwrap();
        files.open(Name::Log).unwrap().write_all(b"line\n").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        // What the umask takes away is no matter of ours.
        assert_eq!((mode(&path) & !0o640, mode(path.parent().unwrap()) & !0o750), (0, 0));
        assert_eq!(mode(&path) & 0o600, 0o600);
    }

    #[test]
    fn a_missing_tree_is_not_made() {
        let parent = tempfile::tempdir().unwrap();
        let error = Files::at(parent.path().join("mistyped/log/events.log")).prepare().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_log_has_one_owner_at_a_time_and_a_lock_that_was_removed_is_none() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("events.log");
        let (mut one, mut other) = (Files::at(&path), Files::at(&path));
        assert_eq!(one.lock().unwrap(), Locked::Ours);
        assert_eq!(one.lock().unwrap(), Locked::Ours, "it already is");
        assert_eq!(other.lock().unwrap(), Locked::InUse);
        fs::remove_file(parent.path().join("events.log.lock")).unwrap();
        assert_eq!(other.lock().unwrap(), Locked::Ours);
        assert_eq!(one.lock().unwrap(), Locked::InUse, "it was lost, and somebody else has it");
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(Files::at(path).look(Name::Log).unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn a_file_is_known_by_itself_whatever_its_name() {
        let parent = tempfile::tempdir().unwrap();
        let mut files = Files::at(parent.path().join("events.log"));
        let mut file = files.open(Name::Log).unwrap();
        file.write_all(b"line\n").unwrap();
        files.rename(Name::Log, Name::Older(1)).unwrap();
        assert_eq!(files.look(Name::Log).unwrap(), None);
        assert_eq!(files.look(Name::Older(1)).unwrap(), Some(file.about().unwrap()));
        assert_eq!(file.about().unwrap().length, 5);
    }
}
