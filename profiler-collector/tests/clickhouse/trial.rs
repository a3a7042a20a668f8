//! A test: it passes, fails, or says why it cannot run here; it never hangs.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use libtest_mimic::{Completion, Failed, Trial};
use tokio::{runtime::Runtime, time::timeout};

/// For one test, servers not counted.
const LIMIT: Duration = Duration::from_secs(240);

/// A test of `server`, which says why it is not there.
pub(crate) fn trial<S: Send + 'static>(
    name: &'static str,
    server: impl FnOnce() -> Result<S, String> + Send + 'static,
    body: impl AsyncFnOnce(S) + Send + 'static,
) -> Trial {
    Trial::ignorable_test(name, move || match server() {
        Ok(server) => run(server, body),
        Err(reason) => {
            // The harness has begun the line with the test's name.
            println!("\nskipped: {name}: {reason}");
            Ok(Completion::ignored_with(reason))
        }
    })
}

fn run<S>(server: S, body: impl AsyncFnOnce(S)) -> Result<Completion, Failed> {
    let runtime = Runtime::new().map_err(|error| error.to_string())?;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async { timeout(LIMIT, body(server)).await })
    }));
    runtime.shutdown_background();
    match outcome {
        Ok(Ok(())) => Ok(Completion::Completed),
        Ok(Err(_elapsed)) => Err(format!("not done within {LIMIT:?}").into()),
        Err(_panic) => Err("panicked; see above".into()),
    }
}
