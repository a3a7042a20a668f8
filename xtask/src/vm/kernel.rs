//! Debian's kernels, as packages of several suites, without touching the machine's own apt.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::image;
use crate::shell;

/// In which suite a version is at home. Others are looked for in the backports.
const SUITES: &[(&str, &[&str])] = &[
    ("5.10", &["bullseye"]),
    ("6.1", &["bookworm"]),
    ("6.12", &["trixie", "bookworm-backports"]),
];
const OTHER_SUITES: &[&str] = &["trixie-backports", "bookworm-backports"];

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A kernel that can be booted.
pub(crate) struct Kernel {
    pub(crate) package: String,
    pub(crate) vmlinux: PathBuf,
}

/// Finds a kernel in the cache under `directory`, or downloads and unpacks it.
pub(crate) fn fetch(directory: &Path, version: &str, update: bool) -> Result<Kernel> {
    if version.is_empty() || !version.chars().all(|c| c.is_ascii_digit() || c == '.') {
        bail!("`{version}` is not a kernel version such as 6.12");
    }
    let home = directory.join("kernels").join(version);
    let vmlinux = home.join("vmlinux");
    let name = home.join("package");
    if !update && vmlinux.is_file() {
        let package = fs::read_to_string(&name)?;
        return Ok(Kernel { package, vmlinux });
    }
    let apt = PrivateApt::new(&directory.join("apt").join(version), version)?;
    eprintln!("fetching the lists of {}", apt.suites.join(" and "));
    shell::run_quietly(apt.command("apt-get").arg("update"))?;
    let listing = shell::output(apt.command("apt-cache").args([
        "search",
        "--names-only",
        "^linux-image-[0-9].*-amd64$",
    ]))?;
    let package = newest(&listing, version)
        .with_context(|| format!("no kernel {version} in {}", apt.suites.join(", ")))?;
    eprintln!("downloading {package}");
    unpack(&apt, &package, &home)?;
    fs::write(&name, &package)?;
    Ok(Kernel { package, vmlinux })
}

/// An apt whose sources, lists and state are its own.
struct PrivateApt {
    home: PathBuf,
    suites: Vec<&'static str>,
}

impl PrivateApt {
    fn new(home: &Path, version: &str) -> Result<Self> {
        let suites = SUITES
            .iter()
            .find(|(known, _)| *known == version)
            .map_or(OTHER_SUITES, |(_, suites)| suites)
            .to_vec();
        fs::create_dir_all(home.join("state/lists/partial"))?;
        fs::create_dir_all(home.join("cache/archives/partial"))?;
        fs::write(home.join("status"), "")?;
        let mirror = mirror();
        let sources: String = suites
            .iter()
            .map(|suite| format!("deb [signed-by={KEYRING}] {mirror} {suite} main\n"))
            .collect();
        fs::write(home.join("sources.list"), sources)?;
        Ok(Self {
            home: home.to_path_buf(),
            suites,
        })
    }

    fn command(&self, program: &str) -> Command {
        let at = |name: &str| self.home.join(name).display().to_string();
        let mut command = Command::new(program);
        for option in [
            format!("Dir::Etc::sourcelist={}", at("sources.list")),
            "Dir::Etc::sourceparts=-".into(),
            format!("Dir::State={}", at("state")),
            format!("Dir::State::status={}", at("status")),
            format!("Dir::Cache={}", at("cache")),
            "APT::Architecture=amd64".into(),
            "APT::Architectures=amd64".into(),
            "Acquire::Languages=none".into(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".into(),
            // An old suite's lists are past their date.
            "Acquire::Check-Valid-Until=false".into(),
        ] {
            command.arg("-o").arg(option);
        }
        command
    }
}

/// The mirror that this machine uses, or Debian's own.
fn mirror() -> String {
    let targets = shell::probe(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(ORIGIN) $(REPO_URI) $(CODENAME)",
    ]));
    targets
        .as_deref()
        .and_then(debian_mirror)
        .unwrap_or("http://deb.debian.org/debian/")
        .to_owned()
}

