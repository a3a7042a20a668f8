//! Reads all groups, once a round.

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
};

use super::{
    Figures, Group, Groups, Member, ProcessFigures, ResidentLosses, SeriesKey, Source,
    files::Files,
    group,
    limit::{Limits, Own},
    place::Place,
    process,
    rank::Ranks,
    stat,
    stat::Stat,
    tree::{Trees, Version},
};
use crate::{ids::ProcessHandle, profile::Snapshot};

/// Processes of a container that are asked where its memory cgroup is, until one answers.
const ASKED_MAX: usize = 8;
/// Processes that are read one by one in a round: those in no container and no unit, and those of
/// units without a memory cgroup of their own.
const PROCESSES_MAX: usize = 4_096;
/// Of one group, so that none spends the round. The sum over a part would be no reading.
const PROCESSES_OF_ONE_MAX: usize = 512;
/// Hosts with many containers have thousands of mounts.
const MOUNTINFO_MAX: u64 = 16 << 20;

/// Reads figures. It blocks for as long as the kernel takes to write them. Files are opened anew each
/// time, so that none has to be bounded, kept, or told from one that was made anew.
#[derive(Debug)]
pub struct Reader {
    root: PathBuf,
    proc: PathBuf,
    trees: Trees,
    /// Processes of units that were summed in the last round.
    summed: HashSet<ProcessHandle>,
    ranks: Ranks,
    files: Files,
    losses: ResidentLosses,
}

/// What holds for one round.
#[derive(Debug)]
struct Round {
    limits: Limits,
    /// Processes that may still be read.
    processes: usize,
    /// Of units that were summed.
    summed: HashSet<ProcessHandle>,
}

impl Reader {
    /// Of the running kernel.
    pub fn new() -> Self {
        Self::below(Path::new("/"))
    }

    /// Of a tree that has `proc/`, and mounted what `proc/self/mountinfo` says.
    pub fn below(root: &Path) -> Self {
        let mut reader = Self {
            root: root.to_owned(),
            proc: root.join("proc"),
            trees: Trees::default(),
            summed: HashSet::new(),
            ranks: Ranks::default(),
            files: Files::default(),
            losses: ResidentLosses::default(),
        };
        reader.find_trees();
        reader
    }

    /// Without them there are the figures of processes.
    fn find_trees(&mut self) {
        let path = self.proc.join("self/mountinfo");
        let mounts = self.files.text_up_to(&path, MOUNTINFO_MAX);
        self.trees = Trees::find(&mounts.unwrap_or_default(), &self.root);
    }

    /// What is to be read in the next round.
    pub fn groups(&mut self, snapshot: &Snapshot) -> Groups {
        group::groups(snapshot, &mut self.ranks)
    }

    /// One round. Groups that are gone or could not be read are left out; the latter are counted.
    pub fn read(&mut self, groups: &Groups) -> Vec<(SeriesKey, Figures)> {
        self.losses.left_out = (groups.containers_left_out + groups.processes_left_out) as u64;
        let mut round = self.round();
        let mut readings = Vec::with_capacity(groups.groups.len());
        for group in &groups.groups {
            let figures = match group.key {
                SeriesKey::Container(_) => self.container(&mut round, group),
                SeriesKey::Process(_) => self.host_process(&mut round, group),
            };
            let bytes = figures.as_ref().map_or(0, Figures::series_bytes);
            self.ranks.note(&group.key, bytes);
            match figures {
                Ok(figures) => readings.push((group.key.clone(), figures)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => self.losses.unread += 1,
            }
        }
        self.summed = round.summed;
        readings
    }

    /// One process; none if it is gone, its pid is another's now, or it has no memory of its own.
    pub fn process(&self, member: &Member) -> Option<ProcessFigures> {
        process::figures(self.files, &self.proc, member).ok()
    }

    /// Kills for want of memory in a cgroup and all below it, since it began; none where that is not
    /// counted, as under v1.
    pub fn kills_below(&self, cgroup: &str) -> Option<u64> {
        let tree = self.trees.memory.as_ref()?;
        let directory = tree.directory(cgroup)?;
        let mut files = self.files;
        let is_hierarchical = tree.version == Version::Two;
        is_hierarchical.then(|| stat::events(&mut files, tree.version, &directory).oom_kill)?
    }

    /// What could not be read.
    pub fn losses(&self) -> ResidentLosses {
        ResidentLosses {
            figures: self.files.failed,
            ..self.losses
        }
    }

    fn round(&mut self) -> Round {
        if self.trees.memory.is_none() {
            self.find_trees();
            self.losses.without_cgroups += u64::from(self.trees.memory.is_none());
        }
        let text = self.files.optional(&self.proc.join("meminfo"));
        let swap = text.as_deref().and_then(swap_total);
        self.files.failed += u64::from(swap.is_none());
        Round {
            limits: Limits::new(swap.unwrap_or(0)),
            processes: PROCESSES_MAX,
            summed: HashSet::new(),
        }
    }

    /// By its memory cgroup, or by its processes where it has none of its own.
    fn container(&mut self, round: &mut Round, group: &Group) -> io::Result<Figures> {
        let place = self.place(group)?;
        let by_cgroup = match place.memory {
            Some(ref cgroup) if !self.goes_on_summed(group) => self.by_cgroup(round, cgroup),
            _ => Err(io::ErrorKind::NotFound.into()),
        };
        let mut figures = match by_cgroup {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let handles = group.members.iter().map(|member| member.handle);
                let sum = self.by_processes(round, group)?;
                round.summed.extend(handles);
                sum
            }
            figures => figures?,
        };
        figures.processes = u32::try_from(group.members.len()).unwrap_or(u32::MAX);
        let pressure = self.trees.pressure.as_ref().zip(place.pressure.as_deref());
        if let Some(directory) = pressure.and_then(|(tree, cgroup)| tree.directory(cgroup)) {
            figures.pressure = stat::pressure(&mut self.files, &directory);
        }
        Ok(figures)
    }

