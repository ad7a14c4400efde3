//! Opening and reading files within grants.
//!
//! What a path leads to is decided by the kernel once, and the check is made on the very thing that was opened: either `openat2` below the
//! granted folder, where nothing can lead out of it, or an `O_PATH` handle whose real path is looked at before it is opened for reading.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{self, CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::grant::Grants;
use crate::imports::errors::{Error, of_errno};

/// Longest path, bytes: the kernel's own limit.
const MAX_PATH: usize = 4096;

/// Entries of one directory.
const MAX_ENTRIES: usize = 1_000_000;

/// A file of sysfs or of a cgroup that gives less at the first question has given all: the kernel fills a page (filesystems/sysfs,
/// filesystems/seq_file in its documentation), and leaves it unfilled only for a line that has no room in the rest.
const WHOLE: usize = 1024;

/// What is read at once.
const CHUNK: usize = 64 << 10;

/// Opens files for one batch of requests: keeps the granted folders open, and a buffer.
pub(crate) struct Opener<'a> {
    grants: &'a Grants,
    roots: Vec<(PathBuf, OwnedFd)>,
    buffer: Vec<u8>,
}

/// What a path is to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    /// A regular file, to be read.
    File,
    /// A directory, to be listed.
    Directory,
    /// Anything, only looked at.
    Any,
    /// A link itself.
    Link,
}

/// What is known of a file.
pub(crate) struct Meta {
    /// Type.
    pub(crate) kind: FileType,
    /// Bytes.
    pub(crate) size: u64,
    /// Last change, milliseconds of Unix time.
    pub(crate) modified_ms: i64,
    /// `st_mode`.
    pub(crate) mode: u32,
    /// Owner.
    pub(crate) uid: u32,
    /// Group.
    pub(crate) gid: u32,
}

impl<'a> Opener<'a> {
    /// Opens within these grants.
    pub(crate) fn new(grants: &'a Grants) -> Opener<'a> {
        Opener { grants, roots: Vec::new(), buffer: Vec::new() }
    }

    /// A whole file of at most `max` bytes.
    pub(crate) fn read(&mut self, path: &str, max: usize) -> Result<Vec<u8>, Error> {
        let fd = self.open(path, Want::File)?;
        let too_large = || Error::TooLarge(format!("{path}: longer than {max} bytes"));
        let attribute = path.starts_with("/sys/");
        // Those of procfs say 0, those of sysfs 4096.
        if !attribute && !path.starts_with("/proc/") {
            let stat = fs::fstat(&fd).map_err(|e| of_errno(path, e))?;
            if stat.st_size as u64 > max as u64 {
                return Err(too_large());
            }
        }
        self.buffer.resize(CHUNK, 0);
        let mut content = Vec::new();
        loop {
            let n = match rustix::io::read(&fd, &mut self.buffer[..]) {
                Err(Errno::INTR) => continue,
                other => other.map_err(|e| of_errno(path, e))?,
            };
            if n == 0 {
                return Ok(content);
            }
            if content.len() + n > max {
                return Err(too_large());
            }
            content.extend_from_slice(&self.buffer[..n]);
            // A second question would be much of the cost of the many small ones.
            if attribute && n < WHOLE {
                return Ok(content);
            }
        }
    }

    /// The entries of a directory, by name.
    pub(crate) fn list(&mut self, path: &str) -> Result<Vec<(String, FileType)>, Error> {
        let fd = self.open(path, Want::Directory)?;
        let mut entries = Vec::new();
        for entry in fs::Dir::read_from(&fd).map_err(|e| of_errno(path, e))? {
            let entry = entry.map_err(|e| of_errno(path, e))?;
            let name = entry.file_name();
            if name.to_bytes() == b"." || name.to_bytes() == b".." {
                continue;
            }
            if entries.len() == MAX_ENTRIES {
                return Err(Error::TooLarge(format!("{path}: more than {MAX_ENTRIES} entries")));
            }
            let kind = match entry.file_type() {
                // Some file systems don't say.
                FileType::Unknown => fs::statat(&fd, name, fs::AtFlags::SYMLINK_NOFOLLOW)
                    .map_or(FileType::Unknown, |s| FileType::from_raw_mode(s.st_mode)),
                known => known,
            };
            entries.push((name.to_string_lossy().into_owned(), kind));
        }
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(entries)
    }

    /// Where a link points.
    pub(crate) fn read_link(&mut self, path: &str) -> Result<String, Error> {
        let fd = self.open(path, Want::Link)?;
        let target = fs::readlinkat(&fd, "", Vec::new()).map_err(|e| match e {
            Errno::NOENT | Errno::INVAL => Error::Other(format!("{path}: not a symbolic link")),
            other => of_errno(path, other),
        })?;
        Ok(target.to_string_lossy().into_owned())
    }

    /// What is known of a file, links followed.
    pub(crate) fn metadata(&mut self, path: &str) -> Result<Meta, Error> {
        let fd = self.open(path, Want::Any)?;
        let stat = fs::fstat(&fd).map_err(|e| of_errno(path, e))?;
        Ok(Meta {
            kind: FileType::from_raw_mode(stat.st_mode),
            size: stat.st_size as u64,
            modified_ms: (stat.st_mtime as i64)
                .saturating_mul(1000)
                .saturating_add(stat.st_mtime_nsec as i64 / 1_000_000),
            mode: stat.st_mode,
            uid: stat.st_uid,
            gid: stat.st_gid,
        })
    }

    /// A handle of a directory, to walk it.
    pub(crate) fn directory(&mut self, path: &str) -> Result<OwnedFd, Error> {
        self.open(path, Want::Directory)
    }

    /// A handle of anything, for calls that only need to know which file system it is on.
    pub(crate) fn anything(&mut self, path: &str) -> Result<OwnedFd, Error> {
        self.open(path, Want::Any)
    }

    fn open(&mut self, text: &str, want: Want) -> Result<OwnedFd, Error> {
        let path = checked_path(text)?;
        match self.open_below(path, want) {
            Some(Ok(fd)) => return check_type(fd, text, want),
            // A link that leads out of the granted folder: another grant may cover where it leads.
            Some(Err(Errno::XDEV | Errno::LOOP | Errno::NOSYS | Errno::AGAIN | Errno::PERM)) | None => {}
            Some(Err(errno)) => return Err(of_errno(text, errno)),
        }
        self.open_anywhere(path, text, want)
    }

    /// Within /proc and /sys, where there are no devices whose mere opening does something: below the granted folder in one call. `None`: not such a path.
    fn open_below(&mut self, path: &Path, want: Want) -> Option<Result<OwnedFd, Errno>> {
        let special = path.starts_with("/proc") || path.starts_with("/sys");
        let plain = path.components().all(|c| matches!(c, Component::RootDir | Component::Normal(_)));
        if !special || !plain || self.grants.file(path).is_err() {
            return None;
        }
        let root = self.grants.root_of(path).filter(|r| r.starts_with("/proc") || r.starts_with("/sys"))?.to_owned();
        let rest = path.strip_prefix(&root).ok().filter(|r| !r.as_os_str().is_empty())?;
        let fd = match self.root(&root) {
            Ok(fd) => fd,
            Err(errno) => return Some(Err(errno)),
        };
        let flags = match want {
            Want::File => OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY,
            Want::Directory => OFlags::RDONLY | OFlags::DIRECTORY,
            Want::Any => OFlags::PATH,
            Want::Link => OFlags::PATH | OFlags::NOFOLLOW,
        };
        // Links inside /proc (self, net, mounts) keep the last name, so that what the grants said of the path as written holds for where they lead;
        // those that would not (fd, cwd, root, exe) are the magic ones that are refused here.
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        Some(fs::openat2(fd, rest, flags | OFlags::CLOEXEC, Mode::empty(), resolve))
    }

    fn root(&mut self, root: &Path) -> Result<BorrowedFd<'_>, Errno> {
        use std::os::fd::AsFd;
        let at = match self.roots.iter().position(|(path, _)| path == root) {
            Some(at) => at,
            None => {
                let fd = fs::openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
                self.roots.push((root.to_owned(), fd));
                self.roots.len() - 1
            }
        };
        Ok(self.roots[at].1.as_fd())
    }