/// The first repository of Debian that is a release itself and not its updates.
fn debian_mirror(targets: &str) -> Option<&str> {
    targets.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let (origin, uri, codename) = (words.next()?, words.next()?, words.next()?);
        (origin == "Debian" && !codename.contains('-')).then_some(uri)
    })
}

/// The newest package of a version in what `apt-cache search` says. The cloud flavour is preferred:
/// it is small and has everything built in that the guests need.
fn newest(listing: &str, version: &str) -> Option<String> {
    listing
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| !name.contains("-rt-") && !name.contains("unsigned"))
        .filter(|name| {
            name.strip_prefix("linux-image-")
                .and_then(|rest| rest.strip_prefix(version))
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
        })
        .max_by_key(|name| (name.contains("-cloud-"), numbers(name)))
        .map(str::to_owned)
}

/// The numbers in a name, to order versions by.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}

fn unpack(apt: &PrivateApt, package: &str, home: &Path) -> Result<()> {
    let unpacked = home.join("unpacked");
    if unpacked.exists() {
        fs::remove_dir_all(&unpacked)?;
    }
    fs::create_dir_all(&unpacked)?;
    shell::run_quietly(
        apt.command("apt-get")
            .args(["-o", "APT::Sandbox::User=root", "download", package])
            .current_dir(&unpacked),
    )?;
    let archive = find(&unpacked, |name| name.ends_with(".deb"))?;
    shell::run(Command::new("dpkg").arg("-x").arg(&archive).arg(&unpacked))?;
    let bz_image = find(&unpacked.join("boot"), |name| name.starts_with("vmlinuz"))?;
    image::extract(&bz_image, &home.join("vmlinux"))?;
    fs::remove_dir_all(&unpacked)?;
    Ok(())
}

fn find(directory: &Path, wanted: impl Fn(&str) -> bool) -> Result<PathBuf> {
    fs::read_dir(directory)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| {
            path.file_name()
                .and_then(|n| n.to_str())
                .is_some_and(&wanted)
        })
        .with_context(|| format!("nothing fitting in {}", directory.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "\
linux-image-6.1.0-9-cloud-amd64 - Linux 6.1 for x86-64 cloud (signed)
linux-image-6.1.0-50-cloud-amd64 - Linux 6.1 for x86-64 cloud (signed)
linux-image-6.1.0-51-amd64 - Linux 6.1 for 64-bit PCs (signed)
linux-image-6.1.0-50-rt-amd64 - Linux 6.1 for 64-bit PCs, PREEMPT_RT (signed)
linux-image-6.12.107+deb13-cloud-amd64 - Linux 6.12 for x86-64 cloud (signed)
linux-image-6.12.117+deb13-cloud-amd64 - Linux 6.12 for x86-64 cloud (signed)
linux-image-6.12.117+deb13-cloud-amd64-unsigned - Linux 6.12 for x86-64 cloud
";

    #[test]
    fn the_newest_of_the_cloud_flavour_is_taken() {
        assert_eq!(
            newest(LISTING, "6.1").as_deref(),
            Some("linux-image-6.1.0-50-cloud-amd64")
        );
        assert_eq!(
            newest(LISTING, "6.12").as_deref(),
            Some("linux-image-6.12.117+deb13-cloud-amd64")
        );
    }

    #[test]
    fn a_version_is_not_the_beginning_of_another() {
        assert_eq!(newest(LISTING, "6"), newest(LISTING, "6.12"));
        assert_eq!(newest(LISTING, "6.11"), None);
    }

    #[test]
    fn the_mirror_is_the_one_of_the_release() {
        let targets = "Debian http://mirror/debian-security/ bookworm-security\n\
                       Other http://x/ bookworm\nDebian http://mirror/debian/ bookworm\n";
        assert_eq!(debian_mirror(targets), Some("http://mirror/debian/"));
    }
}
