//! The plan: one table, and how it is carried out. Nothing else in the agent knows how a hook is
//! made.

mod table;

use anyhow::Context as _;
use aya::{
    Btf, Ebpf,
    programs::{BtfTracePoint, FEntry, FExit, Iter, Program, TracePoint},
};

use self::table::{Capability, Hook, PLAN};
pub(super) use self::table::{
    FIRST_TOUCH, OOM_KILLS, SOCKET_PASS, SOCKET_PASS_PROGRAM, SOCKET_STATES, SOCKET_TRAFFIC,
    SOCKET_TRAFFIC_PROGRAM,
};

/// A technique.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Trampolines at the end of kernel functions (5.5; refused by some hardened kernels).
    Fexit,
    /// Trampolines at the beginning of kernel functions (likewise).
    Fentry,
    /// Tracepoints with typed arguments (5.5).
    BtfTracepoint,
    /// Plain tracepoints by perf event.
    Tracepoint,
    /// Programs that the agent has run over kernel objects (5.8). Loaded only: they are attached
    /// for each run.
    Iterator,
}

impl Way {
    /// As shown to people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fexit => "fexit",
            Self::Fentry => "fentry",
            Self::BtfTracepoint => "tp_btf",
            Self::Tracepoint => "tracepoint",
            Self::Iterator => "iterator",
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
            Self::Tracepoint => matches!(way, Way::Tracepoint | Way::Iterator),
        }
    }
}

/// How a capability is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The capability.
    pub name: &'static str,
    /// The way that works; none for a capability that the agent can do without.
    pub chosen: Option<Way>,
    /// Ways that did not work and hooks that this kernel lacks, with the reason.
    pub refused: Vec<String>,
}

/// Loads and attaches the whole plan. `missing`: what cannot be read on this kernel, and the
/// capability that is of no use without it.
///
/// # Errors
/// A required capability that can be served by no allowed way; the message has every reason.
pub fn attach(
    object: &mut Ebpf,
    btf: &Btf,
    choice: Choice,
    missing: &[(&str, anyhow::Error)],
) -> anyhow::Result<Vec<Served>> {
    let mut served = Vec::with_capacity(PLAN.len());
    for capability in PLAN {
        let one = match useless(capability, &served, missing) {
            Some(reason) => Served {
                name: capability.name,
                chosen: None,
                refused: vec![reason],
            },
            None => serve(object, btf, choice, capability)?,
        };
        served.push(one);
    }
    Ok(served)
}

/// Why a capability would be of no use, whether or not the kernel serves it.
fn useless(
    capability: &Capability,
    served: &[Served],
    missing: &[(&str, anyhow::Error)],
) -> Option<String> {
    let lacks = missing.iter().find(|(name, _)| *name == capability.name);
    if let Some((_, reason)) = lacks {
        return Some(format!("{reason:#}"));
    }
    let needs = capability.needs?;
    (!is_served(served, needs)).then(|| format!("of no use without \"{needs}\""))
}

/// A way to a capability was found.
pub(super) fn is_served(served: &[Served], name: &str) -> bool {
    served
        .iter()
        .any(|served| served.name == name && served.chosen.is_some())
}

/// A capability did not work after all.
pub(super) fn refuse(served: &mut [Served], name: &str, error: &anyhow::Error) {
    for served in served.iter_mut().filter(|served| served.name == name) {
        served.chosen = None;
        served.refused.push(format!("{error:#}"));
    }
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
                    chosen: Some(*way),
                    refused,
                });
            }
            Err(error) => refused.push(format!("{}: {error:#}", way.name())),
        }
    }
    if !capability.required {
        if refused.is_empty() {
            refused.push("no way to it is allowed by the configured plan".to_owned());
        }
        return Ok(Served {
            name: capability.name,
            chosen: None,
            refused,
        });
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
        Some(Program::FEntry(program)) => program.unload(),
        Some(Program::BtfTracePoint(program)) => program.unload(),
        Some(Program::TracePoint(program)) => program.unload(),
        Some(Program::Iter(program)) => program.unload(),
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
        Way::Fentry => {
            let program: &mut FEntry = program.try_into()?;
            program.load(hook.target, btf).with_context(loading)?;
            program.attach().with_context(attaching)?;
        }
        Way::BtfTracepoint => {
            let program: &mut BtfTracePoint = program.try_into()?;
            program.load(hook.target, btf).with_context(loading)?;
            program.attach().with_context(attaching)?;
        }
        Way::Iterator => {
            let program: &mut Iter = program.try_into()?;
            program.load(hook.target, btf).with_context(loading)?;
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

#[cfg(test)]
mod tests {
    use super::{table::SOCKET_BYTES, *};

    #[test]
    fn what_a_capability_needs_stands_before_it_and_can_be_missing() {
        for (place, capability) in PLAN.iter().enumerate() {
            let Some(needs) = capability.needs else {
                continue;
            };
            let before = PLAN[..place].iter().find(|before| before.name == needs);
            assert!(before.is_some_and(|before| !before.required), "{needs}");
            assert!(!capability.required, "{}", capability.name);
        }
    }

    #[test]
    fn what_cannot_be_read_takes_its_own_capability_alone() {
        let missing = [(OOM_KILLS, anyhow::anyhow!("no such tracepoint"))];
        for capability in PLAN.iter().filter(|capability| capability.needs.is_none()) {
            let reason = useless(capability, &[], &missing);
            let expected = (capability.name == OOM_KILLS).then(|| "no such tracepoint".to_owned());
            assert_eq!(reason, expected, "{}", capability.name);
        }
    }

    #[test]
    fn without_bytes_nothing_that_rests_on_them_is_tried() {
        let unserved = |name| Served {
            name,
            chosen: None,
            refused: Vec::new(),
        };
        let served = [unserved(SOCKET_STATES), unserved(SOCKET_BYTES)];
        let useless: Vec<&str> = PLAN
            .iter()
            .filter(|capability| useless(capability, &served, &[]).is_some())
            .map(|capability| capability.name)
            .collect();
        let of_no_use = [
            SOCKET_BYTES,
            "threads that wait for events",
            "threads that wait for io_uring",
            SOCKET_PASS,
            SOCKET_TRAFFIC,
        ];
        assert_eq!(useless, of_no_use);
    }
}
