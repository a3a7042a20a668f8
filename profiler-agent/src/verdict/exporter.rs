//! The pipeline's side.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
};

use super::{
    losses::{Losses, count},
    shared::{Shared, lock},
};
use crate::export::{Exporter, Kill, LossFacts, Moment};

/// Kills that wait for the thread.
const WAITING: usize = 64;

/// The newest moment that the thread has not taken; kills do not push it out.
type Slot = Arc<Mutex<Option<Moment>>>;

/// What wakes the thread.
#[derive(Debug)]
enum Input {
    /// There is a moment in the slot.
    Moment,
    Kill(Box<Kill>),
}

/// What the thread is given.
#[derive(Debug)]
pub(super) enum Given {
    Moment(Moment),
    Kill(Box<Kill>),
}

/// Hands moments and kills to the thread that judges.
pub struct VerdictExporter {
    newest: Slot,
    inputs: SyncSender<Input>,
    shared: Arc<Shared>,
}

/// The thread's side.
#[derive(Debug)]
pub(super) struct Inputs {
    newest: Slot,
    inputs: Receiver<Input>,
    /// Kills that were taken out of the channel; at most as many as wait in it.
    kills: VecDeque<Box<Kill>>,
    is_closed: bool,
}

/// Both sides.
pub(super) fn channel(shared: Arc<Shared>) -> (VerdictExporter, Inputs) {
    let (sender, receiver) = sync_channel(WAITING);
    let newest = Slot::default();
    let inputs = Inputs {
        newest: Arc::clone(&newest),
        inputs: receiver,
        kills: VecDeque::new(),
        is_closed: false,
    };
    let exporter = VerdictExporter {
        newest,
        inputs: sender,
        shared,
    };
    (exporter, inputs)
}

/// Waits, and gives what happened in its order: a moment after a kill shows a life that is gone, and
/// the kill says how it ended. Kills that came after the moment do not hold it up. It ends when there is
/// nobody left who could give anything.
impl Iterator for Inputs {
    type Item = Given;

    fn next(&mut self) -> Option<Given> {
        loop {
            if let Some(given) = self.first() {
                return Some(given);
            }
            if self.is_closed {
                return None;
            }
            match self.inputs.recv() {
                Ok(input) => self.take(input),
                Err(_) => self.is_closed = true,
            }
        }
    }
}

impl Inputs {
    fn first(&mut self) -> Option<Given> {
        let slot = Arc::clone(&self.newest);
        // Held meanwhile: all kills before the moment in it are in the channel by now.
        let mut slot = lock(&slot);
        while self.kills.len() < WAITING
            && let Ok(input) = self.inputs.try_recv()
        {
            self.take(input);
        }
        let is_due = |moment: &mut Moment| {
            let kill = self.kills.front();
            kill.is_none_or(|kill| moment.snapshot.time < kill.time)
        };
        match slot.take_if(is_due) {
            Some(moment) => Some(Given::Moment(moment)),
            None => self.kills.pop_front().map(Given::Kill),
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Moment => {}
            Input::Kill(kill) => self.kills.push_back(kill),
        }
    }
}

impl VerdictExporter {
    fn losses(&self) -> &Losses {
        &self.shared.losses
    }
}

impl Exporter for VerdictExporter {
    fn export(&mut self, moment: &Moment) {
        if lock(&self.newest).replace(moment.clone()).is_some() {
            count(&self.losses().moments_dropped);
        }
        // Where kills fill the queue the thread is awake, and it looks. When it has ended the agent
        // ends.
        let _ = self.inputs.try_send(Input::Moment);
    }

    fn killed(&mut self, kill: &Kill) {
        let input = Input::Kill(Box::new(kill.clone()));
        if let Err(TrySendError::Full(_)) = self.inputs.try_send(input) {
            count(&self.losses().kills_dropped);
        }
    }

    fn losses(&self) -> Vec<LossFacts> {
        self.losses().facts()
    }

    fn notes(&self) -> Vec<String> {
        self.shared.notes()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use profiler_analysis::verdict::Rules;

    use super::*;
    use crate::{export::Clock, health::HealthRules, ids::BootTime, profile::Snapshot};

    fn moment(time: u64) -> Moment {
        Moment {
            snapshot: Arc::new(Snapshot {
                time: BootTime(time),
                ..Snapshot::default()
            }),
            ..Moment::default()
        }
    }

    fn kill(time: u64, pid: u32) -> Kill {
        Kill {
            time: BootTime(time),
            pid,
            process: None,
            constraint: None,
            name: String::new(),
            anon_bytes: None,
            moment: Moment::default(),
        }
    }

    #[test]
    fn many_kills_do_not_push_out_the_newest_moment() {
        let clock = Clock::System;
        let shared = Shared::new(clock, Rules::default(), HealthRules::default());
        let (mut exporter, mut inputs) = channel(Arc::new(shared));
        exporter.export(&moment(1));
        (0..100).for_each(|pid| exporter.killed(&kill(3, pid)));
        exporter.export(&moment(2));
        let losses = &exporter.shared.losses;
        assert_eq!(losses.moments_dropped.load(Relaxed), 1);
        assert_eq!(losses.kills_dropped.load(Relaxed), 37);
        drop(exporter);
        let Some(Given::Moment(newest)) = inputs.next() else {
            panic!("the moment comes first");
        };
        assert_eq!(newest.snapshot.time, BootTime(2));
        let pids: Vec<u32> = inputs
            .map(|given| match given {
                Given::Kill(kill) => kill.pid,
                Given::Moment(_) => panic!("there is no other moment"),
            })
            .collect();
        assert_eq!(pids, (0..63).collect::<Vec<u32>>());
    }

    #[test]
    fn a_kill_comes_before_a_moment_that_shows_what_it_left() {
        let clock = Clock::System;
        let shared = Shared::new(clock, Rules::default(), HealthRules::default());
        let (mut exporter, inputs) = channel(Arc::new(shared));
        exporter.export(&moment(1));
        exporter.killed(&kill(2, 7));
        exporter.export(&moment(3));
        exporter.killed(&kill(4, 8));
        drop(exporter);
        let times = inputs.map(|given| match given {
            Given::Kill(kill) => kill.time.0,
            Given::Moment(moment) => moment.snapshot.time.0,
        });
        assert_eq!(times.collect::<Vec<_>>(), [2, 3, 4]);
    }
}
