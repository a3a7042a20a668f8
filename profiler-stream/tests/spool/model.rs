//! The spool against a model, under anything that may happen to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::Arc,
};

use profiler_stream::spool::{Cause, Cursor, RunReport, Spool, Writer, inspect};
use proptest::{collection, prelude::*};
use tempfile::{TempDir, tempdir};

use crate::common::{Got, at, batch, drain, files, open, run, small};

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    EndFile,
    /// All up to one of those that are pending.
    Ack(usize),
    Refuse(usize),
    /// The agent is killed and started again.
    Restart,
    /// A bit of a file flips, or its end is lost.
    Flip(usize, usize),
    Truncate(usize, usize),
    Drain,
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..700_usize).prop_map(Step::Append),
        1 => Just(Step::EndFile),
        3 => any::<usize>().prop_map(Step::Ack),
        1 => any::<usize>().prop_map(Step::Refuse),
        1 => Just(Step::Restart),
        2 => Just(Step::Drain),
    ]
}

fn steps_with_damage() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => steps(),
        1 => any::<(usize, usize)>().prop_map(|(file, bit)| Step::Flip(file, bit)),
        1 => any::<(usize, usize)>().prop_map(|(file, end)| Step::Truncate(file, end)),
    ]
}

/// A run and a sequence number in it.
type Name = (u8, u64);

struct World {
    folder: TempDir,
    spool: Arc<Spool>,
    writer: Writer,
    run: u8,
    /// The last sequence number of each run.
    last: BTreeMap<u8, u64>,
    acked: BTreeSet<Name>,
    refused: BTreeSet<Name>,
}

impl World {
    fn new() -> Self {
        let folder = tempdir().unwrap();
        let spool = open(folder.path(), small());
        Self {
            writer: spool.writer(&run(1)).unwrap(),
            spool,
            folder,
            run: 1,
            last: BTreeMap::new(),
            acked: BTreeSet::new(),
            refused: BTreeSet::new(),
        }
    }

    fn take(self, step: &Step) -> Self {
        match step {
            Step::Restart => self.restart(),
            step => self.stay(step),
        }
    }

