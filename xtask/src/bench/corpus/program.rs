//! The programs, and how each is started.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;

use super::cgroup::Unit;
use crate::{shell, workspace};

const LIMIT: u64 = 512 << 20;

/// What a program's memory does.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Truth {
    /// It grows without an end: has to be found by the end.
    Leaks,
    /// It has an end within the warm-up: must never be said to leak.
    Bounded,
    /// It fills evenly up to a bound, for longer than the warm-up. From outside that is a leak until
    /// the bound is reached: it may be said to leak until then, and must not in the end.
    FillsForLong,
}

/// One program.
pub(super) struct Program {
    pub(super) name: &'static str,
    /// What it does, for the table.
    pub(super) what: &'static str,
    pub(super) truth: Truth,
    /// Words of the command; `@file` is a source, `%file` something that was prepared.
    server: &'static [&'static str],
    /// What asks it, outside its cgroup; empty: nobody.
    load: &'static [&'static str],
    /// It reloads its configuration at this signal, so often.
    reload: Option<Duration>,
}

const fn alone(
    name: &'static str,
    what: &'static str,
    truth: Truth,
    server: &'static [&'static str],
) -> Program {
    Program {
        name,
        what,
        truth,
        server,
        load: &[],
        reload: None,
    }
}

/// All of them.
pub(super) const CATALOGUE: &[Program] = &[
    alone(
        "node-map",
        "node: a Map keeps responses by request",
        Truth::Leaks,
        &["node", "@node_leaks.js", "map-cache"],
    ),
    alone(
        "node-listeners",
        "node: listeners are never removed",
        Truth::Leaks,
        &["node", "@node_leaks.js", "listeners"],
    ),
    alone(
        "node-sawtooth",
        "node: a leak below the collector's sawtooth",
        Truth::Leaks,
        &["node", "@node_leaks.js", "sawtooth"],
    ),
    alone(
        "python-registry",
        "python: objects register themselves",
        Truth::Leaks,
        &["python3", "@python_leaks.py", "registry"],
    ),
    alone(
        "java-static",
        "Java: a static list",
        Truth::Leaks,
        &["java", "-Xmx400m", "-cp", "%", "Heap", "static-list"],
    ),
    alone(
        "c-malloc",
        "C: half of what is taken is given back",
        Truth::Leaks,
        &["%growth", "leak"],
    ),
    Program {
        load: &[
            "%aiohttp-3.10.10/bin/python3",
            "@aiohttp_server.py",
            "ask",
            "17811",
        ],
        ..alone(
            "aiohttp-3.10.10",
            "aiohttp with CVE-2024-52303, asked for what is not there",
            Truth::Leaks,
            &[
                "%aiohttp-3.10.10/bin/python3",
                "@aiohttp_server.py",
                "serve",
                "17811",
            ],
        )
    },
    Program {
        load: &["python3", "@load.py", "redis", "17821", "200"],
        ..alone(
            "redis-no-expiry",
            "redis: keys without an end, no maxmemory",
            Truth::Leaks,
            &[
                "redis-server",
                "--port",
                "17821",
                "--save",
                "",
                "--appendonly",
                "no",
            ],
        )
    },
    Program {
        load: &["python3", "@load.py", "redis", "17822", "600"],
        ..alone(
            "redis-maxmemory",
            "redis fills up to maxmemory and evicts",
            Truth::Bounded,
            &[
                "redis-server",
                "--port",
                "17822",
                "--save",
                "",
                "--appendonly",
                "no",
                "--maxmemory",
                "12mb",
                "--maxmemory-policy",
                "allkeys-lru",
            ],
        )
    },
    Program {
        load: &["python3", "@load.py", "redis", "17823", "200"],
        ..alone(
            "redis-slow-fill",
            "the same, filling for more than two warm-ups",
            Truth::FillsForLong,
            &[
                "redis-server",
                "--port",
                "17823",
                "--save",
                "",
                "--appendonly",
                "no",
                "--maxmemory",
                "12mb",
                "--maxmemory-policy",
                "allkeys-lru",
            ],
        )
    },
    Program {
        load: &["python3", "@load.py", "memcached", "17831", "400"],
        ..alone(
            "memcached",
            "memcached fills up to its limit",
            Truth::Bounded,
            &[
                "memcached",
                "-u",
                "root",
                "-l",
                "127.0.0.1",
                "-p",
                "17831",
                "-m",
                "16",
            ],
        )
    },
    alone(
        "java-xmx",
        "Java at -Xmx: garbage, and what is recent",
        Truth::Bounded,
        &["java", "-Xmx96m", "-cp", "%", "Heap", "recent"],
    ),
    alone(
        "node-lru",
        "node: a bounded cache grows the old space, then stays",
        Truth::Bounded,
        &["node", "@node_leaks.js", "bounded-lru"],
    ),
    alone(
        "node-churn",
        "node: garbage alone",
        Truth::Bounded,
        &["node", "@node_leaks.js", "churn"],
    ),
    alone(
        "python-lru",
        "python: a bounded cache",
        Truth::Bounded,
        &["python3", "@python_leaks.py", "bounded-lru"],
    ),
    alone(
        "python-wave",
        "python: memory follows a load like day and night",
        Truth::Bounded,
        &["python3", "@python_leaks.py", "wave"],
    ),
    Program {
        load: &["python3", "@load.py", "http", "17841", "20"],
        reload: Some(Duration::from_secs(20)),
        ..alone(
            "nginx-reloads",
            "nginx, reloaded again and again",
            Truth::Bounded,
            &["nginx", "-p", "%", "-c", "%nginx.conf"],
        )
    },
    alone(
        "c-step",
        "C: a table is loaded once",
        Truth::Bounded,
        &["%growth", "step"],
    ),
    Program {
        load: &[
            "%aiohttp-3.10.11/bin/python3",
            "@aiohttp_server.py",
            "ask",
            "17812",
        ],
        ..alone(
            "aiohttp-3.10.11",
            "aiohttp as it was mended, asked the same",
            Truth::Bounded,
            &[
                "%aiohttp-3.10.11/bin/python3",
                "@aiohttp_server.py",
                "serve",
                "17812",
            ],
        )
    },
];

