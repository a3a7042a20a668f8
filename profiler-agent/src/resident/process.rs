//! What `/proc` says of one process. It chooses its name and nothing else here.

use std::{io, path::Path};

use super::{Member, ProcessFigures, files::Files};
use crate::ids::BootTime;

/// Its figures; not found if it has ended, or its pid is another's by now, or it has no memory of its
/// own. `statm` would tell resident less shared, which is the same, and not what is swapped out.
pub(super) fn figures(files: Files, proc: &Path, member: &Member) -> io::Result<ProcessFigures> {
    let directory = proc.join(member.pid.to_string());
    let status = files.text(&directory.join("status"))?;
    check(files, &directory, member)?;
    parse(&status).ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Its `/proc/PID/cgroup`; not found as for figures.
pub(super) fn cgroups(files: Files, proc: &Path, member: &Member) -> io::Result<String> {
    let directory = proc.join(member.pid.to_string());
    let text = files.text(&directory.join("cgroup"))?;
    check(files, &directory, member)?;
    Ok(text)
}

/// To be called after what was read: who has the pid now is not younger than the member.
fn check(files: Files, directory: &Path, member: &Member) -> io::Result<()> {
    let stat = files.text(&directory.join("stat"))?;
    let ticks = rustix::param::clock_ticks_per_second();
    let started = started(&stat, ticks).ok_or(io::ErrorKind::InvalidData)?;
    match started <= member.began {
        true => Ok(()),
        false => Err(io::ErrorKind::NotFound.into()),
    }
}

/// Field 22 of `stat`, cut to clock ticks. The name, field 2, may hold anything but ends at the last
/// parenthesis.
fn started(stat: &str, ticks_per_second: u64) -> Option<BootTime> {
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: u128 = fields.split_ascii_whitespace().nth(19)?.parse().ok()?;
    let nanoseconds = ticks.checked_mul(1_000_000_000)? / u128::from(ticks_per_second.max(1));
    Some(BootTime(u64::try_from(nanoseconds).ok()?))
}

/// Threads of the kernel and processes that have ended have no such lines. The kernel escapes line
/// ends in the name.
fn parse(status: &str) -> Option<ProcessFigures> {
    let kilobytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let number: u64 = line.trim().strip_suffix(" kB")?.trim_end().parse().ok()?;
        number.checked_mul(1024)
    };
    Some(ProcessFigures {
        anon: kilobytes("RssAnon:")?,
        swap: kilobytes("VmSwap:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_in_status() {
        let status = "Name:\tRssAnon:\\n9 kB\nVmRSS:\t    1700 kB\nRssAnon:\t     112 kB\n\
                      VmSwap:\t       4 kB\n";
        let expected = ProcessFigures {
            anon: 112 * 1024,
            swap: 4096,
        };
        assert_eq!(parse(status), Some(expected));
        assert_eq!(parse("Name:\tkthreadd\n"), None);
        assert_eq!(
            parse("RssAnon:\t99999999999999999999 kB\nVmSwap:\t0 kB\n"),
            None
        );
    }

    #[test]
    fn the_start_is_found_behind_any_name() {
        let rest = "S 1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 250 1 1";
        for name in ["cat", ") S 1 (", "a b\nc"] {
            let stat = format!("7 ({name}) {rest}");
            assert_eq!(started(&stat, 100), Some(BootTime(2_500_000_000)), "{name}");
        }
        assert_eq!(started("7 (cat) S 1", 100), None);
        assert_eq!(started("", 100), None);
    }
}
