//! What `/proc` says about a process. The process chooses its name and may change under the
//! reader's hands; nothing here trusts either.

use std::io;

use super::proc_fs::{ProcFile, ProcSource};
use crate::ids::BootTime;

/// `PF_KTHREAD` in the flags of `/proc/PID/stat`.
const KERNEL_THREAD: u64 = 0x0020_0000;
/// Most entries of an auxiliary vector that are looked at.
const AUXV_MAX: usize = 64;
const AT_PHENT: u64 = 4;
/// `sizeof(Elf64_Phdr)`, `sizeof(Elf32_Phdr)`.
const PHENT_WIDE: u64 = 56;
const PHENT_NARROW: u64 = 32;
const DELETED: &str = " (deleted)";

/// The size of a pointer in the program that runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Width {
    /// Not known (yet).
    #[default]
    Unknown,
    /// 64 bits.
    Wide,
    /// 32 bits, x32 among them.
    Narrow,
}

/// What `/proc` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// When it started, cut to clock ticks.
    pub started: BootTime,
    /// comm.
    pub name: String,
    /// The parent's pid.
    pub parent: u32,
    /// It has no address space of its own: a thread of the kernel.
    pub kernel_thread: bool,
    /// It has ended and waits for its parent.
    pub zombie: bool,
    /// The path of its executable in its own mount namespace; empty where it can't be read.
    pub executable: String,
    /// The executable's file is gone.
    pub deleted: bool,
    /// The pid inside its own pid namespace.
    pub namespace_pid: u32,
    /// The real user id.
    pub uid: u32,
    /// See [`Width`].
    pub width: Width,
}

/// Reads what there is to know. An error means that the process has ended meanwhile, or that its
/// pid went to another while it was read.
pub(super) fn read(source: &impl ProcSource, pid: u32) -> io::Result<Facts> {
    let ticks = source.ticks_per_second();
    let stat = parse_stat(&source.read(pid, ProcFile::Stat)?, ticks).ok_or_else(invalid)?;
    let mut facts = Facts {
        started: stat.started,
        name: stat.name,
        parent: stat.parent,
        kernel_thread: stat.flags & KERNEL_THREAD != 0,
        zombie: matches!(stat.state, b'Z' | b'X'),
        executable: String::new(),
        deleted: false,
        namespace_pid: 0,
        uid: 0,
        width: Width::Unknown,
    };
    if facts.kernel_thread || facts.zombie {
        return Ok(facts);
    }
    let status = parse_status(&source.read(pid, ProcFile::Status)?);
    facts.uid = status.uid.unwrap_or(0);
    facts.namespace_pid = status.namespace_pid.unwrap_or(pid);
    // The auxiliary vector is the kernel's own copy. Opening the executable instead could hang on
    // a file system that the process serves itself.
    facts.width = source
        .read(pid, ProcFile::Auxv)
        .map_or(Width::Unknown, |auxv| width(&auxv));
    if let Ok(path) = source.executable(pid) {
        (facts.executable, facts.deleted) = executable(&path);
    }
    let again = parse_stat(&source.read(pid, ProcFile::Stat)?, ticks).ok_or_else(invalid)?;
    if again.started != facts.started {
        return Err(io::Error::from(io::ErrorKind::NotFound));
    }
    Ok(facts)
}

/// When a process started, cut to clock ticks: with its pid the same for everyone who looks, as long
/// as the host is up.
///
/// # Errors
/// It has ended.
pub fn started(source: &impl ProcSource, pid: u32) -> io::Result<BootTime> {
    let text = source.read(pid, ProcFile::Stat)?;
    let stat = parse_stat(&text, source.ticks_per_second()).ok_or_else(invalid)?;
    Ok(stat.started)
}

fn invalid() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidData)
}

struct Stat {
    name: String,
    state: u8,
    parent: u32,
    flags: u64,
    started: BootTime,
}

/// The name stands in parentheses and may itself hold parentheses, blanks and line ends: what
/// follows its last `)` are numbers.
fn parse_stat(text: &[u8], ticks_per_second: u64) -> Option<Stat> {
    let open = text.iter().position(|&byte| byte == b'(')?;
    let close = text.iter().rposition(|&byte| byte == b')')?;
    let name = text.get(open + 1..close)?;
    let rest = std::str::from_utf8(text.get(close + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    // Fields are numbered from 1 in proc(5); the name is the second.
    let state = *fields.next()?.as_bytes().first()?;
    let parent = fields.next()?.parse().ok()?;
    let flags = fields.nth(4)?.parse().ok()?;
    let ticks: u64 = fields.nth(12)?.parse().ok()?;
    Some(Stat {
        name: String::from_utf8_lossy(name).into_owned(),
        state,
        parent,
        flags,
        started: BootTime(ticks_to_nanoseconds(ticks, ticks_per_second)),
    })
}

fn ticks_to_nanoseconds(ticks: u64, per_second: u64) -> u64 {
    let wide = u128::from(ticks) * 1_000_000_000 / u128::from(per_second.max(1));
    u64::try_from(wide).unwrap_or(u64::MAX)
}

#[derive(Default)]
struct Status {
    uid: Option<u32>,
    namespace_pid: Option<u32>,
}

/// The kernel escapes line ends in the name, so no process can write a line of its own here.
fn parse_status(text: &[u8]) -> Status {
    let mut status = Status::default();
    for line in text.split(|&byte| byte == b'\n') {
        let value = |key: &[u8]| {
            let rest = line.strip_prefix(key)?;
            std::str::from_utf8(rest).ok()
        };
        if let Some(ids) = value(b"Uid:") {
            status.uid = ids.split_ascii_whitespace().next().and_then(number);
        } else if let Some(pids) = value(b"NSpid:") {
            // From the outermost namespace to the innermost.
            status.namespace_pid = pids.split_ascii_whitespace().next_back().and_then(number);
        }
    }
    status
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}

/// By the size of a program header, which stands in every auxiliary vector, in pairs of the
/// program's own word.
fn width(auxv: &[u8]) -> Width {
    let wide = auxv.chunks_exact(16).take(AUXV_MAX).any(|pair| {
        let (key, value) = pair.split_at(8);
        little_endian(key) == AT_PHENT && little_endian(value) == PHENT_WIDE
    });
    let narrow = auxv.chunks_exact(8).take(AUXV_MAX).any(|pair| {
        let (key, value) = pair.split_at(4);
        little_endian(key) == AT_PHENT && little_endian(value) == PHENT_NARROW
    });
    match (wide, narrow) {
        (true, _) => Width::Wide,
        (false, true) => Width::Narrow,
        (false, false) => Width::Unknown,
    }
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |value, &byte| (value << 8) | u64::from(byte))
}

fn executable(path: &[u8]) -> (String, bool) {
    let text = String::from_utf8_lossy(path);
    match text.strip_suffix(DELETED) {
        Some(path) => (path.to_owned(), true),
        None => (text.into_owned(), false),
    }
}

#[cfg(test)]
#[path = "facts_tests.rs"]
mod tests;
