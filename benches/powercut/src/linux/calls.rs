//! Which calls change or sync the folder, and what they change.

use std::fs::File;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::unistd::Pid;

use super::change::Change;
use super::disk::{Disk, Synced};
use super::registers::Registers;
use super::{PowerError, on};

/// Bytes of a path at most.
const PATH: usize = 4_096;
/// Parts of a gathered write at most.
const PARTS: u64 = 1_024;

/// A call that concerns the folder.
#[derive(Debug)]
pub enum Call {
    Changes(Vec<Change>),
    Sync(Synced),
}

/// What a thread sees: the memory and the table of files of its process.
struct Program(Pid);

impl Program {
    fn memory(&self, at: u64, length: usize) -> Result<Vec<u8>, PowerError> {
        let path = PathBuf::from(format!("/proc/{}/mem", self.0));
        let memory = on(&path, File::open(&path))?;
        let mut bytes = vec![0; length];
        let mut read = 0;
        while read < length {
            // What lies behind the end of a path may not be there.
            match memory.read_at(&mut bytes[read..], at + read as u64) {
                Ok(0) | Err(_) => break,
                Ok(more) => read += more,
            }
        }
        bytes.truncate(read);
        Ok(bytes)
    }

    fn numbers(&self, at: u64, count: usize) -> Result<Vec<u64>, PowerError> {
        let bytes = self.memory(at, count * 8)?;
        let words = bytes.chunks_exact(8);
        Ok(words
            .map(|word| {
                word.iter()
                    .rev()
                    .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
            })
            .collect())
    }

    fn link(&self, descriptor: u64) -> PathBuf {
        PathBuf::from(format!("/proc/{}/fd/{}", self.0, descriptor as i32))
    }

    /// Where a descriptor leads; none for what is no file.
    fn opened(&self, descriptor: u64) -> Option<PathBuf> {
        std::fs::read_link(self.link(descriptor)).ok()
    }

    /// The path a call was given, with the links of its folder followed; none where there is no
    /// such folder.
    fn path(&self, folder: u64, at: u64) -> Result<Option<PathBuf>, PowerError> {
        let mut bytes = self.memory(at, PATH)?;
        let end = bytes.iter().position(|byte| *byte == 0);
        bytes.truncate(end.unwrap_or(bytes.len()));
        let given = PathBuf::from(std::ffi::OsString::from_vec(bytes));
        let base = match folder as i32 {
            libc::AT_FDCWD => std::fs::read_link(format!("/proc/{}/cwd", self.0)).ok(),
            _ => self.opened(folder),
        };
        let Some(path) = base.map(|base| base.join(given)) else {
            return Ok(None);
        };
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(None);
        };
        Ok(parent.canonicalize().ok().map(|parent| parent.join(name)))
    }

    /// Where a descriptor writes next, and its flags.
    fn position(&self, descriptor: u64) -> Result<(u64, i32), PowerError> {
        let path = format!("/proc/{}/fdinfo/{}", self.0, descriptor as i32);
        let path = Path::new(&path);
        let about = on(path, std::fs::read_to_string(path))?;
        let field = |name: &str| {
            let found = about.lines().find_map(|line| line.strip_prefix(name));
            found.unwrap_or_default().trim().to_owned()
        };
        let flags = i32::from_str_radix(&field("flags:"), 8).unwrap_or_default();
        Ok((field("pos:").parse().unwrap_or_default(), flags))
    }
}

