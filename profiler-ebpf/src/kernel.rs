//! The only place that reads kernel structures. Their offsets come from the running kernel's BTF,
//! through `Settings`, since rustc emits no CO-RE relocations.

use aya_ebpf::{
    bindings::task_struct,
    cty::c_void,
    helpers::{bpf_get_current_task, bpf_probe_read_kernel, generated},
};
use profiler_common::{
    event::Registers,
    socket::{
        ADDRESS_LENGTH, PATH_MAX, ROLE_CLIENT, ROLE_SERVER, SOCKET_TCP, SOCKET_UDP, SOCKET_UNIX,
        SocketEntry,
    },
};

use crate::maps::setting;

/// Reads a field of a kernel structure.
#[inline(always)]
fn field<T>(base: u64, offset: u32) -> Option<T> {
    if base == 0 {
        return None;
    }
    let address = base.wrapping_add(u64::from(offset)) as *const T;
    // SAFETY: the helper checks the address and fails where it cannot be read.
    unsafe { bpf_probe_read_kernel(address) }.ok()
}

/// Loads a field of a kernel structure without a helper. A fault reads as 0.
///
/// # Safety
/// The verifier knows the type of `base`, and that type has a `T` at `offset`.
#[inline(always)]
unsafe fn load<T: Copy>(base: *const c_void, offset: u32) -> T {
    // SAFETY: as the caller says. Volatile, since the compiler may not split or move it.
    unsafe { base.byte_add(offset as usize).cast::<T>().read_volatile() }
}

/// A `task_struct`.
#[derive(Clone, Copy)]
pub struct Task(u64);

impl Task {
    /// The running thread.
    #[inline(always)]
    pub fn current() -> Self {
        // SAFETY: no arguments; always valid in process context.
        Self(unsafe { bpf_get_current_task() })
    }

    /// By address.
    #[inline(always)]
    pub fn at(task: u64) -> Self {
        Self(task)
    }

    /// It ends (`PF_EXITING`).
    #[inline(always)]
    pub fn is_exiting(self) -> bool {
        const EXITING: u32 = 4;
        let flags: u32 = field(self.0, setting!(offsets.socket.task_flags)).unwrap_or(0);
        flags & EXITING != 0
    }

    /// From a tracepoint's typed argument.
    #[inline(always)]
    pub fn from_argument(task: *const task_struct) -> Self {
        Self(task as u64)
    }

    #[inline(always)]
    fn mm(self) -> u64 {
        field(self.0, setting!(offsets.task_mm)).unwrap_or(0)
    }

    /// Process id.
    #[inline(always)]
    pub fn tgid(self) -> Option<u32> {
        field(self.0, setting!(offsets.task_tgid))
    }

    /// Thread id.
    #[inline(always)]
    pub fn pid(self) -> Option<u32> {
        field(self.0, setting!(offsets.task_pid))
    }

    /// Its name.
    #[inline(always)]
    pub fn comm(self) -> Option<[u8; 16]> {
        field(self.0, setting!(offsets.task_comm))
    }

    /// `mm->start_brk`.
    #[inline(always)]
    pub fn heap_start(self) -> Option<u64> {
        field(self.mm(), setting!(offsets.mm_start_brk))
    }

    /// Its resident anonymous memory, as the kernel counts it without looking at each processor.
    #[inline(always)]
    pub fn anon_bytes(self) -> Option<u64> {
        const PAGE: u64 = 4096;
        let at = setting!(offsets.victim.mm_anon);
        if at == 0 {
            return None;
        }
        let pages: i64 = field(self.mm(), at)?;
        Some(if pages > 0 { pages as u64 * PAGE } else { 0 })
    }

    /// No thread of the process is left (`signal->live` is 0 when the last one exits).
    #[inline(always)]
    pub fn group_is_dead(self) -> Option<bool> {
        let signal = field::<u64>(self.0, setting!(offsets.task_signal))?;
        Some(field::<i32>(signal, setting!(offsets.signal_live))? <= 0)
    }

    /// Where the user stack that holds `stack_pointer` ends, as far as the kernel knows: the
    /// thread's control block lies at the top of a glibc or musl thread's stack, and `start_stack`
    /// at the top of the first thread's. `None` for stacks that a runtime made itself.
    #[inline(always)]
    pub fn stack_top(self, stack_pointer: u64) -> Option<u64> {
        const LARGEST: u64 = 256 << 20;
        let block: u64 = field(self.0, setting!(offsets.task_fsbase))?;
        if block > stack_pointer && block - stack_pointer < LARGEST {
            return Some(block);
        }
        let start: u64 = field(self.mm(), setting!(offsets.mm_start_stack))?;
        (start > stack_pointer && start - stack_pointer < LARGEST).then_some(start)
    }
}

