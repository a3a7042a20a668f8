//! The only place that knows aya: the object, how it is loaded and attached, its rings and maps.

mod btf;
mod call;
mod control;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod iterator;
pub mod object;
mod offsets;
pub mod plan;
mod ring;
mod sockets;
mod symbols;
mod trim;

use std::{
    hash::{BuildHasher as _, RandomState},
    path::Path,
};

use anyhow::{Context as _, bail};
use aya::{Btf, Ebpf, EbpfLoader};
use aya_log::EbpfLogger;
use profiler_common::{config::Settings, sampling};

pub use self::{control::Control, ring::Rings, sockets::Sockets};

/// What a run of the kernel side is started with.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Which ways to attach are allowed.
    pub choice: plan::Choice,
    /// Bytes of the ring of events; a power of two, whole pages.
    pub event_ring_bytes: u32,
    /// Bytes of the ring of captures; a power of two, whole pages.
    pub capture_ring_bytes: u32,
    /// Mean number of committed bytes between two captures.
    pub capture_interval: u64,
    /// `POLICY_*` of processes that user space has not decided on.
    pub default_policy: u32,
}

/// The kernel side, attached. Dropping it detaches and unloads everything; nothing is pinned.
pub struct Kernel {
    /// The rings.
    pub rings: Rings,
    /// Policies and counters.
    pub control: Control,
    /// Sockets that are open.
    pub sockets: Sockets,
    /// How each capability is served.
    pub served: Vec<plan::Served>,
    /// What the programs have to say of themselves; see [`Kernel::log`].
    logger: EbpfLogger<&'static dyn log::Log>,
    /// Owns the programs and links.
    object: Ebpf,
}

impl Kernel {
    /// Passes on what the programs have logged: faults that should not happen.
    pub fn log(&mut self) {
        self.logger.flush();
    }

    /// The kernel tells of OOM kills.
    pub fn hears_of_oom_kills(&self) -> bool {
        plan::is_served(&self.served, plan::OOM_KILLS)
    }

    /// First touches of pages are sampled.
    pub fn samples_touches(&self) -> bool {
        plan::is_served(&self.served, plan::FIRST_TOUCH)
    }

    /// Has the kernel go over every open descriptor: finds sockets that it did not see begin, and
    /// marks those that are still there with the number that it returns; none where this kernel
    /// does not serve that.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn pass_over_sockets(&mut self) -> anyhow::Result<Option<u32>> {
        if !plan::is_served(&self.served, plan::SOCKET_PASS) {
            return Ok(None);
        }
        self.sockets.pass(&mut self.object).map(Some)
    }
}

/// Loads and attaches the kernel side.
///
/// # Errors
/// The object was not built, the kernel has no BTF, or serves no way to a capability.
pub fn start(options: &Options, tracefs: Option<&Path>) -> anyhow::Result<Kernel> {
    if object::OBJECT.is_empty() {
        bail!(
            "this agent was built without its kernel object; run `cargo xtask build`, which builds \
             both, and start target/release/profiler-agent"
        );
    }
    let mut found = offsets::read(tracefs)?;
    found.touch.seed = RandomState::new().hash_one(());
    found.touch.threshold = sampling::touch_inclusion(sampling::PAGE, options.capture_interval);
    found.touch.captures_high_water = u64::from(options.capture_ring_bytes) / 2;
    let [out_of_memory, mark_victim, limit_reached] = symbols::locate([
        "out_of_memory",
        "mark_oom_victim",
        "mem_cgroup_out_of_memory",
    ]);
    let settings = Settings {
        offsets: found.offsets,
        agent_tgid: std::process::id(),
        default_policy: options.default_policy,
        padding: 0,
        touch: found.touch,
        // The last eighth is for the lives of processes and for victims.
        events_high_water: u64::from(options.event_ring_bytes) / 8 * 7,
        out_of_memory,
        mark_victim,
        limit_reached,
    };
    let btf = Btf::from_sys_fs().context("read the kernel's BTF")?;
    let mut object = EbpfLoader::new()
        .btf(Some(&btf))
        // Storage of threads: only the programs use it.
        .allow_unsupported_maps()
        .override_global("SETTINGS", &settings, true)
        .map_max_entries("EVENTS", options.event_ring_bytes)
        .map_max_entries("CAPTURES", options.capture_ring_bytes)
        .load(object::OBJECT)
        .context("load the kernel object")?;
    let mut control = Control::take(&mut object)?;
    control.set_interval(options.capture_interval)?;
    let rings = Rings::take(&mut object)?;
    let mut sockets = Sockets::take(&mut object)?;
    let logger = EbpfLogger::init(&mut object).context("open the kernel programs' log")?;
    let mut served = plan::attach(&mut object, &btf, options.choice, &found.missing)?;
    if plan::is_served(&served, plan::SOCKET_TRAFFIC)
        && let Err(error) = sockets.follow_traffic(&mut object)
    {
        plan::refuse(&mut served, plan::SOCKET_TRAFFIC, &error);
    }
    drop(btf);
    trim::give_back_freed_memory();
    Ok(Kernel {
        rings,
        control,
        sockets,
        served,
        logger,
        object,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_has_every_program_of_the_plan() {
        if object::OBJECT.is_empty() {
            eprintln!("skipped: the kernel object was not built (`cargo xtask build`)");
            return;
        }
        let names: Vec<&str> = plan::programs().collect();
        for name in names {
            let found = object::OBJECT
                .windows(name.len())
                .any(|window| window == name.as_bytes());
            assert!(found, "{name}");
        }
    }
}
