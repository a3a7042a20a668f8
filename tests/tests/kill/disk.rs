//! A small disk of its own, that can be filled.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

/// A mounted tmpfs; unmounted at the end.
pub(crate) struct Disk {
    path: PathBuf,
}

impl Disk {
    /// Mounts one of so many MiB at `path`, which is made. Needs root.
    pub(crate) fn mount(path: &Path, mebibytes: u32) -> Result<Self> {
        fs::create_dir_all(path)?;
        let options = std::ffi::CString::new(format!("size={mebibytes}m"))?;
        mount("tmpfs", path, "tmpfs", MountFlags::NODEV, Some(&*options))
            .with_context(|| format!("mount a tmpfs at {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Fills what is free, until the value goes.
    pub(crate) fn fill(&self) -> Result<Full> {
        let path = self.path.join("filler");
        let mut file = File::create(&path)?;
        let piece = vec![0; 64 << 10];
        for size in [piece.len(), 4096, 1] {
            while file.write_all(&piece[..size]).is_ok() {}
        }
        match file.write(&[0]) {
            Err(error) if error.kind() == ErrorKind::StorageFull => Ok(Full(path)),
            other => anyhow::bail!("the disk is not full: {other:?}"),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Nobody uses it any more; what is left at worst is an empty mount.
        let _ = unmount(&self.path, UnmountFlags::DETACH);
    }
}

/// A filled disk.
pub(crate) struct Full(PathBuf);

impl Drop for Full {
    fn drop(&mut self) {
        // Else the test finds the disk full and says so.
        let _ = fs::remove_file(&self.0);
    }
}
