//! One stack, leaf to root: from unwind tables where code has them (by framehop), by frame
//! pointer where it has none, and by the kernel's frame-pointer walk where the captured slice
//! ends. No I/O: code and memory are asked through traits.

use std::panic::{AssertUnwindSafe, catch_unwind};

use framehop::MustNotAllocateDuringUnwind;
use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64};
use profiler_common::event::{CHAIN_FRAMES, Registers};

use super::frame::{End, Frame, FrameAddress, FrameRegisters, Truncation};
use super::intern::FrameId;
use super::memory::{ReadError, ReadMemory, Slice};

/// Most frames of a stack.
pub(crate) const FRAMES_MAX: usize = 512;
/// No code and no stack lies below, and none above.
const ADDRESS_MIN: u64 = 0x1000;
const ADDRESS_MAX: u64 = 1 << 47;
/// A frame pointer that is further away than this is no frame pointer.
const FRAME_SPAN_MAX: u64 = 16 << 20;

/// With fixed storage, hostile unwind tables cannot make the agent allocate.
pub(crate) type Cache = CacheX86_64<MustNotAllocateDuringUnwind>;

/// What is known of the code at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CodeKind {
    /// An unwind table describes it.
    Described,
    /// As `Described`: it returns from a signal handler.
    Trampoline,
    /// The file has an unwind table, but not for this (assembly).
    Undescribed,
    /// The file has no unwind table.
    Opaque,
    /// Anonymous memory: JIT code.
    Anonymous,
    /// In no mapping that is known.
    Unknown,
}

/// Code at an address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) kind: CodeKind,
    pub(crate) frame: FrameId,
    /// Within the first instructions of the program (`_start`).
    pub(crate) entry: bool,
}

/// The code of one process.
pub(crate) trait CodeMap {
    /// What lies at an address (for lookups: inside the call, not behind it).
    fn place(&mut self, address: u64) -> Place;
    /// One step by the unwind table.
    fn step(
        &self,
        address: FrameAddress,
        registers: &mut UnwindRegsX86_64,
        cache: &mut Cache,
        read: &mut dyn FnMut(u64) -> Result<u64, ()>,
    ) -> Result<Option<u64>, framehop::Error>;
}

/// Follows a stack. `frames` is emptied first; it holds at least the leaf afterwards.
pub(crate) fn walk(
    code: &mut dyn CodeMap,
    cache: &mut Cache,
    registers: &Registers,
    memory: Slice<'_>,
    chain: &[u8],
    frames: &mut Vec<Frame>,
) -> End {
    frames.clear();
    let mut walk = Walk {
        code,
        cache,
        memory,
        frames,
        address: FrameAddress::from_instruction_pointer(registers.ip),
        registers: UnwindRegsX86_64::new(registers.ip, registers.sp, registers.bp),
    };
    // framehop's arithmetic on numbers from unwind tables is not checked everywhere.
    let end = catch_unwind(AssertUnwindSafe(|| walk.run(chain)));
    end.unwrap_or_else(|_| {
        *cache = Cache::new_in();
        End::Truncated(Truncation::Failed)
    })
}

struct Walk<'a> {
    code: &'a mut dyn CodeMap,
    cache: &'a mut Cache,
    memory: Slice<'a>,
    frames: &'a mut Vec<Frame>,
    address: FrameAddress,
    registers: UnwindRegsX86_64,
}

enum Step {
    Caller(FrameAddress),
    Root,
    /// The slice ends below this address, which the next step would need.
    End(u64),
    Stop(Truncation),
}

