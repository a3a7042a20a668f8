//! What an agent has in its spool, sent to collectors once more, so that several get the same.

use std::{fs, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use profiler_stream::{
    sender::{FromSpool, Identity, Plain, Sender, Settings},
    spool::{self, Spool},
};
use profiler_tests::surroundings::eventually;
use tokio::runtime::Runtime;

/// Copies a spool, also while its agent writes to it.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from).context("read the spool")? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Sends all of it to a collector, as the agent would.
pub(crate) fn send(folder: &Path, collector: &str) -> Result<()> {
    let spool = Arc::new(Spool::open(folder, spool::Settings::default())?);
    let identity = Identity {
        agent_version: "replay".to_owned(),
        node: "replay".to_owned(),
        agent_id: spool.agent_id(),
    };
    let waiting = spool.status().pending;
    ensure!(waiting > 0, "the test is void: nothing is in the spool");
    let sender = Sender::new(
        Settings::new(vec![collector.to_owned()]),
        identity,
        Box::new(Plain),
        FromSpool::new(Arc::clone(&spool)),
    );
    let watch = sender.watch();
    let runtime = Runtime::new()?;
    let sending = runtime.spawn(sender.run());
    let sent = eventually(Duration::from_secs(30), || {
        let status = watch.status();
        ensure!(
            status.acked == waiting && status.refused == 0,
            "of {waiting} batches the collector has {}, it refused {}; {:?}",
            status.acked,
            status.refused,
            status.last_error
        );
        Ok(())
    });
    sending.abort();
    sent
}