/// Reads a call that begins; none where it doesn't concern the folder.
pub fn read(
    thread: Pid,
    registers: &Registers,
    disk: &mut Disk,
) -> Result<Option<Call>, PowerError> {
    let program = Program(thread);
    let [a, b, c, d, e, _] = registers.given;
    let here = libc::AT_FDCWD as u64;
    #[cfg(target_arch = "x86_64")]
    match registers.call {
        libc::SYS_open => return open(&program, disk, here, a, b as i32),
        libc::SYS_creat => {
            return open(&program, disk, here, a, libc::O_CREAT | libc::O_TRUNC);
        }
        libc::SYS_unlink => return remove(&program, disk, here, a, false),
        libc::SYS_rmdir => return remove(&program, disk, here, a, true),
        libc::SYS_mkdir => return make_folder(&program, disk, here, a),
        libc::SYS_rename => return rename(&program, disk, (here, a), (here, b)),
        libc::SYS_link | libc::SYS_symlink => return unknown(&program, disk, "link", here, b),
        _ => {}
    }
    match registers.call {
        libc::SYS_openat => open(&program, disk, a, b, c as i32),
        libc::SYS_openat2 => unknown(&program, disk, "openat2", a, b),
        libc::SYS_linkat => unknown(&program, disk, "linkat", c, d),
        libc::SYS_symlinkat => unknown(&program, disk, "symlinkat", b, c),
        libc::SYS_write => write(&program, disk, a, c, None),
        libc::SYS_pwrite64 => write(&program, disk, a, c, Some(d)),
        libc::SYS_writev => {
            let length = gathered(&program, b, c)?;
            write(&program, disk, a, length, None)
        }
        libc::SYS_pwritev => {
            let length = gathered(&program, b, c)?;
            write(&program, disk, a, length, Some(d))
        }
        libc::SYS_ftruncate => match program.opened(a) {
            Some(path) if disk.watches(&path) => length(disk, &program.link(a), b),
            _ => Ok(None),
        },
        libc::SYS_truncate => match program.path(here, a)? {
            Some(path) if disk.watches(&path) && path.exists() => length(disk, &path, b),
            _ => Ok(None),
        },
        libc::SYS_fsync | libc::SYS_fdatasync => sync(&program, disk, a),
        libc::SYS_sync | libc::SYS_syncfs => Ok(Some(Call::Sync(Synced::Everything))),
        libc::SYS_renameat | libc::SYS_renameat2 => rename(&program, disk, (a, b), (c, d)),
        libc::SYS_unlinkat => remove(&program, disk, a, b, c as i32 & libc::AT_REMOVEDIR != 0),
        libc::SYS_mkdirat => make_folder(&program, disk, a, b),
        libc::SYS_fallocate => unknown_file(&program, disk, "fallocate", a),
        libc::SYS_pwritev2 => unknown_file(&program, disk, "pwritev2", a),
        libc::SYS_copy_file_range => unknown_file(&program, disk, "copy_file_range", c),
        libc::SYS_splice => unknown_file(&program, disk, "splice", c),
        libc::SYS_sendfile => unknown_file(&program, disk, "sendfile", a),
        libc::SYS_mmap => {
            let shares = d as i32 & libc::MAP_SHARED != 0 && c as i32 & libc::PROT_WRITE != 0;
            match shares {
                true => unknown_file(&program, disk, "a shared map", e),
                false => Ok(None),
            }
        }
        libc::SYS_io_uring_setup => Err(PowerError::Unknown("io_uring".to_owned())),
        _ => Ok(None),
    }
}

fn unknown(
    program: &Program,
    disk: &Disk,
    call: &str,
    folder: u64,
    at: u64,
) -> Result<Option<Call>, PowerError> {
    match program.path(folder, at)? {
        Some(path) if disk.watches(&path) => {
            let told = format!("{call} of {}", path.display());
            Err(PowerError::Unknown(told))
        }
        _ => Ok(None),
    }
}

fn unknown_file(
    program: &Program,
    disk: &Disk,
    call: &str,
    descriptor: u64,
) -> Result<Option<Call>, PowerError> {
    match program.opened(descriptor) {
        Some(path) if disk.watches(&path) => {
            let told = format!("{call} of {}", path.display());
            Err(PowerError::Unknown(told))
        }
        _ => Ok(None),
    }
}

fn some(changes: Vec<Change>) -> Option<Call> {
    (!changes.is_empty()).then_some(Call::Changes(changes))
}

fn open(
    program: &Program,
    disk: &mut Disk,
    folder: u64,
    at: u64,
    flags: i32,
) -> Result<Option<Call>, PowerError> {
    if flags & (libc::O_CREAT | libc::O_TRUNC | libc::O_SYNC) == 0 {
        return Ok(None);
    }
    let Some(path) = program.path(folder, at)?.filter(|path| disk.watches(path)) else {
        return Ok(None);
    };
    if flags & libc::O_TMPFILE == libc::O_TMPFILE {
        // What has no name is gone at the cut.
        return Ok(None);
    }
    if flags & libc::O_SYNC != 0 {
        let told = format!("open of {} with flags {flags:o}", path.display());
        return Err(PowerError::Unknown(told));
    }
    let mut changes = Vec::new();
    if !path.exists() {
        if flags & libc::O_CREAT != 0 {
            changes.push(Change::Made { path });
        }
    } else if flags & libc::O_TRUNC != 0 && flags & libc::O_EXCL == 0 {
        return length(disk, &path, 0);
    }
    Ok(some(changes))
}