impl Walk<'_> {
    fn run(&mut self, chain: &[u8]) -> End {
        loop {
            let place = self.code.place(self.address.address_for_lookup());
            self.frames.push(Frame {
                address: self.address,
                code: place.frame,
                registers: Some(FrameRegisters {
                    sp: self.registers.sp(),
                    fp: self.registers.bp(),
                }),
            });
            let step = if self.frames.len() >= FRAMES_MAX {
                Step::Stop(Truncation::DepthLimit)
            } else {
                self.step(place)
            };
            match step {
                Step::Caller(address) => self.address = address,
                Step::Root => return End::Root,
                Step::End(needed) => return self.follow_chain(chain, needed),
                Step::Stop(reason) => {
                    self.drop_guess(place.kind);
                    return End::Truncated(reason);
                }
            }
        }
    }

    /// A last frame outside all code came from a wrong guess of the one below it.
    fn drop_guess(&mut self, kind: CodeKind) {
        if kind == CodeKind::Unknown && self.frames.len() > 1 {
            self.frames.pop();
        }
    }

    fn step(&mut self, place: Place) -> Step {
        let before = self.registers;
        if !(ADDRESS_MIN..ADDRESS_MAX).contains(&before.sp()) {
            return Step::Stop(Truncation::BadAddress);
        }
        let step = match place.kind {
            CodeKind::Described => self.by_table(),
            CodeKind::Trampoline => return self.out_of_signal(),
            _ if !self.address.is_return_address() => self.leave_leaf(place),
            _ => self.by_frame_pointer(place),
        };
        let Step::Caller(address) = step else {
            return step;
        };
        if self.registers.sp() <= before.sp() {
            return Step::Stop(Truncation::Loop);
        }
        if !(ADDRESS_MIN..ADDRESS_MAX).contains(&address.address()) {
            return Step::Stop(Truncation::BadAddress);
        }
        step
    }

    fn by_table(&mut self) -> Step {
        let before = self.registers;
        let (result, failed) = self.ask_table();
        if let Some(error) = failed {
            // framehop turns some read errors into a guess by frame pointer and remembers the
            // guess for this address: forget it.
            *self.cache = Cache::new_in();
            let harmless = !self.address.is_return_address()
                && matches!(error, ReadError::Below(_))
                && matches!(result, Ok(Some(_)));
            if !harmless {
                self.registers = before;
                return match error {
                    ReadError::Above(address) => Step::End(address),
                    ReadError::Below(_) => Step::Stop(Truncation::Unreadable),
                };
            }
        }
        match result {
            Ok(Some(address)) => caller(address),
            Ok(None) if self.is_end() => Step::Root,
            Ok(None) => Step::Stop(Truncation::NoUnwindInfo),
            Err(_) => {
                self.registers = before;
                self.follow_frame_pointer(None)
            }
        }
    }

    fn ask_table(&mut self) -> (Result<Option<u64>, framehop::Error>, Option<ReadError>) {
        let mut failed = None;
        let memory = self.memory;
        let mut read = |address| {
            memory.read_u64(address).map_err(|error| {
                failed.get_or_insert(error);
            })
        };
        let result = self
            .code
            .step(self.address, &mut self.registers, self.cache, &mut read);
        (result, failed)
    }

    /// framehop says that the stack ends. It says so, too, when it fell back to a frame pointer
    /// that is 0: with one that overflows, that guess fails and a true end does not.
    fn is_end(&mut self) -> bool {
        if self.registers.bp() != 0 {
            return true;
        }
        let before = self.registers;
        self.registers.set_bp(u64::MAX - 7);
        let (result, _) = self.ask_table();
        self.registers = before;
        result == Ok(None)
    }

    /// A leaf without unwind table is, as a rule, a bare wrapper of a system call: its return
    /// address lies at the stack pointer.
    fn leave_leaf(&mut self, place: Place) -> Step {
        let sp = self.registers.sp();
        if let Ok(address) = self.memory.read_u64(sp)
            && matches!(place.kind, CodeKind::Undescribed | CodeKind::Opaque)
            && (ADDRESS_MIN..ADDRESS_MAX).contains(&address)
            && self.code.place(address - 1).kind != CodeKind::Unknown
        {
            self.registers.set_ip(address);
            self.registers.set_sp(sp + 8);
            return caller(address);
        }
        self.by_frame_pointer(place)
    }

    fn by_frame_pointer(&mut self, place: Place) -> Step {
        let is_return = self.address.is_return_address();
        if place.entry && is_return {
            return Step::Root;
        }
        if self.registers.bp() == 0 {
            // The ABI's mark of the outermost frame. It counts where assembly without a table is
            // called from nowhere (clone and _start of C libraries), not in code that may use
            // the register for anything.
            return if place.kind == CodeKind::Undescribed && is_return {
                Step::Root
            } else {
                Step::Stop(Truncation::NoUnwindInfo)
            };
        }
        self.follow_frame_pointer(Some(place.kind))
    }

    fn follow_frame_pointer(&mut self, kind: Option<CodeKind>) -> Step {
        let (sp, fp) = (self.registers.sp(), self.registers.bp());
        let span = fp.checked_sub(sp);
        if !fp.is_multiple_of(8) || span.is_none_or(|span| span > FRAME_SPAN_MAX) {
            return Step::Stop(Truncation::NoUnwindInfo);
        }
        let (saved, address) = match (self.memory.read_u64(fp), self.memory.read_u64(fp + 8)) {
            (Ok(saved), Ok(address)) => (saved, address),
            (Err(ReadError::Below(_)), _) | (_, Err(ReadError::Below(_))) => {
                return Step::Stop(Truncation::Unreadable);
            }
            _ => return Step::End(fp),
        };
        if address == 0 {
            return if saved == 0 && kind.is_some() {
                Step::Root
            } else {
                Step::Stop(Truncation::NoUnwindInfo)
            };
        }
        self.registers.set_ip(address);
        self.registers.set_sp(fp + 16);
        self.registers.set_bp(saved);
        caller(address)
    }

    /// A signal handler returns into the kernel's trampoline, which finds the interrupted
    /// registers at the stack pointer (`struct ucontext`); the stack may be another one.
    fn out_of_signal(&mut self) -> Step {
        const FP: u64 = 120;
        const SP: u64 = 160;
        const IP: u64 = 168;
        let base = self.registers.sp();
        let word = |offset| self.memory.read_u64(base + offset);
        let (Ok(ip), Ok(sp), Ok(fp)) = (word(IP), word(SP), word(FP)) else {
            return Step::Stop(Truncation::SliceEnd);
        };
        self.registers = UnwindRegsX86_64::new(ip, sp, fp);
        if (ADDRESS_MIN..ADDRESS_MAX).contains(&ip) {
            Step::Caller(FrameAddress::from_instruction_pointer(ip))
        } else {
            Step::Stop(Truncation::BadAddress)
        }
    }

    /// The slice ended. Where the function in question keeps a frame pointer, the kernel's walk
    /// knows its return address and those above it.
    fn follow_chain(&mut self, chain: &[u8], needed: u64) -> End {
        let truncated = End::Truncated(Truncation::SliceEnd);
        let fp = self.registers.bp();
        if needed != fp && needed.checked_sub(8) != Some(fp) {
            return truncated;
        }
        let Some(place) = self.place_in_chain(fp) else {
            return truncated;
        };
        let rest = chain
            .chunks_exact(8)
            .skip(place)
            .filter_map(|word| Some(u64::from_le_bytes(word.try_into().ok()?)));
        for address in rest {
            let inside = (ADDRESS_MIN..ADDRESS_MAX).contains(&address);
            let Some(address) = FrameAddress::from_return_address(address).filter(|_| inside)
            else {
                return truncated;
            };
            let place = self.code.place(address.address_for_lookup());
            if place.kind == CodeKind::Unknown {
                return truncated;
            }
            if self.frames.len() >= FRAMES_MAX {
                return End::Truncated(Truncation::DepthLimit);
            }
            self.address = address;
            self.frames.push(Frame {
                address,
                code: place.frame,
                registers: None,
            });
            if place.entry || (place.kind == CodeKind::Described && self.is_outermost()) {
                return End::Root;
            }
        }
        truncated
    }

    /// Which return address of the chain belongs to the frame at `fp`: the kernel's steps are done
    /// again, as far as the slice goes. Addresses alone would not do, since recursion repeats them.
    fn place_in_chain(&self, fp: u64) -> Option<usize> {
        let mut frame = self.frames.first()?.registers?.fp;
        for place in 1..=CHAIN_FRAMES {
            if frame == fp {
                return Some(place);
            }
            frame = self.memory.read_u64(frame).ok()?;
        }
        None
    }

    /// The unwind table marks the function as outermost: only then is no register needed.
    fn is_outermost(&mut self) -> bool {
        let mut registers = UnwindRegsX86_64::new(self.address.address(), 1 << 20, 2 << 20);
        let result = self
            .code
            .step(self.address, &mut registers, self.cache, &mut |_| Err(()));
        if result != Ok(None) {
            *self.cache = Cache::new_in();
        }
        result == Ok(None)
    }
}

fn caller(address: u64) -> Step {
    FrameAddress::from_return_address(address).map_or(Step::Root, Step::Caller)
}
