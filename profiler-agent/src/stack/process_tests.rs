use std::fs::File;
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::stack::module::ModuleLimits;
use crate::stack::{ProcFs, Processes};

/// This process, of whose files none can be opened for a while.
struct Short {
    real: Arc<dyn ProcessView>,
    opens: Mutex<u32>,
    short: Mutex<bool>,
}

impl ProcessView for Short {
    fn code(&self, limit: usize) -> io::Result<Vec<CodeMapping>> {
        self.real.code(limit)
    }

    fn open(&self, mapping: &CodeMapping) -> io::Result<File> {
        *self.opens.lock().expect("no panic") += 1;
        if *self.short.lock().expect("no panic") {
            return Err(io::Error::other("too many open files"));
        }
        self.real.open(mapping)
    }

    fn perf_map(&self) -> io::Result<File> {
        self.real.perf_map()
    }
}

#[test]
fn files_that_could_not_be_opened_are_tried_again_rarely_and_counted_once() {
    let view = Arc::new(Short {
        real: ProcFs.view(std::process::id()).expect("own process"),
        opens: Mutex::default(),
        short: Mutex::new(true),
    });
    let mut process = ProcessCode::new(ProcessHandle(1), Arc::<Short>::clone(&view));
    let mut modules = ModuleTable::new(ModuleLimits {
        modules: 64,
        cfi_bytes: 1 << 20,
    });
    let mut counters = StackCounters::default();
    let start = Instant::now();
    let mut at = |seconds| {
        CodeView {
            process: &mut process,
            modules: &mut modules,
            counters: &mut counters,
            now: start + Duration::from_secs(seconds),
            provisional: false,
        }
        .prepare();
        let known = process.modules().count();
        (
            *view.opens.lock().expect("no panic"),
            known,
            counters.modules_unopened,
        )
    };
    let (opens, _, lost) = at(0);
    assert!(opens > 0);
    assert_eq!(u64::from(opens), lost);
    assert_eq!(at(9).0, opens, "too soon");
    assert_eq!(at(11).0, 2 * opens);
    assert_eq!(at(21).0, 2 * opens, "rarer than at first");
    *view.short.lock().expect("no panic") = false;
    let (again, known, counted) = at(40);
    assert_eq!((again, counted), (3 * opens, lost));
    assert!(known >= opens as usize);
    assert_eq!(at(4_000).0, again, "nothing is left to try");
}
