//! What becomes of the memory of connections is named right, or not at all.

use std::{collections::BTreeMap, fmt, thread, time::Duration};

use super::trial;
use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use profiler_proto::v1::{ConnectionClass, ConnectionRole, Pattern};
use profiler_tests::{
    Agent, Client, Outcome, Verdict, connections,
    sockets::{Clients, Server},
    surroundings::{patience, repetitions},
};

pub(crate) fn trials() -> Vec<Trial> {
    let batches = repetitions().div_ceil(AT_ONCE);
    vec![trial(
        "connections::patterns_are_named_right",
        Duration::from_secs(120) * batches,
        patterns_are_named_right,
    )]
}

/// Of each server.
const CONNECTIONS: u64 = 20;
/// Repetitions that run side by side; each has a server for each pattern and length of life.
const AT_ONCE: u32 = 5;
/// The longest case, and then as long as it takes to say what stayed.
const DONE: Duration = Duration::from_secs(60);
const JUDGED: Duration = Duration::from_secs(33);

/// A way to keep memory, and what it has to be called.
const PATTERNS: [(&str, Pattern); 4] = [
    ("while-open", Pattern::RetainedWhileOpen),
    ("bounded", Pattern::BoundedPerConnection),
    ("after-close", Pattern::RetainedAfterClose),
    ("per-request", Pattern::PerRequest),
];

/// In two waves, so that the later connections open once the earlier ones have closed: 8 to 40
/// requests in 1 to 3 s, hundreds in 8 to 13 s.
const LIVES: [(&str, &str); 2] = [
    ("short", "-k 20 -w 10 -i 40 -g 500 -r 8:40 -d 70"),
    ("long", "-k 20 -w 10 -i 40 -g 500 -r 200:320 -d 40"),
];

/// Servers and clients, and what may be said of them.
struct Setting {
    name: &'static str,
    server: &'static str,
    clients: &'static str,
    right: &'static [Pattern],
}

/// Where the evidence does not separate the patterns, or only just does.
const HARD: [Setting; 7] = [
    Setting {
        name: "all still open",
        server: "while-open",
        clients: "-k 20 -i 40 -r 60:120 -d 70 -e exit",
        right: &[Pattern::Undetermined],
    },
    Setting {
        name: "one request each",
        server: "per-request",
        clients: "-k 20 -w 10 -i 40 -g 500 -r 1:1 -d 1000",
        right: &[Pattern::Undetermined],
    },
    Setting {
        name: "half given back",
        server: "mixed",
        clients: "-k 20 -w 10 -i 40 -g 500 -r 60:120 -d 70",
        right: &[Pattern::Undetermined],
    },
    Setting {
        name: "freed inside the allocator, nobody came later",
        server: "while-open -m -b 2048:8192",
        clients: "-k 20 -i 40 -r 100:200 -d 60",
        right: &[Pattern::Undetermined],
    },
    Setting {
        name: "freed inside the allocator, others came later",
        server: "while-open -m -b 2048:8192",
        clients: "-k 20 -w 10 -i 40 -g 500 -r 100:200 -d 60",
        right: &[Pattern::RetainedWhileOpen, Pattern::Undetermined],
    },
    Setting {
        name: "kept inside the allocator",
        server: "per-request -m -b 2048:8192",
        clients: "-k 20 -w 10 -i 40 -g 500 -r 100:200 -d 60",
        right: &[Pattern::PerRequest, Pattern::Undetermined],
    },
    Setting {
        name: "nothing is kept",
        server: "nothing",
        clients: "-k 20 -w 10 -i 40 -g 500 -r 60:120 -d 70",
        right: &[Pattern::NoGrowth, Pattern::Undetermined],
    },
];

/// A running server with its clients.
struct Case {
    name: String,
    right: Vec<Pattern>,
    /// Of the server: what it was told.
    arguments: String,
    server: Server,
    clients: Clients,
}

impl Case {
    fn start(name: String, arguments: &str, clients: &str, right: &[Pattern]) -> Result<Self> {
        let server = Server::start(arguments)?;
        let clients = Clients::prepare(server.port, clients)?;
        Ok(Self {
            name,
            right: right.to_vec(),
            arguments: arguments.into(),
            server,
            clients,
        })
    }

    /// The class of the server's connections.
    fn class(&self, client: &mut Client) -> Result<ConnectionClass> {
        let answer = connections::answer_of(client, self.server.pid())?;
        let mut classes = answer
            .classes
            .into_iter()
            .filter(|class| class.role() == ConnectionRole::Server);
        let class = classes
            .next()
            .with_context(|| format!("{}: no class", self.name))?;
        ensure!(classes.next().is_none(), "{}: several classes", self.name);
        Ok(class)
    }
}