fn gathered(program: &Program, at: u64, parts: u64) -> Result<u64, PowerError> {
    let words = program.numbers(at, 2 * parts.min(PARTS) as usize)?;
    Ok(words.chunks_exact(2).map(|part| part[1]).sum())
}

fn write(
    program: &Program,
    disk: &mut Disk,
    descriptor: u64,
    length: u64,
    at: Option<u64>,
) -> Result<Option<Call>, PowerError> {
    let watched = program.opened(descriptor).filter(|path| disk.watches(path));
    if watched.is_none() {
        return Ok(None);
    }
    let (position, flags) = program.position(descriptor)?;
    let file = disk.know(&program.link(descriptor))?;
    let old_length = disk.length(file)?;
    let at = match at {
        _ if flags & libc::O_APPEND != 0 => old_length,
        Some(at) => at,
        None => position,
    };
    let old = disk.read(file, at, length)?;
    Ok(some(vec![Change::Write {
        file,
        at,
        length,
        old,
        old_length,
    }]))
}

fn length(disk: &mut Disk, path: &Path, new_length: u64) -> Result<Option<Call>, PowerError> {
    let file = disk.know(path)?;
    let old_length = disk.length(file)?;
    let tail = disk.read(file, new_length, old_length)?;
    Ok(some(vec![Change::Length {
        file,
        new_length,
        old_length,
        tail,
    }]))
}

fn sync(program: &Program, disk: &Disk, descriptor: u64) -> Result<Option<Call>, PowerError> {
    let Some(path) = program.opened(descriptor).filter(|path| disk.watches(path)) else {
        return Ok(None);
    };
    let link = program.link(descriptor);
    let about = on(&path, std::fs::metadata(&link))?;
    let synced = match about.is_dir() {
        true => Synced::Folder(path),
        false => Synced::File((about.dev(), about.ino())),
    };
    Ok(Some(Call::Sync(synced)))
}

fn make_folder(
    program: &Program,
    disk: &Disk,
    folder: u64,
    at: u64,
) -> Result<Option<Call>, PowerError> {
    let path = program.path(folder, at)?;
    let path = path.filter(|path| disk.watches(path) && !path.exists());
    Ok(path.map(|path| Call::Changes(vec![Change::Made { path }])))
}

/// Keeps a file under another name, so that it is there to be put back.
fn keep(disk: &Disk, path: &Path) -> Result<PathBuf, PowerError> {
    let kept = disk.grave();
    on(path, std::fs::hard_link(path, &kept))?;
    Ok(kept)
}

fn remove(
    program: &Program,
    disk: &mut Disk,
    folder: u64,
    at: u64,
    is_folder: bool,
) -> Result<Option<Call>, PowerError> {
    let path = program.path(folder, at)?;
    let there = |path: &PathBuf| path.symlink_metadata().is_ok();
    let Some(path) = path.filter(|path| disk.watches(path) && there(path)) else {
        return Ok(None);
    };
    if is_folder != path.is_dir() {
        return Ok(None);
    }
    let change = match is_folder {
        true => Change::RemovedFolder { path },
        false => Change::Removed {
            kept: keep(disk, &path)?,
            path,
        },
    };
    Ok(some(vec![change]))
}

fn rename(
    program: &Program,
    disk: &mut Disk,
    from: (u64, u64),
    to: (u64, u64),
) -> Result<Option<Call>, PowerError> {
    let (from, to) = (program.path(from.0, from.1)?, program.path(to.0, to.1)?);
    let (Some(from), Some(to)) = (from, to) else {
        return Ok(None);
    };
    if !disk.watches(&from) && !disk.watches(&to) || !from.exists() {
        return Ok(None);
    }
    if from.parent() != to.parent() {
        let told = format!("rename of {} to {}", from.display(), to.display());
        return Err(PowerError::Unknown(told));
    }
    let kept = match to.symlink_metadata().is_ok() && !to.is_dir() {
        true => Some(keep(disk, &to)?),
        false => None,
    };
    Ok(some(vec![Change::Renamed { from, to, kept }]))
}
