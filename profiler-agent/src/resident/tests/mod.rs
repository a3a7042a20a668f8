//! On recorded trees of files: what each kernel wrote, below a temporary directory.

mod cgroup1;
mod cgroup2;
mod live;
mod processes;
pub(super) mod tree;

use super::{Figures, Groups, Reader, SeriesKey};
use crate::profile::Snapshot;

const A: &str = "7be92808767a667f35c8505cbf40d14e931ef6db5b0210329cf193b15ba9d605";
const B: &str = "0c37bd4bf2e3c8c5ef8d1a8a8d1c2f3b4a5d6e7f8091a2b3c4d5e6f708192a3b";

/// Those of a first round.
pub(super) fn groups(snapshot: &Snapshot) -> Groups {
    super::group::groups(snapshot, &mut super::rank::Ranks::default())
}

/// The reading of the only group.
fn only(reader: &mut Reader, snapshot: &Snapshot) -> Option<Figures> {
    let mut readings = reader.read(&groups(snapshot));
    assert!(readings.len() <= 1, "{readings:?}");
    readings.pop().map(|(_, figures)| figures)
}

fn of(readings: &[(SeriesKey, Figures)], root: &str) -> Figures {
    let key = SeriesKey::Container(root.to_owned());
    let reading = readings.iter().find(|(other, _)| *other == key);
    reading.unwrap().1.clone()
}