/// A repetition's cases: seeds differ, and so does whether memory goes before the socket or after.
fn start_patterns(repetition: u32) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (keeping, pattern) in PATTERNS {
        for (life, clients) in LIVES {
            let first = if repetition.is_multiple_of(2) {
                "-f"
            } else {
                ""
            };
            let blocks = 3 + repetition % 4;
            let server = format!("{keeping} -s {} -n {blocks} {first}", 100 + repetition);
            let clients = format!("{clients} -s {}", 200 + repetition);
            let name = format!("{keeping}, {life}");
            cases.push(Case::start(name, &server, &clients, &[pattern])?);
        }
    }
    Ok(cases)
}

fn start_hard(repetition: u32) -> Result<Vec<Case>> {
    HARD.iter()
        .map(|setting| {
            let server = format!("{} -s {}", setting.server, 300 + repetition);
            let clients = format!("{} -s {}", setting.clients, 400 + repetition);
            Case::start(setting.name.into(), &server, &clients, setting.right)
        })
        .collect()
}

/// How often a case was named.
#[derive(Default)]
struct Tally {
    right: u32,
    undetermined: u32,
    wrong: u32,
    /// Answers that do not rest on all connections.
    partial: u32,
    said: Vec<String>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} right, {} undetermined, {} wrong, {} of fewer connections",
            self.right, self.undetermined, self.wrong, self.partial
        )?;
        self.said
            .iter()
            .try_for_each(|said| write!(f, "\n    {said}"))
    }
}

impl Tally {
    fn add(&mut self, case: &Case, class: &ConnectionClass) {
        let pattern = class.pattern();
        if class.connections != CONNECTIONS {
            self.partial += 1;
            self.said.push(format!(
                "{}: a class of {} connections",
                case.arguments, class.connections
            ));
        }
        if case.right.contains(&pattern) {
            self.right += 1;
            return;
        }
        match pattern {
            Pattern::Undetermined => self.undetermined += 1,
            _ => self.wrong += 1,
        }
        self.said.push(format!(
            "{}: {pattern:?}: {} (late growth {:?}, released {:?}, refill {:?})",
            case.arguments,
            class.reason,
            class.late_growth,
            class.released_share,
            class.refill_ratio
        ));
    }

    /// One in twenty may be left open; at least one, where there are fewer.
    fn is_good(&self) -> bool {
        let all = self.right + self.undetermined + self.wrong;
        self.wrong + self.partial == 0 && self.undetermined <= (all / 20).max(1)
    }
}

/// Runs some repetitions side by side.
fn batch(
    client: &mut Client,
    repetitions: std::ops::Range<u32>,
    tallies: &mut BTreeMap<String, Tally>,
) -> Result<()> {
    let mut cases = start_hard(repetitions.start)?;
    for repetition in repetitions {
        cases.extend(start_patterns(repetition)?);
    }
    for case in &mut cases {
        case.clients.fixture.go()?;
    }
    for case in &mut cases {
        case.clients.done(DONE).with_context(|| case.name.clone())?;
    }
    // The last have just closed: too early to say anything but what will stay true.
    for case in &cases {
        let class = case.class(client)?;
        ensure!(
            class.pattern() == Pattern::Undetermined || case.right.contains(&class.pattern()),
            "{}: called {:?} before it could be known: {}",
            case.name,
            class.pattern(),
            class.reason
        );
    }
    thread::sleep(patience(JUDGED));
    for case in &cases {
        let class = case.class(client)?;
        tallies
            .entry(case.name.clone())
            .or_default()
            .add(case, &class);
    }
    Ok(())
}

fn patterns_are_named_right() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let mut tallies = BTreeMap::new();
    for first in (0..repetitions()).step_by(AT_ONCE as usize) {
        let end = repetitions().min(first + AT_ONCE);
        batch(&mut client, first..end, &mut tallies)?;
    }
    let mut bad = Vec::new();
    for (name, tally) in &tallies {
        let text = format!("{name}: {tally}");
        eprintln!("connections::patterns_are_named_right: {text}");
        if !tally.is_good() {
            bad.push(text);
        }
    }
    ensure!(bad.is_empty(), "{}", bad.join("\n"));
    agent.stop()?;
    Ok(Verdict::Passed)
}
