//! A cgroup with a limit of memory: version 1, version 2, or a directory in each tree.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use crate::surroundings::eventually;

/// Where the trees are mounted.
const VERSION_2: [&str; 2] = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
const VERSION_1: &str = "/sys/fs/cgroup/memory";

/// Moves itself to each cgroup that stands before `--`, then runs what stands behind.
const ENTER: &str = r#"
while [ "$1" != -- ]; do echo $$ > "$1" || exit 90; shift; done
shift
exec "$@""#;

/// A cgroup of one name in each tree that has to do with memory; it goes with its owner.
#[derive(Debug)]
pub struct MemoryCgroup {
    directories: Vec<PathBuf>,
}

impl MemoryCgroup {
    /// A new one, without swap. `None`: no tree here has the controller of memory.
    pub fn new(name: &str, limit_bytes: u64) -> Result<Option<Self>> {
        let version_2 = VERSION_2.map(Path::new);
        let version_2 = version_2
            .into_iter()
            .find(|root| root.join("cgroup.controllers").is_file());
        let mut cgroup = Self {
            directories: Vec::new(),
        };
        if let Some(root) = version_2 {
            let directory = cgroup.make(root, name)?;
            if has_memory(root)? {
                write(&directory, "memory.max", limit_bytes)?;
                write_if_there(&directory, "memory.swap.max", 0)?;
                return Ok(Some(cgroup));
            }
        }
        let root = Path::new(VERSION_1);
        if !root.join("memory.limit_in_bytes").is_file() {
            return Ok(None);
        }
        let directory = cgroup.make(root, name)?;
        write(&directory, "memory.limit_in_bytes", limit_bytes)?;
        write_if_there(&directory, "memory.memsw.limit_in_bytes", limit_bytes)?;
        Ok(Some(cgroup))
    }

    fn make(&mut self, root: &Path, name: &str) -> Result<PathBuf> {
        let directory = root.join(name);
        fs::create_dir(&directory).with_context(|| format!("create {}", directory.display()))?;
        self.directories.push(directory.clone());
        Ok(directory)
    }

    /// The command that runs a program in it.
    pub fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(ENTER).arg("enter");
        let files = self.directories.iter();
        command.args(files.map(|directory| directory.join("cgroup.procs")));
        command.arg("--").arg(program).args(arguments);
        command
    }
}

impl Drop for MemoryCgroup {
    fn drop(&mut self) {
        for directory in &self.directories {
            let gone = || Ok(fs::remove_dir(directory)?);
            if let Err(error) = eventually(Duration::from_secs(2), gone) {
                eprintln!("{} stays behind: {error:#}", directory.display());
            }
        }
    }
}

/// Whether directories of this version 2 tree have the controller of memory; it is handed down
/// where it is there and nobody has.
fn has_memory(root: &Path) -> Result<bool> {
    let has = |file: &str| -> Result<bool> {
        let text = fs::read_to_string(root.join(file))?;
        Ok(text.split_whitespace().any(|name| name == "memory"))
    };
    if !has("cgroup.controllers")? {
        return Ok(false);
    }
    if !has("cgroup.subtree_control")? {
        fs::write(root.join("cgroup.subtree_control"), "+memory")?;
    }
    ensure!(has("cgroup.subtree_control")?, "memory is not handed down");
    Ok(true)
}

fn write(directory: &Path, file: &str, value: u64) -> Result<()> {
    let path = directory.join(file);
    fs::write(&path, value.to_string()).with_context(|| format!("write {}", path.display()))
}

/// Kernels without swap lack the file.
fn write_if_there(directory: &Path, file: &str, value: u64) -> Result<()> {
    if directory.join(file).is_file() {
        write(directory, file, value)?;
    }
    Ok(())
}
