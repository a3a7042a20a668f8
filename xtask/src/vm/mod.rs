//! The integration tests in virtual machines with Debian's kernels.

mod boot;
mod image;
mod initramfs;
mod kernel;
mod log;
mod payload;

use std::{fs, path::PathBuf, process::ExitCode, time::Duration, time::Instant};

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use crate::{
    build, run,
    setup::{self, Purpose},
    test::report::{Outcome, Report},
    workspace,
};

/// Runs the integration tests in small virtual machines with other kernels.
///
/// Kernels come as Debian packages, which are downloaded and unpacked into `target/vm` but not
/// installed. The machines are emulated (no KVM is needed), so tests run with a smaller load in
/// them. Each kernel is booted once for each plan.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Kernel versions, as in Debian's package names: 5.10, 6.1, 6.12 …
    #[arg(long = "kernel", value_name = "VERSION", default_values = ["6.1", "6.12"])]
    kernels: Vec<String>,
    /// How the agent is made to attach.
    #[arg(long = "plan", value_enum, default_values_t = [Plan::Fexit, Plan::Tracepoint])]
    plans: Vec<Plan>,
    /// How long one machine may take.
    #[arg(long, value_parser = run::parse_duration, default_value = "10m")]
    timeout: Duration,
    /// Fetch the newest kernel of each version even if one is there.
    #[arg(long)]
    update: bool,
    /// Run this program in place of the tests.
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
    /// Run every test, not only those that depend on the kernel most.
    #[arg(long, conflicts_with = "tests")]
    all: bool,
    /// Run the tests whose names contain one of these.
    #[arg(value_name = "NAME", default_values = KERNEL_TESTS)]
    tests: Vec<String>,
}

/// The tests that depend on the kernel most: an emulated machine takes too long for all.
const KERNEL_TESTS: [&str; 7] = [
    "ledger",
    "stacks",
    "touch",
    "connections::ends_are_told_apart",
    "connections::growth_is_joined",
    "connections::unix_streams",
    "oom::",
];

/// A row of the agent's table of plans.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Plan {
    Fexit,
    Tracepoint,
}

impl Plan {
    fn name(self) -> &'static str {
        match self {
            Self::Fexit => "fexit",
            Self::Tracepoint => "tracepoint",
        }
    }
}

pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    setup::ensure(&[Purpose::Vm])?;
    let report = machines(args)?;
    print!("{report}");
    Ok(if report.passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// All machines that are run by default, as one suite of tests.
pub(crate) fn suite() -> Result<Outcome> {
    let args = Args {
        kernels: vec!["6.1".into(), "6.12".into()],
        plans: vec![Plan::Fexit, Plan::Tracepoint],
        timeout: Duration::from_secs(600),
        update: false,
        program: None,
        all: false,
        tests: KERNEL_TESTS.map(str::to_owned).to_vec(),
    };
    let mut all = Outcome::default();
    for (machine, _, outcome) in machines(&args)?.suites {
        all.absorb(&machine, outcome);
    }
    Ok(all)
}

fn machines(args: &Args) -> Result<Report> {
    let directory = workspace::root().join("target/vm");
    fs::create_dir_all(&directory)?;
    let payload = match &args.program {
        Some(program) => payload::Payload::program(program),
        None => {
            build::kernel_object()?;
            payload::Payload::tests()?
        }
    };
    // A program that is no test is given no names of tests.
    let filters: &[String] = if args.all || args.program.is_some() {
        &[]
    } else {
        &args.tests
    };
    let mut report = Report::default();
    for version in &args.kernels {
        let kernel = kernel::fetch(&directory, version, args.update)
            .with_context(|| format!("get a kernel {version}"))?;
        for plan in &args.plans {
            let name = format!("{version} {}", plan.name());
            let initramfs = directory.join("initramfs.cpio");
            fs::write(&initramfs, payload.initramfs(plan.name(), filters)?)?;
            eprintln!("== {name}: {}", kernel.package);
            let start = Instant::now();
            let machine = boot::Machine {
                vmlinux: &kernel.vmlinux,
                initramfs: &initramfs,
                log: &directory.join(format!("{version}-{}.log", plan.name())),
                timeout: args.timeout,
            };
            let outcome = machine.run()?;
            report.add(&name, start.elapsed(), outcome);
        }
    }
    Ok(report)
}
