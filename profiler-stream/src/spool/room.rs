//! Room for what comes: the oldest file goes first.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{Cause, store::Inner};

/// Seconds by which a collector's clock may be behind the agent's.
const AHEAD_MAX: i64 = 600;

/// Seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}

impl Inner {
    pub(super) fn bytes(&self) -> u64 {
        let files = self.files.values().map(|file| file.bytes);
        files.chain(self.damaged.values().copied()).sum()
    }

    /// Files whose batches are all too old go, and batches that are ahead of the clock.
    pub(super) fn drop_old(&mut self) {
        let (now, most) = (now(), self.settings.age_max);
        let old = self
            .files
            .iter()
            .filter(|(number, file)| self.open != Some(**number) && file.is_older(most, now));
        let old: Vec<_> = old.map(|(number, _)| *number).collect();
        for number in old {
            self.drop_file(number, Cause::Old);
        }
        self.drop_ahead();
    }

    /// Whether no collector takes a batch of this moment: it was written while the wall clock was
    /// far ahead, which is set right by now.
    pub(super) fn is_ahead(&self, moment: i64) -> bool {
        moment.saturating_sub(now()) > AHEAD_MAX && self.opened.elapsed() >= self.settings.settling
    }

    fn drop_ahead(&mut self) {
        let mut ahead = Vec::new();
        for file in self.files.values() {
            let moments = file.moments().filter(|(_, moment)| self.is_ahead(*moment));
            let progress = self.progress(file);
            let pending = moments
                .map(|(sequence, _)| sequence)
                .filter(|sequence| progress.is_some_and(|progress| progress.is_pending(*sequence)));
            ahead.extend(pending.map(|sequence| (file.run, sequence)));
        }
        for (run, sequence) in ahead {
            self.refuse(run, sequence, Cause::Ahead);
        }
    }

    /// What is more than the bound goes.
    pub(super) fn drop_surplus(&mut self) {
        while self.bytes() > self.settings.bytes_max && self.drop_oldest(Cause::Full) {}
    }

    /// Makes room for so many bytes.
    ///
    /// # Errors
    /// There is none, even with everything else gone.
    pub(super) fn make_room(&mut self, bytes: u64) -> Result<(), Cause> {
        let fits = |inner: &Self| inner.bytes().saturating_add(bytes) <= inner.settings.bytes_max;
        while !fits(self) {
            if bytes > self.settings.bytes_max || !self.drop_oldest(Cause::Full) {
                return Err(Cause::Full);
            }
        }
        Ok(())
    }

    /// Drops one file: one that was set aside, or else the oldest. `false`: there is none but the
    /// one that is being written.
    pub(super) fn drop_oldest(&mut self, cause: Cause) -> bool {
        if let Some((number, _)) = self.damaged.pop_first() {
            if let Err(error) = fs::remove_file(self.folder.damaged_file(number)) {
                tracing::warn!("a damaged file of the spool cannot be removed: {error}");
            }
            return true;
        }
        let mut numbers = self.files.keys().copied();
        let oldest = numbers.find(|number| self.open != Some(*number));
        if let Some(number) = oldest {
            self.drop_file(number, cause);
        }
        oldest.is_some()
    }

    /// The journal knows before the file is gone.
    fn drop_file(&mut self, number: u64, cause: Cause) {
        if let Some(file) = self.files.get(&number) {
            let progress = self.progress(file);
            let pending = progress.map_or_else(Vec::new, |progress| file.pending(progress));
            let run = file.run;
            self.note_dropped(run, &pending, cause);
            self.remove(number);
        }
    }
}