    fn stay(mut self, step: &Step) -> Self {
        match *step {
            Step::Append(bytes) => self.append(bytes),
            Step::EndFile => self.writer.end_file(),
            Step::Ack(pick) => {
                let sent = self.sent();
                if let Some(&(run, sequence)) = sent.get(pick % sent.len().max(1)) {
                    let up_to = |name: &&Name| name.0 == run && name.1 <= sequence;
                    self.acked.extend(sent.iter().filter(up_to));
                    self.spool.ack(at(run), sequence);
                }
            }
            Step::Refuse(pick) => {
                let sent = self.sent();
                if let Some(&(run, sequence)) = sent.get(pick % sent.len().max(1)) {
                    self.refused.insert((run, sequence));
                    self.spool.refused(at(run), sequence);
                }
            }
            Step::Flip(file, bit) => self.damage(file, |bytes| {
                let bit = bit % (bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }),
            Step::Truncate(file, end) => {
                self.damage(file, |bytes| bytes.truncate(end % bytes.len()));
            }
            Step::Drain => drop(self.sent()),
            Step::Restart => unreachable!("it takes all"),
        }
        self
    }

    /// A batch and the definitions that it needs. A write into the room that there is never fails.
    fn append(&mut self, bytes: usize) {
        let last = self.last.entry(self.run).or_default();
        *last += 1;
        let whole = self.writer.begins_file();
        if whole {
            self.writer.append_definitions(vec![7; 20]);
        }
        self.writer
            .append_batch(&batch(*last, whole, bytes))
            .unwrap();
    }

    fn restart(self) -> Self {
        let Self {
            folder,
            spool,
            writer,
            run: before,
            ..
        } = self;
        drop((writer, spool));
        let spool = open(folder.path(), small());
        Self {
            writer: spool.writer(&run(before + 1)).unwrap(),
            run: before + 1,
            spool,
            folder,
            ..self
        }
    }

    fn damage(&self, pick: usize, change: impl Fn(&mut Vec<u8>)) {
        let files = files(self.folder.path(), "spool");
        let Some(path) = files.get(pick % files.len().max(1)) else {
            return;
        };
        let mut bytes = fs::read(path).unwrap();
        if !bytes.is_empty() {
            change(&mut bytes);
            // As the writer holds the file open, it has to stay the same one.
            write_over(path, &bytes);
        }
    }

    fn pending(&self) -> Vec<Name> {
        let reports = inspect(self.folder.path()).unwrap();
        let names = reports.iter().flat_map(|report| {
            let run = report.run_id[0];
            report.pending.iter().map(move |sequence| (run, *sequence))
        });
        names.collect()
    }

    /// What a new sender gets. It skips what is acknowledged, and so damage to it.
    fn sent(&self) -> Vec<Name> {
        let got = drain(&self.spool, &mut Cursor::default());
        let names = got.iter().filter_map(|got| match got {
            Got::Batch(run, sequence) => Some((*run, *sequence)),
            _ => None,
        });
        names.collect()
    }

    /// Every number is acknowledged, pending or dropped, and in one way only.
    fn check_sums(&self) {
        for report in inspect(self.folder.path()).unwrap() {
            let run = report.run_id[0];
            assert_eq!(Some(&report.last), self.last.get(&run), "run {run}");
            let dropped = dropped(&report);
            let acked = (1..=report.acked).filter(|at| !dropped.contains_key(at));
            let dropped = dropped.keys().copied();
            let mut all: Vec<_> = report
                .pending
                .iter()
                .copied()
                .chain(acked)
                .chain(dropped)
                .collect();
            all.sort_unstable();
            assert_eq!(all, (1..=report.last).collect::<Vec<_>>(), "{report:?}");
        }
    }

    /// What a sender gets is what is pending, and the counts are of it.
    fn check_sender(&self) {
        let got = self.sent();
        assert_eq!(got, self.pending());
        let status = self.spool.status();
        assert_eq!(status.pending, got.len() as u64);
        assert_eq!(status.acked, self.acked.len() as u64);
        assert_eq!(status.kept, self.last.values().sum::<u64>());
        assert_eq!(
            status.kept,
            status.acked + status.pending + status.dropped.values().sum::<u64>()
        );
        assert!(status.bytes <= small().bytes_max);
    }

    /// What is pending is what was neither acknowledged nor refused, without the oldest.
    fn check_model(&self) {
        let all = self
            .last
            .iter()
            .flat_map(|(run, last)| (1..=*last).map(|at| (*run, at)));
        let mut left: Vec<_> = all
            .filter(|name| !self.acked.contains(name) && !self.refused.contains(name))
            .collect();
        let pending = self.pending();
        left.drain(..left.len() - pending.len());
        assert_eq!(pending, left);
        for report in inspect(self.folder.path()).unwrap() {
            for (sequence, cause) in dropped(&report) {
                let refused = self.refused.contains(&(report.run_id[0], sequence));
                assert_eq!(cause, if refused { Cause::Refused } else { Cause::Full });
            }
        }
    }
}

fn dropped(report: &RunReport) -> BTreeMap<u64, Cause> {
    let ranges = report.dropped.iter();
    ranges
        .flat_map(|(range, cause)| range.clone().map(|at| (at, *cause)))
        .collect()
}

fn write_over(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::FileExt as _;
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_but_what_there_is_no_room_for(steps in collection::vec(steps(), 1..60)) {
        let mut world = World::new();
        for step in &steps {
            world = world.take(step);
            world.check_sums();
            world.check_model();
        }
        world.check_sender();
    }

    #[test]
    fn whatever_is_damaged_everything_is_counted(
        steps in collection::vec(steps_with_damage(), 1..60),
    ) {
        let mut world = World::new();
        for step in &steps {
            world = world.take(step);
            world.check_sums();
        }
        world.restart().check_sender();
    }
}
