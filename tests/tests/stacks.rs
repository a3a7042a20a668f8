//! Stacks are complete and named: without frame pointers, out of sight, deleted, static, stripped,
//! through generated code, from C++ and Rust, and in real programs.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use profiler_proto::v1::{FrameKind, GrowthRow};
use profiler_tests::{
    Agent, Outcome, Verdict,
    fixture::{self, Fixture},
    rows::{self, Score},
    skip,
    surroundings::{self, Scratch, eventually},
    trial,
    workload::Kind,
};

/// Demands of one run of a fixture. Each is large enough to be captured with certainty.
const DEMANDS: u64 = 200;
/// Fewer captures than this are a failure: some may be lost, and counted, where the ring of captures
/// overflows (a guest under emulation) or the interval is raised.
const CAPTURES: u64 = DEMANDS * 3 / 4;
const COMPLETE: f64 = 0.99;

/// From the function below the leaf to the root of the fixture's own code.
const CHAIN: [&str; 6] = ["delta", "charlie", "bravo", "alpha", "run", "main"];

pub(crate) fn trials() -> Vec<Trial> {
    let limit = Duration::from_secs(60);
    let mut trials = vec![
        trial("stacks::in_a_mount_namespace", limit, in_a_mount_namespace),
        trial("stacks::of_a_deleted_binary", limit, of_a_deleted_binary),
        trial("stacks::of_every_operation", limit, of_every_operation),
        trial("stacks::of_threads", limit, of_threads),
        trial("stacks::of_recursion", limit, of_recursion),
        trial("stacks::unoptimized", limit, || {
            of_variant("stacks-unoptimized")
        }),
        trial("stacks::static", limit, || of_variant("stacks-static")),
        trial("stacks::static_pie", limit, || {
            of_variant("stacks-static-pie")
        }),
        trial("stacks::stripped", limit, stripped),
        trial("stacks::cpp", limit, cpp),
        trial("stacks::rust", limit, rust),
        trial("stacks::perf_map", limit, perf_map),
        trial("stacks::nameless_code", limit, || unnamed_code("nameless")),
        trial("stacks::perf_map_of_garbage", limit, || {
            unnamed_code("garbage")
        }),
        trial("stacks::corrupt_elf", limit, corrupt_elf),
    ];
    // The allocator of redis-server maps large pieces, and few of them.
    for (kind, events) in [(Kind::Node, 50), (Kind::Python, 50), (Kind::Redis, 10)] {
        let name = format!("stacks::{}_reaches_its_root", kind.program());
        trials.push(trial(&name, limit, move || reaches_its_root(kind, events)));
    }
    trials
}

/// Lets a fixture make its demands, and returns its rows once they are all there.
fn demand(agent: &Agent, fixture: &mut Fixture) -> Result<Vec<GrowthRow>> {
    fixture.report()?;
    fixture.go()?;
    fixture.report()?;
    let mut client = agent.client()?;
    let mut seen = Vec::new();
    // Captures may still be on their way; too few of them is for the caller to judge.
    let _last = eventually(Duration::from_secs(3), || {
        seen = client.stacks(fixture.pid())?;
        let events: u64 = seen.iter().map(|row| row.events).sum();
        ensure!(events >= DEMANDS, "{events} captured events");
        Ok(())
    });
    Ok(seen)
}

/// Judges rows that come from the fixture's demands; those of its start-up are left out.
fn judge(row: &GrowthRow, leaf: &str, root: &[&str]) -> Option<bool> {
    let ours = rows::names(row).contains(&leaf);
    if !ours && !row.truncated {
        return None;
    }
    let chain: Vec<&str> = [leaf].into_iter().chain(root.iter().copied()).collect();
    Some(!row.truncated && rows::has_chain(&row.frames, &chain) && all_named(row, leaf))
}

/// Every frame of the module that holds this function has a name.
fn all_named(row: &GrowthRow, function: &str) -> bool {
    let module = row
        .frames
        .iter()
        .find(|frame| frame.function == function)
        .map(|frame| &frame.module);
    row.frames
        .iter()
        .all(|frame| Some(&frame.module) != module || !frame.function.is_empty())
}

fn check(rows: &[GrowthRow], leaf: &str, root: &[&str]) -> Result<()> {
    Score::of(rows, |row| judge(row, leaf, root)).at_least(COMPLETE, CAPTURES, rows)
}

fn arguments<'a>(mode: &'a str, demands: &'a str, frame: &'a str) -> [&'a str; 3] {
    [mode, demands, frame]
}

/// The binary lies in a file system that only its own mount namespace has.
fn hidden(mode: &str, frame: &str, more: &[&str]) -> Result<(Fixture, Scratch)> {
    let scratch = Scratch::new()?;
    let directory = scratch.path().to_str().context("path")?;
    let target = format!("{directory}/hidden-stacks");
    let original = fixture::path("stacks")?;
    let original = original.to_str().context("path")?;
    let options = ["--mount", "--tmpfs", directory, "--copy", original, &target];
    let demands = DEMANDS.to_string();
    let arguments = [&arguments(mode, &demands, frame), more].concat();
    let fixture = Fixture::in_jail(&options, &target, &arguments)?;
    Ok((fixture, scratch))
}

