//! The same question gets the same answer from an agent, from a collector with SQLite and from one
//! with ClickHouse.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use profiler_proto::v1::Selector;
use profiler_tests::{
    Agent, Client, Collector, Outcome, Verdict,
    agent::Address,
    client::{now, of_pid},
    collector::Place,
    connections,
    service::Service,
    skip,
    sockets::{Clients, Server},
    surroundings::Scratch,
};

use super::{
    clickhouse,
    questions::{Answers, EVERYTHING, Scene},
    replay,
    same::{COUNTED, same},
    spool, trial,
};

pub(crate) fn trials() -> Vec<Trial> {
    let limit = Duration::from_secs(240);
    vec![
        trial("collector::sqlite_answers_as_the_agent", limit, on_sqlite),
        trial(
            "collector::clickhouse_answers_as_the_agent",
            limit,
            on_clickhouse,
        ),
    ]
}

/// The history of an agent leaves out processes that came and went where there are many of them, as
/// where something is compiled; a collector does not.
const OBSERVED: [&str; 8] = [
    "--label",
    "zone=a",
    "--include-process",
    "leak",
    "--include-process",
    "conn_server",
    "--include-process",
    "conn_client",
];
const DONE: Duration = Duration::from_secs(20);
/// Until all that was done is in the agent's tables.
const SETTLED: Duration = Duration::from_secs(4);
/// A connection that is over is judged anew for so long; longer than that all rests.
const JUDGED: Duration = Duration::from_secs(33);
/// From one whole batch to the next, with one a second.
const WHOLE: Duration = Duration::from_secs(8);

fn on_sqlite() -> Outcome {
    compare(&Collector::start(&[])?)?;
    Ok(Verdict::Passed)
}

fn on_clickhouse() -> Outcome {
    let server = match clickhouse::Server::start()? {
        Ok(server) => server,
        Err(reason) => return skip(reason),
    };
    let place = Place::on_clickhouse(&server.database)?;
    compare(&Collector::start_at(place, &[])?)?;
    Ok(Verdict::Passed)
}

/// Programs at rest, and an agent that saw all they did.
struct Field {
    agent: Agent,
    scene: Scene,
    _programs: (Service, Server, Clients),
}

impl Field {
    fn start() -> Result<Self> {
        // Nobody is there: the spool keeps everything.
        let agent = super::agent(Address::new()?, &Place::new()?.url(), &OBSERVED)?;
        let mut client = agent.client()?;
        let mut service = Service::start()?;
        let mut server = Server::start("bounded -b 1000000:2000000")?;
        Clients::start(server.port, "-k 5 -r 3:6 -d 2")?.done(DONE)?;
        service.serve(20)?;
        let first = client.snapshot_after(now()?)?;
        // These stay open until the process ends.
        let mut clients = Clients::start(server.port, "-k 3 -r 3:6 -d 2 -e exit")?;
        clients.done(DONE)?;
        service.serve(30)?;
        std::thread::sleep(SETTLED);
        let truth = server.truth()?;
        let open = truth.connections.iter().find(|truth| !truth.over);
        let open = open.context("the test is void: no connection is open")?;
        let second = client.snapshot_after(now()?)?;
        let told = connections::of_process(&mut client, server.pid())?;
        let scene = Scene {
            first,
            second,
            rest: second,
            service: of_pid(service.pid()),
            server: Selector {
                pids: vec![server.pid(), clients.pid()],
                ..Selector::default()
            },
            connection: connections::find(&told, open)?.cookie,
        };
        Ok(Self {
            agent,
            scene,
            _programs: (service, server, clients),
        })
    }
}

fn compare(collector: &Collector) -> Result<()> {
    let mut field = Field::start()?;
    let scratch = Scratch::new()?;
    std::thread::sleep(JUDGED + WHOLE);
    field.scene.rest = field.agent.client()?.snapshot_after(now()?)?;
    std::thread::sleep(SETTLED);
    let copy = scratch.path().join("spool");
    replay::copy(&spool(field.agent.address()), &copy)?;
    replay::send(&copy, &collector.place().url())?;
    let (mut agent, mut collector) = (field.agent.client()?, collector.client()?);
    field.scene.keep(&mut collector)?;
    same_of_moments(&mut agent, &mut collector, &field.scene)?;
    same_of_connections(&mut agent, &mut collector, &field.scene)?;
    field.agent.stop()
}

fn same_of_moments(agent: &mut Client, collector: &mut Client, scene: &Scene) -> Result<()> {
    let theirs = Answers::of_moments(collector, scene)?;
    let ours = Answers::of_moments(agent, scene)?;
    ensure!(
        ours.tops.iter().all(|(_, answer)| !answer.rows.is_empty()),
        "the test is void: an answer has no rows"
    );
    for ((what, one), (_, other)) in ours.targets.iter().zip(&theirs.targets) {
        same(what, one, other, apart(what))?;
    }
    for ((what, one), (_, other)) in ours.tops.iter().zip(&theirs.tops) {
        same(what, one, other, apart(what))?;
    }
    for ((what, one), (_, other)) in ours.diffs.iter().zip(&theirs.diffs) {
        same(what, one, other, apart(what))?;
    }
    Ok(())
}

/// What answers about connections say besides those that were chosen: the agent's as of now, which
/// is not at rest, and a collector's as of the last whole batch. Of the open sockets of a container
/// a collector knows the sum alone, whichever of its processes are chosen.
const OF_THE_NODE: [&str; 6] = [
    "snapshot",
    "nextPageToken",
    "openConnections",
    "closedConnectionsKept",
    "connectionsFolded",
    "socketQueueBytes",
];

fn apart(what: &str) -> &'static [&'static str] {
    match what.contains(EVERYTHING) {
        true => &COUNTED,
        false => &[],
    }
}

fn same_of_connections(agent: &mut Client, collector: &mut Client, scene: &Scene) -> Result<()> {
    let theirs = Answers::of_connections(collector, scene)?;
    let ours = Answers::of_connections(agent, scene)?;
    for ((what, one), (_, other)) in ours.connections.iter().zip(&theirs.connections) {
        same(what, one, other, &OF_THE_NODE)?;
    }
    Ok(())
}
