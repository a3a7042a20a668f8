//! Captures of hostile processes in code with hostile unwind tables.
#![no_main]

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use profiler_agent::event::decode_capture;
use profiler_agent::ids::ProcessHandle;
use profiler_agent::stack::{CodeMapping, Limits, ProcessView, Processes, Stacks};
use rustix::fs::{MemfdFlags, memfd_create};

const CODE: u64 = 0x40_0000;
const JIT: u64 = 0x7000_0000;
const STACK: u64 = 0x7fff_0000_0000;
const TABLE: usize = 0x300;
/// The agent reads so many bytes of unwind tables a second: start anew before that is used up.
const RUNS: u32 = 200;

/// A word that leads somewhere, or any.
#[derive(Arbitrary, Debug, Clone, Copy)]
enum Word {
    Code(u16),
    Jit(u8),
    Stack(u8),
    Any(u64),
}

impl Word {
    fn value(self) -> u64 {
        match self {
            Self::Code(offset) => CODE + u64::from(offset),
            Self::Jit(offset) => JIT + u64::from(offset),
            Self::Stack(offset) => STACK + u64::from(offset) * 8,
            Self::Any(word) => word,
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Entry {
    common: Vec<u8>,
    own: Vec<u8>,
    start: u16,
    length: u16,
    is_signal: bool,
    /// As every compiler begins: the frame at rsp + 8, the return address below it.
    is_usual: bool,
}

#[derive(Arbitrary, Debug)]
enum Table {
    Entries(Vec<Entry>),
    Raw(Vec<u8>),
}

impl Table {
    fn bytes(&self) -> Vec<u8> {
        let entries = match self {
            Self::Raw(bytes) => return bytes.clone(),
            Self::Entries(entries) => entries,
        };
        let mut table = Vec::new();
        for entry in entries {
            let mut common = vec![0, 0, 0, 0, 1];
            common.extend_from_slice(if entry.is_signal { b"zRS\0" } else { b"zR\0" });
            // Alignment of code and data, return address, length and content of the augmentation:
            // absolute pointers.
            common.extend_from_slice(&[1, 0x78, 16, 1, 0]);
            if entry.is_usual {
                common.extend_from_slice(&[0x0c, 7, 8, 0x90, 1]);
            }
            common.extend_from_slice(&entry.common);
            let mut own = (common.len() as u32 + 8).to_le_bytes().to_vec();
            own.extend((CODE + u64::from(entry.start)).to_le_bytes());
            own.extend(u64::from(entry.length).to_le_bytes());
            own.push(0);
            own.extend_from_slice(&entry.own);
            for part in [common, own] {
                table.extend((part.len() as u32).to_le_bytes());
                table.extend(part);
            }
        }
        table
    }
}

/// An ELF file that is mapped whole at `CODE`, as it states.
fn elf(table: &[u8], entry: u64) -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    file.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    file.extend(entry.to_le_bytes());
    file.extend(64_u64.to_le_bytes());
    file.resize(54, 0);
    file.extend([56, 0, 2, 0]);
    file.resize(64, 0);
    let size = (TABLE + table.len()) as u64;
    let header = |kind: u32, offset: u64, size: u64| {
        let words = [offset, CODE + offset, CODE + offset, size, size, 1];
        let mut header = kind.to_le_bytes().to_vec();
        header.extend(5_u32.to_le_bytes());
        header.extend(words.into_iter().flat_map(u64::to_le_bytes));
        header
    };
    let search = TABLE as u64 - 8;
    file.extend(header(1, 0, size));
    file.extend(header(0x6474_e550, search, 8));
    file.resize(TABLE - 8, 0);
    // Version, encodings; the table begins 4 bytes after the pointer.
    file.extend([1, 0x1b, 0xff, 0xff, 4, 0, 0, 0]);
    file.extend(table);
    file
}

#[derive(Arbitrary, Debug)]
struct Input {
    table: Table,
    raw_file: Option<Vec<u8>>,
    entry: u16,
    mapped: u16,
    jit: bool,
    registers: [Word; 3],
    below: u8,
    stack: Vec<Word>,
    chain: Vec<Word>,
    again: Option<(u16, u16)>,
}

impl Input {
    fn file(&self) -> Vec<u8> {
        match &self.raw_file {
            Some(file) => file.clone(),
            None => elf(&self.table.bytes(), CODE + u64::from(self.entry)),
        }
    }

    /// As the kernel programs write it.
    fn record(&self) -> Vec<u8> {
        let mut record = 3_u16.to_le_bytes().to_vec();
        record.resize(32, 0);
        let mut registers = [0_u64; 21];
        let [ip, sp, bp] = self.registers.map(Word::value);
        (registers[16], registers[19], registers[4]) = (ip, sp, bp);
        record.extend(registers.into_iter().flat_map(u64::to_le_bytes));
        record.extend((STACK - u64::from(self.below) * 8).to_le_bytes());
        record.extend((self.stack.len() as u32 * 8).to_le_bytes());
        let chain = &self.chain[..self.chain.len().min(127)];
        record.extend((chain.len() as u32 * 8).to_le_bytes());
        record.extend(chain.iter().flat_map(|word| word.value().to_le_bytes()));
        record.resize(32 + 168 + 16 + 127 * 8, 0);
        record.extend(
            self.stack
                .iter()
                .flat_map(|word| word.value().to_le_bytes()),
        );
        record
    }
}

/// The process at hand.
#[derive(Clone, Default)]
struct View {
    file: Vec<u8>,
    code: Vec<CodeMapping>,
}

impl ProcessView for View {
    fn code(&self, limit: usize) -> io::Result<Vec<CodeMapping>> {
        Ok(self.code.iter().take(limit).cloned().collect())
    }
    fn open(&self, _: &CodeMapping) -> io::Result<File> {
        let mut file = File::from(memfd_create("code", MemfdFlags::CLOEXEC)?);
        file.write_all(&self.file)?;
        Ok(file)
    }
    fn perf_map(&self) -> io::Result<File> {
        Err(io::ErrorKind::NotFound.into())
    }
}

static CURRENT: Mutex<Option<View>> = Mutex::new(None);

struct Current;

impl Processes for Current {
    fn view(&self, _: u32) -> io::Result<Arc<dyn ProcessView>> {
        let current = CURRENT.lock().expect("no panic while it is held");
        Ok(Arc::new(current.clone().unwrap_or_default()))
    }
}

fn mapping(start: u64, length: u64, path: &str) -> CodeMapping {
    CodeMapping {
        start,
        end: start + length,
        offset: 0,
        device: (0, 0),
        inode: u64::from(path.starts_with('/')),
        path: path.to_owned(),
    }
}

/// The agent catches panics of the library that reads unwind tables; only those that get out of
/// it are findings.
fn silence_caught_panics() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let file = panic.location().map_or("", |location| location.file());
            if !file.contains("/framehop-") && !file.contains("/gimli-") {
                print(panic);
            }
        }));
    });
}

