//! The child process that reads symbols and debug information. It maps files of hostile
//! processes, which may be cut short under it: then it dies, and the agent does not.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use blazesym::symbolize::source::{Elf, Source};
use blazesym::symbolize::{CodeInfo, Input, Sym, Symbolized, Symbolizer};
use rustix::process::{Resource, Rlimit, getppid, setrlimit};

use super::super::clipped;
use super::protocol::{INLINED_MAX, NAME_MAX, Reply, Request, Row, receive, receive_file, send};
use super::sandbox::Sandbox;

/// Address space: debug information of a few gigabytes is mapped, not read.
const ADDRESS_SPACE: u64 = 8 << 30;
/// Memory: compressed debug information can state any size.
const DATA: u64 = 1 << 30;
/// Where memory runs out, this process goes first.
const OOM_SCORE: &str = "1000";
/// Without a request for so long it ends, and its memory goes back.
const IDLE: Duration = Duration::from_secs(60);
/// How soon after the agent it ends.
const PARENT_CHECK: Duration = Duration::from_secs(1);
/// Once files of so many bytes are held, all of them are let go.
const HELD_MAX: u64 = 2 << 30;

/// Serves requests on the socket that is standard input, until the agent closes it.
///
/// # Errors
/// When standard input is no socket, or limits cannot be set.
pub fn worker_main() -> anyhow::Result<()> {
    end_with_parent()?;
    limit(Resource::As, ADDRESS_SPACE)?;
    limit(Resource::Data, DATA)?;
    limit(Resource::Core, 0)?;
    // A preference: without it names are found all the same.
    let _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE);
    let sandbox = Sandbox::enter();
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    serve(UnixStream::from(socket), sandbox)
}

/// The agent may die while a file keeps this process busy. The kernel's own signal for that would
/// come when the thread ends that started this process, and the agent's threads come and go.
fn end_with_parent() -> io::Result<()> {
    let parent = getppid();
    let watch = move || {
        while getppid() == parent {
            std::thread::sleep(PARENT_CHECK);
        }
        std::process::exit(1);
    };
    std::thread::Builder::new().spawn(watch)?;
    Ok(())
}

fn limit(resource: Resource, value: u64) -> io::Result<()> {
    let limit = Rlimit {
        current: Some(value),
        maximum: Some(value),
    };
    Ok(setrlimit(resource, limit)?)
}

fn serve(mut socket: UnixStream, sandbox: Sandbox) -> anyhow::Result<()> {
    let mut symbols = Symbolizer::new();
    let mut held = 0_u64;
    loop {
        let request: Request = match receive(&mut socket, IDLE) {
            Ok(request) => request,
            // The agent is gone, or has no questions.
            Err(error) if is_end(&error) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if held > HELD_MAX {
            symbols = Symbolizer::new();
            held = 0;
        }
        let file = receive_file(&socket)?;
        held = held.saturating_add(file.metadata().map_or(0, |file| file.len()));
        let mut elf = Elf::new(sandbox.path(file.as_raw_fd()));
        elf.debug_syms = sandbox != Sandbox::Open;
        let reply = Reply {
            open: sandbox == Sandbox::Open,
            ..answer(&symbols, elf, &request)
        };
        send(&mut socket, &reply)?;
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::TimedOut | io::ErrorKind::ConnectionReset
    )
}

fn answer(symbols: &Symbolizer, elf: Elf, request: &Request) -> Reply {
    let source = Source::Elf(elf);
    let mut table = Table::default();
    match symbols.symbolize(&source, Input::VirtOffset(&request.addresses)) {
        Ok(found) => {
            let frames = found.iter().map(|symbol| match symbol {
                Symbolized::Sym(symbol) => table.rows(symbol),
                Symbolized::Unknown(_) => Vec::new(),
            });
            let frames = frames.collect();
            Reply {
                strings: table.strings,
                frames,
                ..Reply::default()
            }
        }
        Err(error) => Reply {
            error: Some(format!("{error:#}").chars().take(NAME_MAX).collect()),
            ..Reply::default()
        },
    }
}

#[derive(Default)]
struct Table {
    strings: Vec<String>,
    places: HashMap<String, u32>,
}

impl Table {
    /// Innermost first: blazesym lists what is inlined from the outside in.
    fn rows(&mut self, symbol: &Sym<'_>) -> Vec<Row> {
        let inlined = symbol.inlined.iter().rev().take(INLINED_MAX);
        let mut rows: Vec<Row> = inlined
            .map(|inner| self.row(&inner.name, inner.code_info.as_ref(), true))
            .collect();
        rows.push(self.row(&symbol.name, symbol.code_info.as_deref(), false));
        rows
    }

    fn row(&mut self, name: &str, place: Option<&CodeInfo<'_>>, inlined: bool) -> Row {
        let file = place.map(|place| place.to_path().to_string_lossy().into_owned());
        let line = place.and_then(|place| place.line).unwrap_or(0);
        let name = self.place(name);
        (name, self.place(&file.unwrap_or_default()), line, inlined)
    }

    fn place(&mut self, text: &str) -> u32 {
        let text = clipped(text, NAME_MAX);
        if let Some(&place) = self.places.get(text) {
            return place;
        }
        let place = u32::try_from(self.strings.len()).unwrap_or(u32::MAX);
        self.strings.push(text.to_owned());
        self.places.insert(text.to_owned(), place);
        place
    }
}