/// The running thread, for hooks that run so often that each call of a helper counts: the verifier
/// knows the type, so that fields are loaded and not copied.
#[derive(Clone, Copy)]
pub struct Current(*const task_struct);

impl Current {
    #[inline(always)]
    pub fn get() -> Self {
        // SAFETY: no arguments; always valid in process context.
        Self(unsafe { generated::bpf_get_current_task_btf() })
    }

    /// As helpers take it.
    #[inline(always)]
    pub fn as_ptr(self) -> *mut task_struct {
        self.0.cast_mut()
    }

    /// Process id.
    #[inline(always)]
    pub fn tgid(self) -> u32 {
        let offset = setting!(offsets.task_tgid);
        // SAFETY: a typed pointer that the helper gave, and the offset of the field.
        unsafe { load(self.0.cast(), offset) }
    }

    /// Its memory, to compare.
    #[inline(always)]
    fn mm(self) -> u64 {
        let offset = setting!(offsets.task_mm);
        // SAFETY: as above.
        unsafe { load(self.0.cast(), offset) }
    }

    /// It is a thread of the kernel (`PF_KTHREAD`).
    #[inline(always)]
    pub fn is_of_kernel(self) -> bool {
        const KERNEL_THREAD: u32 = 0x0020_0000;
        let offset = setting!(offsets.socket.task_flags);
        // SAFETY: as above.
        let flags: u32 = unsafe { load(self.0.cast(), offset) };
        flags & KERNEL_THREAD != 0
    }

    /// It receives, and does so for a ring of io_uring: it has one, and is not in a system call
    /// that receives.
    #[inline(always)]
    pub fn receives_by_ring(self) -> bool {
        let offset = setting!(offsets.socket.task_io_uring);
        // SAFETY: as above.
        if offset == 0 || unsafe { load::<u64>(self.0.cast(), offset) } == 0 {
            return false;
        }
        let registers = current_registers();
        if registers.is_null() {
            return true;
        }
        // SAFETY: the registers that the helper gave.
        let call = unsafe { (*registers).orig_ax };
        // read, readv, recvfrom, recvmsg, recvmmsg
        !matches!(call, 0 | 19 | 45 | 47 | 299)
    }
}

/// A `vm_area_struct`.
#[derive(Clone, Copy)]
pub struct Mapping(*const c_void);

impl Mapping {
    /// From a program's typed argument.
    #[inline(always)]
    pub fn from_argument(mapping: *const c_void) -> Self {
        Self(mapping)
    }

    /// It is of the running thread's own memory, which is not what another process writes to, nor
    /// what a program is loaded into.
    #[inline(always)]
    pub fn is_of(self, thread: Current) -> bool {
        let offset = setting!(touch.vma_mm);
        // SAFETY: a typed pointer that the kernel gave, and the offset of the field.
        let mm: u64 = unsafe { load(self.0, offset) };
        mm == thread.mm() && !thread.is_of_kernel()
    }
}

/// A `folio`, or a `page` that is the first of those that are mapped.
#[derive(Clone, Copy)]
pub struct Folio(*const c_void);

impl Folio {
    /// From a program's typed argument.
    #[inline(always)]
    pub fn from_argument(folio: *const c_void) -> Self {
        Self(folio)
    }

    /// More than one page.
    #[inline(always)]
    pub fn is_large(self) -> bool {
        let offset = setting!(touch.page_flags);
        // SAFETY: a typed pointer that the kernel gave, and the offset of the field.
        let flags: u64 = unsafe { load(self.0, offset) };
        flags >> setting!(touch.page_head) & 1 == 1
    }

    /// How many they are, of a large one. Not of a `page`.
    #[inline(always)]
    pub fn pages(self) -> u32 {
        let offset = setting!(touch.folio_pages);
        // SAFETY: as above.
        unsafe { load(self.0, offset) }
    }
}

/// The user registers of the running thread, as its system call or fault entered the kernel (5.15).
#[inline(always)]
pub fn current_registers() -> *const Registers {
    // SAFETY: the helpers take and give typed kernel pointers; the verifier checks every use.
    unsafe {
        let task = generated::bpf_get_current_task_btf();
        generated::bpf_task_pt_regs(task) as *const Registers
    }
}