    /// A unit gets a memory cgroup while it runs when another beside it is given a limit. That cgroup
    /// begins near zero, since what was charged before stays where it was: it would be another measure
    /// within one series. So the unit is summed as long as any of its processes lives that was.
    fn goes_on_summed(&self, group: &Group) -> bool {
        let was = |member: &Member| self.summed.contains(&member.handle);
        !group.container.is_container() && group.members.iter().any(was)
    }

    fn place(&self, group: &Group) -> io::Result<Place> {
        if self.trees.memory.as_ref().map(|tree| tree.version) == Some(Version::Two) {
            return Ok(Place::of_group(group));
        }
        let file = self.cgroups(&group.members)?;
        Ok(Place::of_container(&self.trees, &file, &group.container))
    }

    /// Of the first process that is still there.
    fn cgroups(&self, members: &[Member]) -> io::Result<String> {
        for member in members.iter().take(ASKED_MAX) {
            match process::cgroups(self.files, &self.proc, member) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                answer => return answer,
            }
        }
        Err(io::ErrorKind::NotFound.into())
    }

    fn by_cgroup(&mut self, round: &mut Round, cgroup: &str) -> io::Result<Figures> {
        let tree = self.trees.memory.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let directory = tree.directory(cgroup).ok_or(io::ErrorKind::NotFound)?;
        let stat = Stat::read(&mut self.files, tree.version, &directory)?;
        let files = &mut self.files;
        files.failed += u64::from(stat.swap.is_none() && round.limits.host_swap > 0);
        let limit = round.limits.smallest(files, tree, cgroup, Own::of(&stat));
        Ok(Figures {
            limit: round.limits.with_above(limit, &stat),
            ..stat::figures(files, tree.version, &directory, &stat)
        })
    }

    fn by_processes(&mut self, round: &mut Round, group: &Group) -> io::Result<Figures> {
        let mut sum = Figures {
            source: Source::Processes,
            ..Figures::default()
        };
        if group.members.len() > PROCESSES_OF_ONE_MAX {
            return Err(io::ErrorKind::Other.into());
        }
        let mut found = false;
        for member in &group.members {
            round.processes = round.processes.checked_sub(1).ok_or(io::ErrorKind::Other)?;
            match process::figures(self.files, &self.proc, member) {
                Ok(one) => {
                    found = true;
                    sum.anon = sum.anon.saturating_add(one.anon);
                    sum.swap = sum.swap.saturating_add(one.swap);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        match found {
            true => Ok(sum),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// With the limit of the cgroup that it is in, less what others in it hold.
    fn host_process(&mut self, round: &mut Round, group: &Group) -> io::Result<Figures> {
        let mut figures = self.by_processes(round, group)?;
        figures.processes = 1;
        let (Some(member), Some(tree)) = (group.members.first(), &self.trees.memory) else {
            return Ok(figures);
        };
        let file = process::cgroups(self.files, &self.proc, member)?;
        if let Some(cgroup) = Place::of_process(&self.trees, &file).memory {
            let own = Own::anonymous(figures.series_bytes());
            let files = &mut self.files;
            figures.limit = round.limits.smallest(files, tree, &cgroup, own);
        }
        Ok(figures)
    }
}

/// Of the host, in bytes.
fn swap_total(meminfo: &str) -> Option<u64> {
    let value = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("SwapTotal:"))?;
    let kilobytes: u64 = value.trim().strip_suffix(" kB")?.trim_end().parse().ok()?;
    kilobytes.checked_mul(1024)
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}
