//! Writes of many streams, put into ClickHouse together. Definitions and parts go first and the
//! batches' rows last: what is seen of a batch is all there, whenever the way breaks.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use profiler_proto::v1;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

use super::{
    client::Client,
    events::{self, EventRow},
    rows::{BatchRow, FrameRow, KeyRow, NumberRow, PartRow, RunRow, StackRow},
    sql,
};
use crate::store::{RunId, StoreError, WallTime, Write, Written, events::OF_RUN_AHEAD};

/// Calls that wait for the round after the present one. Who calls beyond that waits.
const CALLS_MAX: usize = 256;

/// Bytes of parts from which on a round begins at once.
const ROUND_BYTES: usize = 32 << 20;

/// Keys in one statement.
const KEYS: usize = 10_000;

type Answer = Result<Written, StoreError>;

struct Call {
    writes: Vec<Write>,
    answer: oneshot::Sender<Answer>,
}

/// Where writes are handed in; the task behind it ends with the last of these.
pub(super) struct Writer {
    calls: mpsc::Sender<Call>,
}

impl Writer {
    /// `linger`: how long a round waits for others after the first call.
    pub(super) fn start(client: Client, linger: Duration) -> Self {
        let (calls, receiver) = mpsc::channel(CALLS_MAX);
        tokio::spawn(rounds(client, linger, receiver));
        Self { calls }
    }

    pub(super) async fn write(&self, writes: Vec<Write>) -> Answer {
        // Before it can spoil a round for others.
        for batch in writes.iter().filter_map(|write| write.batch.as_ref()) {
            moment(batch)?;
        }
        for write in &writes {
            for event in &write.events {
                EventRow::new(write.run, &write.facts.node, event)?;
            }
        }
        let (answer, answered) = oneshot::channel();
        let ended = || StoreError::Internal("the task that writes to ClickHouse ended".into());
        self.calls
            .send(Call { writes, answer })
            .await
            .map_err(|_closed| ended())?;
        answered.await.map_err(|_closed| ended())?
    }
}

async fn rounds(client: Client, linger: Duration, mut calls: mpsc::Receiver<Call>) {
    while let Some(first) = calls.recv().await {
        let round = gather(first, linger, &mut calls).await;
        let (writes, answers): (Vec<_>, Vec<_>) = round
            .into_iter()
            .map(|call| (call.writes, call.answer))
            .unzip();
        let outcome = store(&client, writes).await;
        for (place, answer) in answers.into_iter().enumerate() {
            let answered = match &outcome {
                Ok(written) => Ok(written[place].clone()),
                Err(error) => Err(error.clone()),
            };
            // Who asked may have gone.
            let _gone = answer.send(answered);
        }
    }
}

async fn gather(first: Call, linger: Duration, calls: &mut mpsc::Receiver<Call>) -> Vec<Call> {
    let until = Instant::now() + linger;
    let mut bytes = size(&first);
    let mut round = vec![first];
    while bytes < ROUND_BYTES && round.len() < CALLS_MAX {
        let Ok(Some(call)) = timeout_at(until, calls.recv()).await else {
            break;
        };
        bytes += size(&call);
        round.push(call);
    }
    round
}

fn size(call: &Call) -> usize {
    let batches = call.writes.iter().filter_map(|write| write.batch.as_ref());
    let parts = batches.flat_map(|batch| &batch.parts);
    parts.map(|part| part.data.len()).sum()
}

/// Stores all of it and says for each call what became of its batches.
async fn store(client: &Client, calls: Vec<Vec<Write>>) -> Result<Vec<Written>, StoreError> {
    let mut known = known(client, &calls).await?;
    known.events = known_events(client, &calls).await?;
    known.held = events::held(client, &runs_with_events(&calls)).await?;
    let mut tables = Tables::default();
    let written = calls
        .into_iter()
        .map(|writes| tables.add(writes, &mut known))
        .collect::<Result<_, _>>()?;
    tables.insert(client).await?;
    Ok(written)
}

/// What is there already, by run and number.
#[derive(Default)]
struct Known {
    batches: HashSet<(RunId, u64)>,
    events: HashSet<(RunId, u64)>,
    /// Events of each run that sent more.
    held: HashMap<RunId, u64>,
}

impl Known {
    /// Whether an event is to be kept; counts what is, and what would be too much.
    fn takes(&mut self, key: (RunId, u64), written: &mut Written) -> bool {
        if self.events.contains(&key) {
            return false;
        }
        let held = self.held.entry(key.0).or_default();
        if *held >= OF_RUN_AHEAD {
            written.events_over += 1;
            return false;
        }
        *held += 1;
        self.events.insert(key);
        written.events.push(key);
        true
    }
}

fn runs_with_events(calls: &[Vec<Write>]) -> Vec<RunId> {
    let writes = calls.iter().flatten();
    let with_events = writes.filter(|write| !write.events.is_empty());
    let runs: HashSet<RunId> = with_events.map(|write| write.run).collect();
    runs.into_iter().collect()
}