/// `enum` in the kernel's include/net/tcp_states.h.
pub mod tcp {
    pub const ESTABLISHED: i32 = 1;
    pub const SYN_SENT: i32 = 2;
    pub const SYN_RECV: i32 = 3;
    pub const FIN_WAIT1: i32 = 4;
    pub const FIN_WAIT2: i32 = 5;
    pub const CLOSE: i32 = 7;
    pub const CLOSE_WAIT: i32 = 8;
    pub const LAST_ACK: i32 = 9;
    pub const LISTEN: i32 = 10;
}

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const SOCK_STREAM: u16 = 1;
const SOCK_DGRAM: u16 = 2;
const SOCK_SEQPACKET: u16 = 5;
const IPPROTO_TCP: u16 = 6;
const IPPROTO_UDP: u16 = 17;
const IPPROTO_MPTCP: u16 = 262;
/// `sk_shutdown` when nothing can be sent or received any more.
const SHUTDOWN_MASK: u8 = 3;

/// A `struct sock`. What cannot be read reads as 0.
#[derive(Clone, Copy)]
pub struct Sock(*const c_void);

impl Sock {
    /// From a program's typed argument.
    #[inline(always)]
    pub fn from_argument(sock: *const c_void) -> Self {
        Self(sock)
    }

    /// As helpers take it.
    #[inline(always)]
    pub fn as_ptr(self) -> *mut c_void {
        self.0.cast_mut()
    }

    /// `socket->sk`. Read directly, so that the verifier knows the type of what it gives.
    #[inline(always)]
    pub fn of_socket(socket: *const c_void) -> Self {
        let offset = setting!(offsets.socket.of_socket);
        // SAFETY: a typed pointer that the kernel gave, and the offset of the field.
        Self(unsafe { load(socket, offset) })
    }

    /// Its cookie. The kernel gives it one when it is asked for the first time.
    #[inline(always)]
    pub fn cookie(self) -> u64 {
        let offset = setting!(offsets.socket.cookie);
        // SAFETY: a typed pointer that the kernel gave, and the offset of the field.
        let cookie: u64 = unsafe { load(self.0, offset) };
        if cookie != 0 {
            return cookie;
        }
        // SAFETY: as above; the helper takes null too.
        unsafe { generated::bpf_get_socket_cookie(self.as_ptr()) }
    }

    #[inline(always)]
    fn read<T: Default>(self, offset: u32) -> T {
        field(self.0 as u64, offset).unwrap_or_default()
    }

    /// It is of IPv6, though it may talk IPv4.
    #[inline(always)]
    pub fn is_v6(self) -> bool {
        self.family() == AF_INET6
    }

    /// `AF_*`.
    #[inline(always)]
    pub fn family(self) -> u16 {
        self.read(setting!(offsets.socket.family))
    }

    /// `SOCKET_*`, for those that are followed.
    #[inline(always)]
    pub fn kind(self) -> Option<u8> {
        let offsets = (
            setting!(offsets.socket.family),
            setting!(offsets.socket.kind),
            setting!(offsets.socket.protocol),
        );
        // SAFETY: a typed pointer that the kernel gave, and the offsets of the fields.
        let (family, kind, protocol): (u16, u16, u16) = unsafe {
            (
                load(self.0, offsets.0),
                load(self.0, offsets.1),
                load(self.0, offsets.2),
            )
        };
        match (family, kind, protocol) {
            (AF_INET | AF_INET6, SOCK_STREAM, IPPROTO_TCP) => Some(SOCKET_TCP),
            (AF_INET | AF_INET6, SOCK_DGRAM, IPPROTO_UDP) => Some(SOCKET_UDP),
            (AF_UNIX, SOCK_STREAM | SOCK_SEQPACKET, _) => Some(SOCKET_UNIX),
            _ => None,
        }
    }

    /// A socket of Multipath TCP: its connections below it are the kernel's, and it has no states.
    #[inline(always)]
    pub fn is_mptcp(self) -> bool {
        let protocol: u16 = self.read(setting!(offsets.socket.protocol));
        protocol == IPPROTO_MPTCP && matches!(self.family(), AF_INET | AF_INET6)
    }

    /// It takes connections of TCP.
    #[inline(always)]
    pub fn listens(self) -> bool {
        let tcp = self.kind() == Some(SOCKET_TCP) || self.is_mptcp();
        tcp && self.state() == tcp::LISTEN
    }

    /// It speaks TCP; a raw socket may too.
    #[inline(always)]
    pub fn is_tcp(self) -> bool {
        let offset = setting!(offsets.socket.protocol);
        // SAFETY: a typed pointer that the kernel gave, and the offset of the field.
        unsafe { load::<u16>(self.0, offset) == IPPROTO_TCP }
    }