/// What has to be made before programs can start.
pub(super) struct Prepared {
    folder: PathBuf,
}

impl Prepared {
    pub(super) fn new(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let prepared = Self {
            folder: folder.to_path_buf(),
        };
        let growth = prepared.folder.join("growth");
        shell::run(
            Command::new("gcc")
                .args(["-O2", "-Wall", "-Werror", "-o"])
                .arg(growth)
                .arg(source("growth.c")),
        )?;
        shell::run(
            Command::new("javac")
                .arg("-d")
                .arg(folder)
                .arg(source("Heap.java")),
        )?;
        for version in ["3.10.10", "3.10.11"] {
            prepared.aiohttp(version)?;
        }
        fs::write(prepared.folder.join("nginx.conf"), NGINX)?;
        Ok(prepared)
    }

    fn aiohttp(&self, version: &str) -> Result<()> {
        let environment = self.folder.join(format!("aiohttp-{version}"));
        let complete = environment.join("complete");
        if complete.exists() {
            return Ok(());
        }
        eprintln!("installing aiohttp {version}");
        shell::run_quietly(
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&environment),
        )?;
        let mut install = Command::new(environment.join("bin/python3"));
        install.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            &format!("aiohttp=={version}"),
        ]);
        shell::run_quietly(&mut install)?;
        Ok(fs::write(complete, "")?)
    }

    fn word(&self, word: &str) -> String {
        let path = match (word.strip_prefix('@'), word.strip_prefix('%')) {
            (Some(name), _) => source(name),
            (_, Some(name)) => self.folder.join(name),
            _ => return word.to_owned(),
        };
        path.display().to_string()
    }

    fn words(&self, words: &[&str]) -> Vec<String> {
        words.iter().map(|word| self.word(word)).collect()
    }
}

const NGINX: &str = "daemon off;
worker_processes 2;
pid nginx.pid;
error_log nginx.log;
events {}
http { access_log off; server { listen 127.0.0.1:17841; location / { return 200 'fine'; } } }
";

fn source(name: &str) -> PathBuf {
    workspace::root().join("benches/corpus").join(name)
}

/// A program that runs; ended with this value.
pub(super) struct Running {
    pub(super) program: &'static Program,
    server: Child,
    load: Option<Child>,
    reloaded: Duration,
    // Last: it can be removed only when its processes have gone.
    _unit: Unit,
}

impl Running {
    pub(super) fn start(program: &'static Program, prepared: &Prepared) -> Result<Self> {
        let unit = Unit::create(program.name, LIMIT)?;
        let server = spawn(&unit, &prepared.words(program.server), &prepared.folder)?;
        let mut running = Self {
            program,
            server,
            load: None,
            reloaded: Duration::ZERO,
            _unit: unit,
        };
        running.ask(prepared)?;
        Ok(running)
    }

    fn ask(&mut self, prepared: &Prepared) -> Result<()> {
        let words = prepared.words(self.program.load);
        let Some((name, arguments)) = words.split_first() else {
            return Ok(());
        };
        // A server that does not listen yet is asked again until it does.
        let again = "for i in 1 2 3 4 5 6 7 8 9 10; do \"$@\" 2>/dev/null; sleep 1; done";
        let mut load = Command::new("sh");
        load.args(["-c", again, "load", name]).args(arguments);
        self.load = Some(quiet(&mut load, &prepared.folder)?);
        Ok(())
    }

    /// Fails if it has ended; reloads it if that is due.
    pub(super) fn tend(&mut self, at: Duration) -> Result<()> {
        if let Some(status) = self.server.try_wait()? {
            anyhow::bail!("{} ended by itself ({status})", self.program.name);
        }
        if let Some(every) = self.program.reload
            && at >= self.reloaded + every
        {
            self.reloaded = at;
            signal(&self.server, Signal::HUP);
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for child in self.load.iter_mut().chain([&mut self.server]) {
            // Its own process group, for workers and what asks.
            let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            if let Some(group) = group {
                let _ = rustix::process::kill_process_group(group, Signal::KILL);
            }
            let _ = child.wait();
        }
    }
}

fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// Starts it inside the unit: a shell goes there, and becomes the program.
fn spawn(unit: &Unit, words: &[String], folder: &Path) -> Result<Child> {
    let doors: Vec<String> = unit
        .doors()
        .map(|door| format!("echo $$ > '{}'", door.display()))
        .collect();
    let script = format!("{} && exec \"$@\"", doors.join(" && "));
    let mut command = Command::new("sh");
    command.args(["-c", &script, "unit"]).args(words);
    quiet(&mut command, folder)
}

fn quiet(command: &mut Command, folder: &Path) -> Result<Child> {
    use std::os::unix::process::CommandExt as _;
    command
        .process_group(0)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("start a program of the corpus")
}
