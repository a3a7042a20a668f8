//! Captures as the kernel side would make them: registers by ptrace, the stack in pages from the
//! stack pointer up.

use std::fs::File;
use std::os::unix::fs::FileExt;

use profiler_agent::event::{Capture, Origin};
use profiler_agent::ids::BootTime;
use profiler_common::event::Registers;

/// What a [`Capture`] borrows.
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    pub(crate) registers: Registers,
    pub(crate) base: u64,
    pub(crate) slice: Vec<u8>,
    pub(crate) chain: Vec<u8>,
}

impl Recording {
    /// Of a thread, at most `limit` bytes of its stack.
    pub(crate) fn of(tid: u32, limit: usize) -> Self {
        let (registers, memory) = stopped(tid, |registers| {
            let memory = File::open(format!("/proc/{tid}/mem")).expect("the thread's memory");
            let base = registers.sp & !0xfff;
            let mut slice = Vec::new();
            let mut page = [0; 4096];
            while slice.len() < limit
                && memory
                    .read_exact_at(&mut page, base + slice.len() as u64)
                    .is_ok()
            {
                slice.extend_from_slice(&page);
            }
            (base, slice)
        });
        let mut recording = Self {
            registers,
            base: memory.0,
            slice: memory.1,
            chain: Vec::new(),
        };
        recording.chain = recording.walk_frame_pointers();
        recording
    }

    /// As the kernel does it.
    fn walk_frame_pointers(&self) -> Vec<u8> {
        let mut chain = self.registers.ip.to_le_bytes().to_vec();
        let word = |address: u64| {
            let offset = usize::try_from(address.checked_sub(self.base)?).ok()?;
            let bytes = self.slice.get(offset..offset + 8)?;
            Some(u64::from_le_bytes(bytes.try_into().ok()?))
        };
        let mut frame = self.registers.bp;
        while let (Some(next), Some(address)) = (word(frame), word(frame.wrapping_add(8))) {
            chain.extend_from_slice(&address.to_le_bytes());
            if next <= frame || chain.len() >= 127 * 8 {
                break;
            }
            frame = next;
        }
        chain
    }

    /// With only the first bytes of the stack.
    pub(crate) fn cut(&self, length: usize) -> Self {
        let mut cut = self.clone();
        cut.slice.truncate(length);
        cut
    }

    pub(crate) fn capture(&self) -> Capture<'_> {
        Capture {
            origin: Origin {
                pid: 1,
                tid: 1,
                time: BootTime(0),
                cgroup: 0,
            },
            number: 1,
            registers: self.registers,
            chain: &self.chain,
            slice_base: self.base,
            slice: &self.slice,
        }
    }
}

/// Stops a thread, and lets it go on when `look` is done.
fn stopped<T>(tid: u32, look: impl FnOnce(&Registers) -> T) -> (Registers, T) {
    let tid = libc::pid_t::try_from(tid).expect("a thread id");
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: requests without memory arguments, on a child of this test.
    let seized = unsafe {
        libc::ptrace(libc::PTRACE_SEIZE, tid, none, none) == 0
            && libc::ptrace(libc::PTRACE_INTERRUPT, tid, none, none) == 0
    };
    assert!(
        seized,
        "cannot trace {tid}: {}",
        std::io::Error::last_os_error()
    );
    let mut status = 0;
    // SAFETY: `status` outlives the call.
    let stopped = unsafe { libc::waitpid(tid, &raw mut status, libc::__WALL) };
    assert_eq!(stopped, tid, "the thread does not stop");
    // SAFETY: plain integers, for which zeros are valid.
    let mut raw: libc::user_regs_struct = unsafe { std::mem::zeroed() };
    // SAFETY: `raw` is of the type that the request fills.
    let got = unsafe { libc::ptrace(libc::PTRACE_GETREGS, tid, none, &raw mut raw) };
    assert_eq!(got, 0, "no registers");
    let registers = Registers {
        ip: raw.rip,
        sp: raw.rsp,
        bp: raw.rbp,
        ..Registers::default()
    };
    let looked = look(&registers);
    // SAFETY: no memory arguments.
    unsafe { libc::ptrace(libc::PTRACE_DETACH, tid, none, none) };
    (registers, looked)
}
