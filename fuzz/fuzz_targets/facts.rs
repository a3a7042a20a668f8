//! A `/proc` that says anything, and events about it: the table of processes keeps its bounds.
#![no_main]

use std::io;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use profiler_agent::container::CgroupSource;
use profiler_agent::event::{Event, decode};
use profiler_agent::filter::{Filter, FilterSpec};
use profiler_agent::ids::BootTime;
use profiler_agent::process::{ProcFile, ProcSource, ProcessTable, Settings};

#[derive(Arbitrary, Debug)]
struct Files {
    stat: Vec<u8>,
    status: Vec<u8>,
    auxv: Vec<u8>,
    cgroup: Vec<u8>,
    executable: Vec<u8>,
    inode: u64,
    gone: bool,
}

#[derive(Arbitrary, Debug)]
enum Step {
    Scan,
    Poll,
    Life {
        operation: u8,
        pid: u8,
        child: u8,
        flags: u64,
    },
    Locate(u8, u64),
    MarkAllStale,
}

#[derive(Arbitrary, Debug)]
struct Input {
    processes: Vec<Files>,
    ticks: u64,
    steps: Vec<Step>,
}

struct Source(Vec<Files>, u64);

impl Source {
    fn files(&self, pid: u32) -> io::Result<&Files> {
        let files = (pid as usize).checked_sub(1).and_then(|at| self.0.get(at));
        let files = files.filter(|files| !files.gone);
        files.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl CgroupSource for Source {
    fn cgroup_file(&self, pid: u32) -> io::Result<Vec<u8>> {
        self.read(pid, ProcFile::Cgroup)
    }
    fn cgroup_inode(&self, path: &str) -> io::Result<u64> {
        self.files(path.len() as u32).map(|files| files.inode)
    }
}

impl ProcSource for Source {
    fn pids(&self) -> io::Result<Vec<u32>> {
        Ok((0..=self.0.len() as u32).collect())
    }
    fn read(&self, pid: u32, file: ProcFile) -> io::Result<Vec<u8>> {
        let files = self.files(pid)?;
        Ok(match file {
            // Half of the inputs begin with what is right, so that what follows is reached.
            ProcFile::Stat if files.inode % 2 == 0 => {
                let name = String::from_utf8_lossy(&files.stat);
                format!(
                    "{pid} ({name}) S 1 1 1 0 -1 4 1 2 3 4 5 6 7 8 20 0 1 0 {} 1\n",
                    files.inode
                )
                .into_bytes()
            }
            ProcFile::Stat => files.stat.clone(),
            ProcFile::Status => files.status.clone(),
            ProcFile::Auxv => files.auxv.clone(),
            ProcFile::Cgroup => files.cgroup.clone(),
        })
    }
    fn executable(&self, pid: u32) -> io::Result<Vec<u8>> {
        Ok(self.files(pid)?.executable.clone())
    }
    fn ticks_per_second(&self) -> u64 {
        self.1
    }
}

fn life(operation: u8, (pid, child): (u8, u8), flags: u64, time: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    bytes.extend(2_u16.to_le_bytes());
    bytes.extend((16 + u16::from(operation % 3)).to_le_bytes());
    bytes.extend(u32::from(pid % 8).to_le_bytes());
    bytes.extend(time.to_le_bytes());
    bytes.extend(time.to_le_bytes());
    bytes.extend(u32::from(pid % 8).to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(u32::from(child % 8).to_le_bytes());
    bytes.extend(u32::from(child % 8).to_le_bytes());
    bytes.extend(flags.to_le_bytes());
    bytes.extend([b'x'; 16]);
    bytes
}

fuzz_target!(|input: Input| {
    let mut settings = Settings::new(5, BootTime(1_000));
    settings.processes_max = 6;
    settings.cgroups_max = 3;
    let filter = Filter::new(&FilterSpec::default()).expect("no rules");
    let source = Source(input.processes, input.ticks);
    let mut table = ProcessTable::new(source, settings, filter);
    let mut now = 1_000;
    for step in &input.steps {
        now += 50_000_000;
        let mut steps = Vec::new();
        match step {
            Step::Scan => table
                .scan(BootTime(now), &mut steps)
                .expect("a list of pids"),
            Step::Poll => table.poll(BootTime(now), 64, &mut steps),
            Step::Life {
                operation,
                pid,
                child,
                flags,
            } => {
                let record = life(*operation, (*pid, *child), *flags, now);
                if let Ok(event) = decode(&record) {
                    table.apply(&event, &mut steps);
                }
            }
            Step::Locate(pid, time) => {
                let record = life(0, (*pid, 0), 0, *time);
                if let Ok(Event::Fork { origin, .. }) = decode(&record) {
                    let _ = table.locate(&origin, &mut steps);
                }
            }
            Step::MarkAllStale => table.mark_all_stale(BootTime(now)),
        }
        assert!(table.iter().count() <= settings.processes_max);
        assert!(table.containers() <= settings.processes_max + settings.cgroups_max);
    }
});