fn in_a_mount_namespace() -> Outcome {
    let agent = Agent::start(&[])?;
    let cases = [
        ("mmap", "leaf_mmap"),
        ("malloc", "leaf_malloc"),
        ("brk", "leaf_brk"),
    ];
    for (mode, leaf) in cases {
        for frame in ["0", "4096", "12288", "40960"] {
            let (mut fixture, scratch) = hidden(mode, frame, &[])?;
            let rows = demand(&agent, &mut fixture)?;
            ensure!(
                !scratch.path().join("hidden-stacks").exists(),
                "the test is void: the host sees the binary"
            );
            check(&rows, leaf, &CHAIN)
                .with_context(|| format!("{mode}, frame of {frame} bytes"))?;
            fixture.finish()?;
        }
    }
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn of_a_deleted_binary() -> Outcome {
    let agent = Agent::start(&[])?;
    let (mut fixture, _scratch) = hidden("mmap", "4096", &["--unlink"])?;
    let rows = demand(&agent, &mut fixture)?;
    check(&rows, "leaf_mmap", &CHAIN)?;
    fixture.finish()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn of_every_operation() -> Outcome {
    let agent = Agent::start(&[])?;
    let demands = DEMANDS.to_string();
    for mode in ["mmap", "malloc", "brk", "protect", "remap"] {
        let mut fixture = Fixture::start("stacks", &arguments(mode, &demands, "0"))?;
        let rows = demand(&agent, &mut fixture)?;
        check(&rows, &format!("leaf_{mode}"), &CHAIN).context(mode)?;
        fixture.finish()?;
    }
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn of_threads() -> Outcome {
    let agent = Agent::start(&[])?;
    let demands = DEMANDS.to_string();
    let mut fixture = Fixture::start("stacks", &arguments("threads", &demands, "4096"))?;
    let rows = demand(&agent, &mut fixture)?;
    check(
        &rows,
        "leaf_mmap",
        &["delta", "charlie", "bravo", "alpha", "run", "thread_body"],
    )?;
    fixture.finish()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn of_recursion() -> Outcome {
    let agent = Agent::start(&[])?;
    let demands = DEMANDS.to_string();
    let mut fixture = Fixture::start("stacks", &arguments("recursion", &demands, "0"))?;
    let rows = demand(&agent, &mut fixture)?;
    let root: Vec<&str> = ["recurse"; 61]
        .into_iter()
        .chain(["leaf_recursion"])
        .chain(CHAIN)
        .collect();
    check(&rows, "leaf_mmap", &root)?;
    fixture.finish()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn of_variant(name: &str) -> Outcome {
    if surroundings::fixture(name).is_none() {
        return skip(format!("fixture {name} could not be compiled"));
    }
    let agent = Agent::start(&[])?;
    let demands = DEMANDS.to_string();
    for (mode, leaf) in [("mmap", "leaf_mmap"), ("malloc", "leaf_malloc")] {
        let mut fixture = Fixture::start(name, &arguments(mode, &demands, "4096"))?;
        let rows = demand(&agent, &mut fixture)?;
        check(&rows, leaf, &CHAIN).context(mode)?;
        fixture.finish()?;
    }
    agent.stop()?;
    Ok(Verdict::Passed)
}

/// Without symbols: complete all the same, and each frame says where its code lies.
fn stripped() -> Outcome {
    let agent = Agent::start(&[])?;
    let demands = DEMANDS.to_string();
    let mut fixture = Fixture::start("stacks-stripped", &arguments("mmap", &demands, "4096"))?;
    let rows = demand(&agent, &mut fixture)?;
    let score = Score::of(&rows, |row| {
        let own: Vec<_> = row
            .frames
            .iter()
            .filter(|frame| frame.module.ends_with("stacks-stripped"))
            .collect();
        // Its start-up has no more than `_start` and `main` on the stack.
        if own.len() < 3 && !row.truncated {
            return None;
        }
        // leaf_mmap, the chain, and `_start`.
        let complete = !row.truncated && own.len() == CHAIN.len() + 2;
        Some(
            complete
                && own
                    .iter()
                    .all(|frame| !frame.build_id.is_empty() && frame.module_offset > 0),
        )
    });
    score.at_least(COMPLETE, CAPTURES, &rows)?;
    fixture.finish()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn cpp() -> Outcome {
    if surroundings::fixture("stacks-cpp").is_none() {
        return skip("there was no C++ compiler");
    }
    let agent = Agent::start(&[])?;
    let mut fixture = Fixture::start("stacks-cpp", &[&DEMANDS.to_string()])?;
    let rows = demand(&agent, &mut fixture)?;
    let score = Score::of(&rows, |row| {
        let find = |name: &str| {
            row.frames
                .iter()
                .position(|frame| frame.function.contains(name))
        };
        let Some(add) = find("shop::Cart<int>::add") else {
            return row.truncated.then_some(false);
        };
        let inlined =
            find("shop::detail::grow").is_some_and(|grow| grow < add && row.frames[grow].inlined);
        let below = find("shop::checkout")
            .zip(find("main"))
            .is_some_and(|(checkout, main)| add < checkout && checkout < main);
        Some(!row.truncated && inlined && below)
    });
    score.at_least(COMPLETE, CAPTURES, &rows)?;
    fixture.finish()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn rust() -> Outcome {
    if surroundings::fixture("stacks-rust").is_none() {
        return skip("there was no Rust compiler");
    }
    let agent = Agent::start(&[])?;
    let mut fixture = Fixture::start("stacks-rust", &[&DEMANDS.to_string()])?;
    let rows = demand(&agent, &mut fixture)?;
    let score = Score::of(&rows, |row| {
        let find = |name: &str| {
            row.frames
                .iter()
                .position(|frame| frame.function.contains(name))
        };
        let Some(stock) =
            find("Shelf<").filter(|&place| row.frames[place].function.contains("stock"))
        else {
            return row.truncated.then_some(false);
        };
        let below = find("stacks_rust::fill").zip(find("stacks_rust::main"));
        Some(!row.truncated && below.is_some_and(|(fill, main)| stock < fill && fill < main))
    });
    score.at_least(COMPLETE, CAPTURES, &rows)?;
    fixture.finish()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn run_generated(agent: &Agent, mode: &str) -> Result<Vec<GrowthRow>> {
    let mut fixture = Fixture::start("jit", &[&DEMANDS.to_string(), mode])?;
    let rows = demand(agent, &mut fixture);
    let map = format!("/tmp/perf-{}.map", fixture.pid());
    let finished = fixture.go().and_then(|()| fixture.finish());
    // The fixture deletes it, unless it was cut short.
    let _gone = fs::remove_file(map);
    finished.and(rows)
}

fn perf_map() -> Outcome {
    let agent = Agent::start(&[])?;
    let rows = run_generated(&agent, "perf-map")?;
    check(
        &rows,
        "leaf_callback",
        &["generated_function", "demand_through", "main"],
    )?;
    let generated = rows
        .iter()
        .flat_map(|row| &row.frames)
        .find(|frame| frame.function == "generated_function");
    ensure!(
        generated.is_some_and(|frame| frame.kind() == FrameKind::Jit),
        "the frame is not marked as generated"
    );
    agent.stop()?;
    Ok(Verdict::Passed)
}

/// Code without a name does not cut the stack, and gets none that is not its own.
fn unnamed_code(mode: &str) -> Outcome {
    let mut agent = Agent::start(&[])?;
    let rows = run_generated(&agent, mode)?;
    let score = Score::of(&rows, |row| {
        let Some(leaf) = row
            .frames
            .iter()
            .position(|frame| frame.function == "leaf_callback")
        else {
            return row.truncated.then_some(false);
        };
        let [_, code, through, main, ..] = &row.frames[leaf..] else {
            return Some(false);
        };
        let unnamed = code.kind() == FrameKind::Jit && code.function.is_empty();
        Some(
            !row.truncated
                && unnamed
                && through.function == "demand_through"
                && main.function == "main",
        )
    });
    score.at_least(COMPLETE, CAPTURES, &rows)?;
    agent.alive()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

/// A stack through a broken file is complete or marked as cut; everything else goes on.
fn corrupt_elf() -> Outcome {
    let mut agent = Agent::start(&[])?;
    let rows = run_generated(&agent, "corrupt-elf")?;
    let score = Score::of(&rows, |row| {
        let named = rows::names(row);
        named
            .contains(&"leaf_callback")
            .then(|| row.truncated || named.contains(&"main"))
    });
    score.at_least(COMPLETE, CAPTURES, &rows)?;
    agent.alive()?;
    let mut fixture = Fixture::start("stacks", &arguments("mmap", &DEMANDS.to_string(), "0"))?;
    let after = demand(&agent, &mut fixture)?;
    check(&after, "leaf_mmap", &CHAIN).context("after the broken file")?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn reaches_its_root(kind: Kind, events: u64) -> Outcome {
    let agent = Agent::start(&[])?;
    let Some(workload) = kind.start()? else {
        agent.stop()?;
        return skip(format!("{} is not installed", kind.program()));
    };
    let rows = agent.client()?.stacks(workload.pid())?;
    Score::of(&rows, |row| Some(!row.truncated)).at_least(0.98, events, &rows)?;
    agent.stop()?;
    Ok(Verdict::Passed)
}