thread_local! {
    static STACKS: std::cell::RefCell<(u32, Option<Stacks>)> = const { std::cell::RefCell::new((0, None)) };
}

fn run(stacks: &mut Stacks, process: ProcessHandle, input: &Input) {
    let mut record = input.record();
    for _ in 0..2 {
        let capture = decode_capture(&record).expect("a whole record");
        let ip = capture.registers.ip;
        let (frames, _) = stacks.unwind(process, 1, &capture);
        assert!(!frames.is_empty() && frames.len() <= 512);
        assert_eq!(frames[0].address.address(), ip);
        assert!(stacks.intern_capture(process, 1, &capture).is_some());
        let Some((place, from)) = input.again else {
            break;
        };
        // The same code with another stack: what was remembered must not matter.
        if let Some(word) = record
            .get_mut(1232 + usize::from(place)..)
            .and_then(|rest| rest.get_mut(..8))
        {
            word.copy_from_slice(&(CODE + u64::from(from)).to_le_bytes());
        }
        stacks.changed(process, &(CODE..CODE + 1));
    }
    stacks.forget(process);
    stacks.retain(&HashSet::new());
}

fuzz_target!(|input: Input| {
    silence_caught_panics();
    let mut code = vec![mapping(CODE, 0x1000 + u64::from(input.mapped), "/code")];
    if input.jit {
        code.push(mapping(JIT, 0x1000, ""));
    }
    let file = input.file();
    *CURRENT.lock().expect("no panic while it is held") = Some(View { file, code });
    STACKS.with_borrow_mut(|(runs, stacks)| {
        if *runs % RUNS == 0 {
            *stacks = None;
        }
        *runs = runs.wrapping_add(1);
        let stacks =
            stacks.get_or_insert_with(|| Stacks::new(Box::new(Current), Limits::default()));
        run(stacks, ProcessHandle(*runs), &input);
    });
});
