use std::{
    fs, os::unix::fs::PermissionsExt as _, path::Path, sync::atomic::Ordering::Relaxed,
    time::Duration,
};

use profiler_analysis::verdict::{LifeEnd, LifeStart, Rules, Sample};
use profiler_proto::v1;
use profiler_query::answer::Clocks;

use super::{
    book::Book,
    identity::Identity,
    key::Key,
    lives::{Life, tests::Shown},
    shared::Shared,
    state::StateFile,
    time::Base,
};
use crate::{
    export::Clock,
    health::HealthRules,
    ids::{BootTime, ProcessHandle},
    resident::SeriesKey,
};

const SECOND: u64 = 1_000_000_000;
const WINDOW: Duration = Duration::from_secs(1);

fn book() -> Book {
    let rules = Rules { window: WINDOW };
    let clocks = Clocks {
        now: BootTime(SECOND),
        offset: 7,
    };
    Book::new(rules, Base::new(clocks))
}

fn key() -> Key {
    Key::Process { pid: 1, started: 2 }
}

/// A book with a series of five readings, in whose file it is kept.
fn kept(path: &Path) -> (Book, StateFile) {
    let mut book = book();
    let start = LifeStart {
        lineage: "l".to_owned(),
        began: 0,
        label: "1".to_owned(),
    };
    for second in 1..=5 {
        let sample = Sample {
            time: second * SECOND,
            bytes: 1000,
            ..Sample::default()
        };
        book.engine.observe(&key(), &start, sample);
    }
    let kill = v1::OomKill {
        pid: 9,
        ..v1::OomKill::default()
    };
    let file = StateFile::new(path.to_owned(), "boot".to_owned(), WINDOW);
    let body = file.body(&book, &[kill], 3).expect("a body");
    file.write(&body).expect("a file");
    (book, file)
}

#[test]
fn an_agent_that_is_started_again_goes_on_with_its_series() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("deep/verdicts.state");
    let (before, file) = kept(&path);
    let mode = fs::metadata(&path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut after = book();
    let restored = file.restore(&mut after).expect("it is whole");
    assert_eq!((restored.kills[0].pid, restored.forgotten), (9, 3));
    assert_eq!(after.engine.series(&key()), before.engine.series(&key()));
}

#[test]
fn after_a_boot_only_the_past_is_taken_over() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("verdicts.state");
    kept(&path);
    let mut after = book();
    let other = StateFile::new(path, "other boot".to_owned(), WINDOW);
    let restored = other.restore(&mut after).expect("it is whole");
    assert_eq!(restored.kills.len(), 1);
    assert_eq!(after.engine.keys().count(), 0);
    assert_eq!(after.engine.status().lineages, 1);
}

#[test]
fn series_of_another_window_begin_anew() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("verdicts.state");
    kept(&path);
    let mut after = book();
    let other = StateFile::new(path, "boot".to_owned(), WINDOW * 2);
    assert_eq!(
        other.restore(&mut after).expect("it is whole").kills.len(),
        1
    );
    assert_eq!(after.engine.keys().count(), 0);
}

#[test]
fn a_damaged_file_is_set_aside() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("verdicts.state");
    let (_, file) = kept(&path);
    let whole = fs::read(&path).expect("a file");
    let mut flipped = whole.clone();
    *flipped.last_mut().expect("a byte") ^= 1;
    for damaged in [&whole[..whole.len() / 2], &whole[..20], &flipped, b"", b"x"] {
        fs::write(&path, damaged).expect("written");
        assert!(file.restore(&mut book()).is_err());
        assert!(!path.exists());
        let aside = folder.path().join("verdicts.state.unusable");
        assert_eq!(fs::read(aside).expect("it is there"), damaged);
    }
}

#[test]
fn a_file_that_cannot_be_read_stays_where_it_is_and_is_counted() {
    let folder = tempfile::tempdir().expect("a directory");
    // Opening it works, and reading it does not.
    let path = folder.path().join("verdicts.state");
    fs::create_dir(&path).expect("made");
    let file = StateFile::new(path.clone(), "boot".to_owned(), WINDOW);
    let rules = Rules { window: WINDOW };
    let shared = Shared::new(Clock::System, rules, HealthRules::default());
    assert!(!super::restore(&file, &shared), "it is not written over");
    assert!(path.is_dir());
    assert_eq!(shared.losses.state_failed.load(Relaxed), 1);
    let missing = StateFile::new(folder.path().join("none"), "boot".to_owned(), WINDOW);
    assert!(super::restore(&missing, &shared));
    assert_eq!(shared.losses.state_failed.load(Relaxed), 1);
}

/// A life with this lineage, from a reading to its end by a kill.
fn lived(book: &mut Book, shown: &Shown, lineage: &str, second: u64) {
    let identity = Identity {
        id: lineage.to_owned(),
        ..Identity::default()
    };
    let life = Life::begin(&shown.at(second), identity);
    let sample = Sample {
        time: second * SECOND,
        ..Sample::default()
    };
    book.engine.observe(&key(), &life.start, sample);
    book.end(&key(), &life, second * SECOND, LifeEnd::OomKilled);
}

#[test]
fn processes_of_the_host_do_not_make_the_lineages_of_services_be_forgotten() {
    let mut book = book();
    let (service, mut process) = (Shown::new(&[1], 7, 0), Shown::new(&[2], 7, 0));
    lived(&mut book, &service, "service", 1);
    process.group.key = SeriesKey::Process(ProcessHandle(2));
    for second in 2..3_000 {
        lived(&mut book, &process, &second.to_string(), second);
    }
    assert!(book.engine.has_lineage("service"));
    assert_eq!(book.engine.status().lineages, 1 + 1_024);
    assert!(book.engine.has_lineage("2999"));
}
