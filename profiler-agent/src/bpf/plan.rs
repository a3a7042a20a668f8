//! The plan: what the agent needs of the kernel, and the ways to get it in order of preference.
//! One table; nothing else in the agent knows how a hook is made.

use anyhow::Context as _;
use aya::{
    Btf, Ebpf,
    programs::{BtfTracePoint, FExit, Program, TracePoint},
};

/// A technique.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Trampolines at the end of kernel functions (5.5; refused by some hardened kernels).
    Fexit,
    /// Tracepoints with typed arguments (5.5).
    BtfTracepoint,
    /// Plain tracepoints by perf event.
    Tracepoint,
}

impl Way {
    /// As shown to people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fexit => "fexit",
            Self::BtfTracepoint => "tp_btf",
            Self::Tracepoint => "tracepoint",
        }
    }
}

/// Which ways are allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The first that works.
    #[default]
    Auto,
    /// Trampolines and typed tracepoints only.
    Fexit,
    /// Plain tracepoints only.
    Tracepoint,
}

impl Choice {
    fn allows(self, way: Way) -> bool {
        match self {
            Self::Auto => true,
            Self::Fexit => way != Way::Tracepoint,
            Self::Tracepoint => way == Way::Tracepoint,
        }
    }
}

/// A program of the object and what it is attached to.
struct Hook {
    program: &'static str,
    /// Kernel function, BTF tracepoint, or `category:name`.
    target: &'static str,
    /// Kernels without this system call exist.
    optional: bool,
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

struct Capability {
    name: &'static str,
    ways: &'static [(Way, &'static [Hook])],
}

const PLAN: &[Capability] = &[
    Capability {
        name: "process exec, fork, exit",
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
];

/// How a capability is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The capability.
    pub name: &'static str,
    /// The way that works.
    pub chosen: Way,
    /// Ways that did not work and hooks that this kernel lacks, with the reason.
    pub refused: Vec<String>,
}

/// Loads and attaches the whole plan.
///
/// # Errors
/// A capability that can be served by no allowed way; the message has every reason.
pub fn attach(object: &mut Ebpf, btf: &Btf, choice: Choice) -> anyhow::Result<Vec<Served>> {
    PLAN.iter()
        .map(|capability| serve(object, btf, choice, capability))
        .collect()
}

fn serve(
    object: &mut Ebpf,
    btf: &Btf,
    choice: Choice,
    capability: &Capability,
) -> anyhow::Result<Served> {
    let mut refused = Vec::new();
    for (way, hooks) in capability
        .ways
        .iter()
        .filter(|(way, _)| choice.allows(*way))
    {
        match attach_all(object, btf, *way, hooks) {
            Ok(missing) => {
                refused.extend(missing);
                return Ok(Served {
                    name: capability.name,
                    chosen: *way,
                    refused,
                });
            }
            Err(error) => refused.push(format!("{}: {error:#}", way.name())),
        }
    }
    anyhow::bail!(
        "this kernel serves no way to observe \"{}\": {}",
        capability.name,
        refused.join("; ")
    )
}

/// Attaches every hook of a way or none. Gives what the kernel lacks of the optional ones.
fn attach_all(
    object: &mut Ebpf,
    btf: &Btf,
    way: Way,
    hooks: &[Hook],
) -> anyhow::Result<Vec<String>> {
    let mut missing = Vec::new();
    for hook in hooks {
        let Err(error) = attach_one(object, btf, way, hook) else {
            continue;
        };
        if hook.optional {
            missing.push(format!("{} {}: {error:#}", way.name(), hook.target));
            continue;
        }
        for hook in hooks {
            unload_one(object, hook);
        }
        return Err(error);
    }
    Ok(missing)
}

/// Detaches and unloads; a program that was never loaded has nothing to undo.
fn unload_one(object: &mut Ebpf, hook: &Hook) {
    let _ = match object.program_mut(hook.program) {
        Some(Program::FExit(program)) => program.unload(),
        Some(Program::BtfTracePoint(program)) => program.unload(),
        Some(Program::TracePoint(program)) => program.unload(),
        _ => Ok(()),
    };
}

fn attach_one(object: &mut Ebpf, btf: &Btf, way: Way, hook: &Hook) -> anyhow::Result<()> {
    let program = object
        .program_mut(hook.program)
        .with_context(|| format!("the kernel object has no program {}", hook.program))?;
    let loading = || format!("load {} for {}", hook.program, hook.target);
    let attaching = || format!("attach {} to {}", hook.program, hook.target);
    match way {
        Way::Fexit => {
            let program: &mut FExit = program.try_into()?;
            program.load(hook.target, btf).with_context(loading)?;
            program.attach().with_context(attaching)?;
        }
        Way::BtfTracepoint => {
            let program: &mut BtfTracePoint = program.try_into()?;
            program.load(hook.target, btf).with_context(loading)?;
            program.attach().with_context(attaching)?;
        }
        Way::Tracepoint => {
            let program: &mut TracePoint = program.try_into()?;
            let (category, name) = hook.target.split_once(':').context("category:name")?;
            program.load().with_context(loading)?;
            program.attach(category, name).with_context(attaching)?;
        }
    }
    Ok(())
}

/// Every program named in the plan, so that a test can hold it against the object.
pub fn programs() -> impl Iterator<Item = &'static str> {
    PLAN.iter()
        .flat_map(|capability| capability.ways)
        .flat_map(|(_, hooks)| *hooks)
        .map(|hook| hook.program)
}