async fn known_events(
    client: &Client,
    calls: &[Vec<Write>],
) -> Result<HashSet<(RunId, u64)>, StoreError> {
    let writes = calls.iter().flatten();
    let keys = writes.flat_map(|write| {
        let numbers = write.events.iter().map(|event| event.number);
        numbers.map(|number| (write.run, number))
    });
    events::known(client, &keys.collect::<Vec<_>>()).await
}

/// Which of the batches are there already, thinned out or not.
async fn known(client: &Client, calls: &[Vec<Write>]) -> Result<Known, StoreError> {
    let keys: Vec<(RunId, u64)> = calls
        .iter()
        .flatten()
        .filter_map(|write| Some((write.run, write.batch.as_ref()?.sequence)))
        .collect();
    let mut known = Known::default();
    for keys in keys.chunks(KEYS) {
        let query = format!(
            "SELECT run, sequence FROM batch WHERE (run, sequence) IN ({})",
            sql::keys(keys)
        );
        let rows: Vec<KeyRow> = client.rows(&query).await?;
        known
            .batches
            .extend(rows.into_iter().map(|row| (RunId(row.run), row.sequence)));
    }
    Ok(known)
}

/// One round's rows by table.
#[derive(Default)]
struct Tables {
    runs: HashMap<RunId, RunRow>,
    frames: HashMap<u64, FrameRow>,
    stacks: HashMap<u64, StackRow>,
    numbers: Vec<NumberRow>,
    parts: Vec<PartRow>,
    batches: Vec<BatchRow>,
    events: Vec<EventRow>,
}

impl Tables {
    fn add(&mut self, writes: Vec<Write>, known: &mut Known) -> Result<Written, StoreError> {
        let mut written = Written::default();
        for write in writes {
            let run = write.run;
            for (hash, frame) in write.frames {
                self.frames.insert(hash.0, FrameRow::new(hash, frame));
            }
            for (hash, content) in write.stacks {
                self.stacks.insert(hash.0, StackRow::new(hash, &content));
            }
            let numbers = write.numbers.into_iter().map(|(number, stack)| NumberRow {
                run: run.0,
                number,
                stack: stack.0,
            });
            self.numbers.extend(numbers);
            for event in &write.events {
                let row = EventRow::new(run, &write.facts.node, event)?;
                if known.takes(row.key(), &mut written) {
                    self.events.push(row);
                }
            }
            self.runs.insert(run, RunRow::new(run, write.facts));
            if let Some(batch) = write.batch {
                if known.batches.insert((run, batch.sequence)) {
                    self.add_batch(run, batch)?;
                    written.stored += 1;
                } else {
                    written.repeated += 1;
                }
            }
        }
        Ok(written)
    }

    fn add_batch(&mut self, run: RunId, batch: v1::Batch) -> Result<(), StoreError> {
        let time = moment(&batch)?;
        let bytes: usize = batch.parts.iter().map(|part| part.data.len()).sum();
        self.batches.push(BatchRow {
            run: run.0,
            sequence: batch.sequence,
            time: time.0,
            boot_nanoseconds: batch.boot_nanoseconds,
            whole: batch.whole,
            parts: u32::try_from(batch.parts.len()).unwrap_or(u32::MAX),
            bytes: bytes as u64,
            gone: 0,
        });
        let parts = batch
            .parts
            .into_iter()
            .zip(0..)
            .map(|(part, position)| PartRow {
                run: run.0,
                kind: part.kind,
                sequence: batch.sequence,
                position,
                time: time.0,
                size: part.size,
                data: part.data,
            });
        self.parts.extend(parts);
        Ok(())
    }

    async fn insert(self, client: &Client) -> Result<(), StoreError> {
        let runs: Vec<RunRow> = self.runs.into_values().collect();
        let frames: Vec<FrameRow> = self.frames.into_values().collect();
        let stacks: Vec<StackRow> = self.stacks.into_values().collect();
        tokio::try_join!(
            client.insert("run", &runs),
            client.insert("frame", &frames),
            client.insert("stack", &stacks),
            client.insert("number", &self.numbers),
            client.insert("part", &self.parts),
            client.insert("event", &self.events),
        )?;
        client.insert("batch", &self.batches).await
    }
}

fn moment(batch: &v1::Batch) -> Result<WallTime, StoreError> {
    let out_of_range = || {
        let number = batch.sequence;
        StoreError::Internal(format!("batch {number} has no time, or one out of range"))
    };
    let time = batch.time.as_ref().ok_or_else(out_of_range)?;
    time.seconds
        .checked_mul(1_000_000_000)
        .and_then(|nanoseconds| nanoseconds.checked_add(i64::from(time.nanos)))
        .map(WallTime)
        .ok_or_else(out_of_range)
}
