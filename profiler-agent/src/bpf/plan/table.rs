//! What the agent needs of the kernel, and the ways to get it in order of preference.

use super::Way;

/// A program of the object and what it is attached to.
pub(super) struct Hook {
    pub(super) program: &'static str,
    /// Kernel function, BTF tracepoint, or `category:name`.
    pub(super) target: &'static str,
    /// Kernels without this system call exist.
    pub(super) optional: bool,
}

const fn hook(program: &'static str, target: &'static str) -> Hook {
    Hook {
        program,
        target,
        optional: false,
    }
}

const fn optional(program: &'static str, target: &'static str) -> Hook {
    Hook {
        program,
        target,
        optional: true,
    }
}

pub(super) struct Capability {
    pub(super) name: &'static str,
    /// The agent is of no use without it.
    pub(super) required: bool,
    /// It is of no use without this one, which stands before it.
    pub(super) needs: Option<&'static str>,
    pub(super) ways: &'static [(Way, &'static [Hook])],
}

pub(super) const PLAN: &[Capability] = &[
    Capability {
        name: "process exec, fork, exit",
        required: true,
        needs: None,
        ways: &[
            (
                Way::BtfTracepoint,
                &[
                    hook("newtask_btf", "task_newtask"),
                    hook("exec_btf", "sched_process_exec"),
                    hook("exit_btf", "sched_process_exit"),
                ],
            ),
            (
                Way::Tracepoint,
                &[
                    hook("newtask_tracepoint", "task:task_newtask"),
                    hook("exec_tracepoint", "sched:sched_process_exec"),
                    hook("exit_tracepoint", "sched:sched_process_exit"),
                ],
            ),
        ],
    },
    Capability {
        name: "commit and release of address space",
        required: true,
        needs: None,
        ways: &[
            (
                Way::Fexit,
                &[
                    hook("fexit_mmap", "__x64_sys_mmap"),
                    hook("fexit_munmap", "__x64_sys_munmap"),
                    hook("fexit_mremap", "__x64_sys_mremap"),
                    hook("fexit_brk", "__x64_sys_brk"),
                    hook("fexit_mprotect", "__x64_sys_mprotect"),
                    optional("fexit_pkey", "__x64_sys_pkey_mprotect"),
                    hook("fexit_madvise", "__x64_sys_madvise"),
                    optional("fexit_shmat", "__x64_sys_shmat"),
                    optional("fexit_shmdt", "__x64_sys_shmdt"),
                ],
            ),
            (
                Way::Tracepoint,
                &[
                    hook("exit_mmap", "syscalls:sys_exit_mmap"),
                    hook("exit_munmap", "syscalls:sys_exit_munmap"),
                    hook("exit_mremap", "syscalls:sys_exit_mremap"),
                    hook("exit_brk", "syscalls:sys_exit_brk"),
                    hook("exit_mprotect", "syscalls:sys_exit_mprotect"),
                    optional("exit_pkey", "syscalls:sys_exit_pkey_mprotect"),
                    hook("exit_madvise", "syscalls:sys_exit_madvise"),
                    optional("exit_shmat", "syscalls:sys_exit_shmat"),
                    optional("exit_shmdt", "syscalls:sys_exit_shmdt"),
                ],
            ),
        ],
    },
    // Without it the counts of kills in the cgroups are left, which name no victim.
    Capability {
        name: OOM_KILLS,
        required: false,
        needs: None,
        ways: &[
            (Way::BtfTracepoint, &[hook("victim_btf", "mark_victim")]),
            (
                Way::Tracepoint,
                &[hook("victim_tracepoint", "oom:mark_victim")],
            ),
        ],
    },
    Capability {
        name: FIRST_TOUCH,
        required: false,
        needs: None,
        ways: &[
            (
                Way::Fentry,
                &[hook("fentry_new_folio", "folio_add_new_anon_rmap")],
            ),
            (
                Way::Fentry,
                &[hook("fentry_new_page", "page_add_new_anon_rmap")],
            ),
            (
                Way::BtfTracepoint,
                &[
                    hook("fault_user_btf", "page_fault_user"),
                    optional("fault_kernel_btf", "page_fault_kernel"),
                ],
            ),
            (
                Way::Tracepoint,
                &[
                    hook("fault_user_tracepoint", "exceptions:page_fault_user"),
                    optional("fault_kernel_tracepoint", "exceptions:page_fault_kernel"),
                ],
            ),
        ],
    },
    Capability {
        name: SOCKET_STATES,
        required: false,
        needs: None,
        ways: &[(
            Way::BtfTracepoint,
            &[hook("state_btf", "inet_sock_set_state")],
        )],
    },
    Capability {
        name: SOCKET_BYTES,
        required: false,
        needs: Some(SOCKET_STATES),
        ways: &[
            (
                Way::BtfTracepoint,
                &[
                    hook("receive_btf", "sock_recv_length"),
                    hook("send_btf", "sock_send_length"),
                ],
            ),
            (
                Way::Fexit,
                &[
                    hook("fexit_tcp_receive", "tcp_recvmsg"),
                    hook("fexit_tcp_send", "tcp_sendmsg"),
                    hook("fexit_udp_receive", "udp_recvmsg"),
                    hook("fexit_udp_send", "udp_sendmsg"),
                    optional("fexit_udp6_receive", "udpv6_recvmsg"),
                    optional("fexit_udp6_send", "udpv6_sendmsg"),
                    optional("fexit_unix_receive", "unix_stream_recvmsg"),
                    optional("fexit_unix_send", "unix_stream_sendmsg"),
                ],
            ),
        ],
    },
    Capability {
        name: "threads that wait for events",
        required: false,
        needs: Some(SOCKET_BYTES),
        ways: &[
            (
                Way::Fexit,
                &[
                    hook("fexit_epoll_wait", "__x64_sys_epoll_wait"),
                    hook("fexit_epoll_pwait", "__x64_sys_epoll_pwait"),
                    optional("fexit_epoll_pwait2", "__x64_sys_epoll_pwait2"),
                    hook("fexit_poll", "__x64_sys_poll"),
                    hook("fexit_ppoll", "__x64_sys_ppoll"),
                    hook("fexit_select", "__x64_sys_select"),
                    hook("fexit_pselect6", "__x64_sys_pselect6"),
                    hook("fexit_accept", "__x64_sys_accept"),
                    hook("fexit_accept4", "__x64_sys_accept4"),
                ],
            ),
            (
                Way::Tracepoint,
                &[
                    hook("exit_epoll_wait", "syscalls:sys_exit_epoll_wait"),
                    hook("exit_epoll_pwait", "syscalls:sys_exit_epoll_pwait"),
                    optional("exit_epoll_pwait2", "syscalls:sys_exit_epoll_pwait2"),
                    hook("exit_poll", "syscalls:sys_exit_poll"),
                    hook("exit_ppoll", "syscalls:sys_exit_ppoll"),
                    hook("exit_select", "syscalls:sys_exit_select"),
                    hook("exit_pselect6", "syscalls:sys_exit_pselect6"),
                    hook("exit_accept", "syscalls:sys_exit_accept"),
                    hook("exit_accept4", "syscalls:sys_exit_accept4"),
                ],
            ),
        ],
    },
    Capability {
        name: "threads that wait for io_uring",
        required: false,
        needs: Some(SOCKET_BYTES),
        ways: &[(
            Way::BtfTracepoint,
            &[hook("ring_wait_btf", "io_uring_cqring_wait")],
        )],
    },
    Capability {
        name: SOCKET_PASS,
        required: false,
        needs: Some(SOCKET_STATES),
        ways: &[(Way::Iterator, &[hook(SOCKET_PASS_PROGRAM, "task_file")])],
    },
    Capability {
        name: SOCKET_TRAFFIC,
        required: false,
        needs: Some(SOCKET_BYTES),
        ways: &[(
            Way::Iterator,
            &[hook(SOCKET_TRAFFIC_PROGRAM, "bpf_sk_storage_map")],
        )],
    },
];

/// Name of the capability that tells whom the kernel kills for want of memory.
pub(in super::super) const OOM_KILLS: &str = "OOM kills";
/// Name of the capability by which resident bytes are known by stack.
pub(in super::super) const FIRST_TOUCH: &str = "first touch of pages";
/// Name of the capability on which a socket's life rests.
pub(in super::super) const SOCKET_STATES: &str = "socket states";
/// Name of the capability on which all rests that is known of threads and what they serve.
pub(super) const SOCKET_BYTES: &str = "bytes received and sent by a thread";
/// Name of the capability that finds sockets by their descriptors.
pub(in super::super) const SOCKET_PASS: &str = "sockets that exist already";
/// Its program, for each run.
pub(in super::super) const SOCKET_PASS_PROGRAM: &str = "socket_pass";
/// Name of the capability without which bytes of TCP sockets are known at their end only.
pub(in super::super) const SOCKET_TRAFFIC: &str = "bytes of open TCP sockets";
/// Its program, for each run.
pub(in super::super) const SOCKET_TRAFFIC_PROGRAM: &str = "socket_traffic";
