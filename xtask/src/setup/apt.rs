//! Debian's packages.

use std::process::Command;

use anyhow::Result;

use crate::shell;

/// Whether packages can be had through apt at all.
pub(crate) fn is_there() -> bool {
    shell::find("apt-get").is_some() && shell::find("apt-cache").is_some()
}

/// Whether apt knows a package that can be installed.
pub(crate) fn has(package: &str) -> bool {
    shell::probe(Command::new("apt-cache").args(["policy", package]))
        .is_some_and(|text| has_candidate(&text))
}

/// Installs packages. The lists are fetched anew only when a package is unknown or gone.
pub(crate) fn install(packages: &[String]) -> Result<()> {
    if !packages.iter().all(|package| has(package)) {
        update()?;
    }
    let install = || {
        let mut command = get();
        command
            .args(["install", "--yes", "--no-install-recommends"])
            .args(packages);
        command
    };
    if install()
        .output()
        .is_ok_and(|output| output.status.success())
    {
        return Ok(());
    }
    update()?;
    shell::run_quietly(&mut install())
}

/// Fetches the lists of packages.
pub(crate) fn update() -> Result<()> {
    shell::run_quietly(get().arg("update"))
}

fn get() -> Command {
    let mut command = Command::new("apt-get");
    command
        .args(["-o", "DPkg::Lock::Timeout=300"])
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Packages that bring a service (redis-server) do not start it in run level 1.
        .env("RUNLEVEL", "1");
    command
}

fn has_candidate(policy: &str) -> bool {
    policy
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Candidate:"))
        .any(|version| version.trim() != "(none)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_package_has_a_candidate() {
        assert!(has_candidate(
            "rustc-web:\n  Installed: (none)\n  Candidate: 1.96.0+dfsg1-1~deb12u2\n"
        ));
    }

    #[test]
    fn an_unknown_or_virtual_package_has_none() {
        assert!(!has_candidate(""));
        assert!(!has_candidate(
            "x:\n  Installed: (none)\n  Candidate: (none)\n"
        ));
    }
}
