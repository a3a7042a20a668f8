//! Real programs with a small workload: they allocate, give a part back, and come to rest.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    command::Finished,
    program::Program,
    surroundings::{Scratch, eventually, installed},
};

/// Time for a workload to come to rest.
const WORK: Duration = Duration::from_secs(40);

const NODE: &str = r"
const kept = [];
for (let i = 0; i < 300000; i++) kept.push({ id: i, text: 'item ' + i, list: [i, i + 1, i + 2] });
const buffers = [];
for (let i = 0; i < 400; i++) buffers.push(Buffer.alloc(150000, i));
for (let i = 0; i < 200; i++) buffers.pop();
for (let round = 0; round < 20; round++) kept.slice().map((item) => ({ ...item })).pop();
globalThis.kept = [kept, buffers];
setTimeout(() => console.log('ready'), 500);
process.stdin.on('end', () => process.exit(0)).resume();
";

const PYTHON: &str = r"
import sys
kept = [[i, str(i), {i: i + 1}] for i in range(200000)]
blobs = [bytearray(100000 + i) for i in range(400)]
del blobs[::2]
churn = [bytes(5000) for _ in range(20000)]
del churn
print('ready', flush=True)
sys.stdin.read()
";

const JAVA: &str = r#"
import java.util.ArrayList;
import java.util.List;

public class Work {
    static final List<Object> kept = new ArrayList<>();

    public static void main(String[] arguments) throws Exception {
        for (int i = 0; i < 200000; i++) kept.add(new int[] {i, i + 1, i + 2, i + 3});
        for (int round = 0; round < 200; round++) kept.set(round, new byte[100000]);
        Thread[] threads = new Thread[4];
        for (int i = 0; i < threads.length; i++) {
            threads[i] = new Thread(() -> { byte[][] own = new byte[100][]; for (int j = 0; j < 100; j++) own[j] = new byte[10000]; });
            threads[i].start();
        }
        for (Thread thread : threads) thread.join();
        Thread.sleep(500);
        System.out.println("ready");
        System.out.flush();
        while (System.in.read() >= 0) { }
    }
}
"#;

/// A program at rest after its work.
#[derive(Debug)]
pub struct Workload {
    program: Program,
    _files: Scratch,
}

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// JavaScript in Node.
    Node,
    /// CPython.
    Python,
    /// Redis.
    Redis,
    /// A Java virtual machine.
    Java,
}

impl Kind {
    /// The program that it needs.
    pub fn program(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Python => "python3",
            Self::Redis => "redis-server",
            Self::Java => "java",
        }
    }

    /// Starts it and waits until it is at rest. `None`: it is not installed.
    pub fn start(self) -> Result<Option<Workload>> {
        let Some(binary) = installed(self.program()) else {
            return Ok(None);
        };
        let files = Scratch::new()?;
        let mut command = Command::new(match self {
            Self::Python => interpreter(&binary)?,
            _ => binary,
        });
        match self {
            Self::Node => command.args(["-e", NODE]),
            Self::Python => command.args(["-c", PYTHON]),
            Self::Java => {
                let source = files.path().join("Work.java");
                fs::write(&source, JAVA)?;
                command.arg("-Xmx256m").arg(source)
            }
            Self::Redis => command
                .args([
                    "--port",
                    "0",
                    "--save",
                    "",
                    "--appendonly",
                    "no",
                    "--unixsocket",
                ])
                .arg(files.path().join("redis.sock"))
                .arg("--dir")
                .arg(files.path()),
        };
        let mut program = Program::start(command)?;
        if self == Self::Redis {
            fill_redis(&files.path().join("redis.sock"))?;
        } else {
            let line = program.line(WORK)?;
            ensure!(line == "ready", "{} printed {line:?}", self.program());
        }
        Ok(Some(Workload {
            program,
            _files: files,
        }))
    }
}

impl Workload {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.program.pid()
    }
}

/// Keys of two sizes; every third is deleted again.
fn fill_redis(socket: &Path) -> Result<()> {
    let stream = eventually(Duration::from_secs(10), || {
        UnixStream::connect(socket).context("connect to redis-server")
    })?;
    stream.set_read_timeout(Some(WORK))?;
    stream.set_write_timeout(Some(WORK))?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    let long = "x".repeat(2000);
    for batch in 0..200 {
        let mut commands = String::new();
        for number in batch * 500..(batch + 1) * 500 {
            let value = if number % 10 == 0 { &long } else { "short" };
            commands += &format!("SET key:{number} {value}\r\n");
            if number % 3 == 0 {
                commands += &format!("DEL key:{}\r\n", number / 2);
            }
        }
        stream.write_all(commands.as_bytes())?;
        for _ in 0..commands.matches("\r\n").count() {
            let mut answer = String::new();
            answers.read_line(&mut answer)?;
            ensure!(
                answer.starts_with(['+', ':']),
                "redis-server said {answer:?}"
            );
        }
    }
    Ok(())
}

/// The interpreter itself: a version manager puts a shell script before it, whose own stacks are cut
/// where the script becomes Python before they are unwound.
fn interpreter(python: &Path) -> Result<PathBuf> {
    let mut command = Command::new(python);
    command.args(["-c", "import sys; print(sys.executable)"]);
    let output = Finished::run(command, Duration::from_secs(10))?.succeeded()?;
    Ok(PathBuf::from(output.trim()))
}