    /// State, as in [`tcp`].
    #[inline(always)]
    pub fn state(self) -> i32 {
        i32::from(self.read::<u8>(setting!(offsets.socket.state)))
    }

    /// Nothing can be sent or received any more.
    #[inline(always)]
    pub fn is_shut(self) -> bool {
        self.read::<u8>(setting!(offsets.socket.shutdown)) & SHUTDOWN_MASK == SHUTDOWN_MASK
    }

    /// A TCP socket with another side, that is not over.
    #[inline(always)]
    pub fn is_connected(self) -> bool {
        let connected = matches!(
            self.state(),
            tcp::ESTABLISHED
                | tcp::SYN_SENT
                | tcp::SYN_RECV
                | tcp::FIN_WAIT1
                | tcp::FIN_WAIT2
                | tcp::CLOSE_WAIT
        );
        connected && !self.is_shut()
    }

    /// Its error, a positive errno.
    #[inline(always)]
    pub fn error(self) -> u32 {
        self.read(setting!(offsets.socket.error))
    }

    /// Inode of its network namespace.
    #[inline(always)]
    pub fn network_namespace(self) -> u32 {
        let net: u64 = self.read(setting!(offsets.socket.net));
        field(net, setting!(offsets.socket.net_inode)).unwrap_or(0)
    }

    /// Host order.
    #[inline(always)]
    pub fn local_port(self) -> u16 {
        self.read(setting!(offsets.socket.local_port))
    }

    /// Kernel memory of what was received and not yet read.
    #[inline(always)]
    pub fn receive_queue(self) -> u32 {
        self.read(setting!(offsets.socket.receive_queue))
    }

    /// Kernel memory of what was sent and not yet acknowledged.
    #[inline(always)]
    pub fn send_queue(self) -> u32 {
        self.read(setting!(offsets.socket.send_queue))
    }

    /// Fills in family, and addresses or path.
    #[inline(always)]
    pub fn name(self, kind: u8, entry: &mut SocketEntry) {
        entry.family = self.family();
        if kind == SOCKET_UNIX {
            return self.unix_name(entry);
        }
        entry.local_port = self.local_port();
        entry.peer_port = u16::from_be(self.read(setting!(offsets.socket.peer_port)));
        if entry.family == AF_INET {
            let local: [u8; 4] = self.read(setting!(offsets.socket.local_v4));
            let peer: [u8; 4] = self.read(setting!(offsets.socket.peer_v4));
            put(&mut entry.address, 0, local);
            put(&mut entry.address, ADDRESS_LENGTH, peer);
        } else {
            let local: [u8; 16] = self.read(setting!(offsets.socket.local_v6));
            let peer: [u8; 16] = self.read(setting!(offsets.socket.peer_v6));
            put(&mut entry.address, 0, local);
            put(&mut entry.address, ADDRESS_LENGTH, peer);
        }
    }

    /// The path that the server is bound to: an accepted socket shares it, a client's peer has it.
    #[inline(always)]
    fn unix_name(self, entry: &mut SocketEntry) {
        let own: u64 = self.read(setting!(offsets.socket.unix_address));
        let peer: u64 = self.read(setting!(offsets.socket.unix_peer));
        let address = if own != 0 {
            entry.role = ROLE_SERVER;
            own
        } else {
            let address = field(peer, setting!(offsets.socket.unix_address)).unwrap_or(0);
            if address != 0 {
                entry.role = ROLE_CLIENT;
            }
            address
        };
        // The path comes after two bytes of family.
        let length: i32 = field(address, setting!(offsets.socket.unix_length)).unwrap_or(0);
        let path = address
            .wrapping_add(u64::from(setting!(offsets.socket.unix_name)))
            .wrapping_add(2);
        let length = (length - 2).clamp(0, PATH_MAX as i32) as u32;
        if address == 0 || length == 0 {
            return;
        }
        // SAFETY: the helper checks the source; the length is at most the destination's.
        unsafe {
            generated::bpf_probe_read_kernel(
                entry.address.as_mut_ptr().cast(),
                length,
                path as *const c_void,
            );
        }
    }
}

/// Copies an address without a loop, which the verifier would follow byte by byte.
#[inline(always)]
fn put<const N: usize>(to: &mut [u8; PATH_MAX], at: usize, from: [u8; N]) {
    const { assert!(N <= ADDRESS_LENGTH) };
    // SAFETY: `at` is one of two constants, and `at + N` lies inside.
    unsafe {
        to.as_mut_ptr()
            .add(at)
            .cast::<[u8; N]>()
            .write_unaligned(from)
    };
}