    /// Anywhere: a handle first, its real path checked, then opened for reading through the handle.
    fn open_anywhere(&self, path: &Path, text: &str, want: Want) -> Result<OwnedFd, Error> {
        let follow = if want == Want::Link { OFlags::NOFOLLOW } else { OFlags::empty() };
        let handle = match fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC | follow, Mode::empty()) {
            Ok(handle) => handle,
            // Whether something is there is told of granted places alone.
            Err(errno) => {
                self.grants.file(&without_dots(path))?;
                return Err(of_errno(text, errno));
            }
        };
        let through = format!("/proc/self/fd/{}", handle.as_raw_fd());
        let real = fs::readlink(&through, Vec::new()).map_err(|e| of_errno(text, e))?;
        self.grants.file(Path::new(&OsString::from_vec(real.into_bytes())))?;
        let handle = check_type(handle, text, want)?;
        let flags = match want {
            Want::File => OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC,
            Want::Directory => OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Want::Any | Want::Link => return Ok(handle),
        };
        fs::openat(CWD, through, flags, Mode::empty()).map_err(|e| of_errno(text, e))
    }
}

fn checked_path(text: &str) -> Result<&Path, Error> {
    let shown = || text.chars().take(100).collect::<String>();
    if !text.starts_with('/') {
        return Err(Error::Other(format!("path \"{}\" is not absolute", shown())));
    }
    if text.len() > MAX_PATH || text.contains('\0') {
        return Err(Error::Other(format!("path \"{}\": longer than {MAX_PATH} bytes, or with a zero byte", shown())));
    }
    Ok(Path::new(text))
}

/// The path with `..` taken by its letters.
fn without_dots(path: &Path) -> PathBuf {
    let mut out = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::ParentDir => drop(out.pop()),
            Component::Normal(name) => out.push(name),
            _ => {}
        }
    }
    out
}

fn check_type(fd: OwnedFd, text: &str, want: Want) -> Result<OwnedFd, Error> {
    let wanted = match want {
        Want::File => FileType::RegularFile,
        Want::Directory => FileType::Directory,
        Want::Any | Want::Link => return Ok(fd),
    };
    let stat = fs::fstat(&fd).map_err(|e| of_errno(text, e))?;
    match FileType::from_raw_mode(stat.st_mode) {
        found if found == wanted => Ok(fd),
        FileType::Directory => Err(Error::Other(format!("{text}: is a directory"))),
        _ if want == Want::Directory => Err(Error::Other(format!("{text}: not a directory"))),
        _ => Err(Error::Unsupported(format!("{text}: not a regular file"))),
    }
}

/// Room on the file system that a handle is on.
pub(crate) fn usage(fd: &OwnedFd) -> io::Result<fs::StatVfs> {
    Ok(fs::fstatvfs(fd)?)
}
