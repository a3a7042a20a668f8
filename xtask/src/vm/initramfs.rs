//! Writes a cpio archive in the format that the kernel unpacks ("newc").

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::shell;

const DIRECTORY: u32 = 0o040_755;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_777;
const CONSOLE: u32 = 0o020_600;

/// An archive under construction.
#[derive(Default)]
pub(crate) struct Archive {
    bytes: Vec<u8>,
    entries: u32,
    names: BTreeSet<PathBuf>,
}

impl Archive {
    /// Adds a directory, with those above it. Paths are those of the guest.
    pub(crate) fn directory(&mut self, path: &Path) -> Result<()> {
        let ancestors: Vec<&Path> = path.ancestors().collect();
        for ancestor in ancestors.into_iter().rev() {
            if ancestor.parent().is_some() && self.names.insert(ancestor.to_path_buf()) {
                self.entry(ancestor, DIRECTORY, (0, 0), &[])?;
            }
        }
        Ok(())
    }

    /// Adds a file.
    pub(crate) fn file(&mut self, path: &Path, mode: u32, content: &[u8]) -> Result<()> {
        self.directory(path.parent().unwrap_or(Path::new("/")))?;
        if self.names.insert(path.to_path_buf()) {
            self.entry(path, FILE | (mode & 0o777), (0, 0), content)?;
        }
        Ok(())
    }

    /// Adds a symbolic link.
    pub(crate) fn link(&mut self, path: &Path, target: &str) -> Result<()> {
        self.directory(path.parent().unwrap_or(Path::new("/")))?;
        if self.names.insert(path.to_path_buf()) {
            self.entry(path, LINK, (0, 0), target.as_bytes())?;
        }
        Ok(())
    }

    /// Adds the device that init writes to before anything is mounted.
    pub(crate) fn console(&mut self) -> Result<()> {
        self.directory(Path::new("/dev"))?;
        self.entry(Path::new("/dev/console"), CONSOLE, (5, 1), &[])
    }

    /// Copies a file of this machine.
    pub(crate) fn copy(&mut self, from: &Path, to: &Path) -> Result<()> {
        let content = fs::read(from).with_context(|| format!("read {}", from.display()))?;
        let mode = fs::metadata(from)?.permissions().mode();
        self.file(to, mode, &content)
    }

    /// Copies a program and the libraries that it is linked with.
    pub(crate) fn program(&mut self, from: &Path, to: &Path) -> Result<()> {
        self.copy(from, to)?;
        let listing = shell::probe(Command::new("ldd").arg(from)).unwrap_or_default();
        for library in libraries(&listing) {
            self.copy(&library, &library)?;
        }
        Ok(())
    }

    /// Copies every file below a directory; programs come with their libraries.
    pub(crate) fn tree(&mut self, from: &Path, to: &Path) -> Result<()> {
        self.directory(to)?;
        let entries = fs::read_dir(from).with_context(|| format!("read {}", from.display()))?;
        for entry in entries {
            let entry = entry?;
            let target = to.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                self.tree(&entry.path(), &target)?;
            } else {
                self.program(&entry.path(), &target)?;
            }
        }
        Ok(())
    }

    /// The archive, with its end mark.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>> {
        self.raw_entry("TRAILER!!!", 0, (0, 0), &[])?;
        Ok(self.bytes)
    }

    fn entry(&mut self, path: &Path, mode: u32, device: (u32, u32), content: &[u8]) -> Result<()> {
        let name = path
            .strip_prefix("/")
            .unwrap_or(path)
            .to_str()
            .with_context(|| format!("{} is not UTF-8", path.display()))?;
        self.raw_entry(name, mode, device, content)
    }

    fn raw_entry(
        &mut self,
        name: &str,
        mode: u32,
        device: (u32, u32),
        content: &[u8],
    ) -> Result<()> {
        self.entries += 1;
        let size = u32::try_from(content.len()).context("a file is too large for the archive")?;
        let name_size = u32::try_from(name.len() + 1).context("a name is too long")?;
        let fields = [
            self.entries, // inode
            mode,
            0, // user
            0, // group
            1, // links
            0, // time
            size,
            0, // device of the file system
            0,
            device.0,
            device.1,
            name_size,
            0, // checksum
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes
                .extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
        Ok(())
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// The files in what `ldd` says.
fn libraries(listing: &str) -> Vec<PathBuf> {
    listing
        .lines()
        .filter_map(|line| {
            let (before, _) = line.split_once(" (0x")?;
            let path = before.rsplit_once("=> ").map_or(before, |(_, path)| path);
            let path = path.trim();
            path.starts_with('/').then(|| PathBuf::from(path))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_the_files_that_are_mapped() {
        let listing = "\tlinux-vdso.so.1 (0x00007ffe)\n\
                       \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n\
                       \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n\
                       \tlibgone.so => not found\n";
        assert_eq!(
            libraries(listing),
            [
                PathBuf::from("/lib/x86_64-linux-gnu/libc.so.6"),
                PathBuf::from("/lib64/ld-linux-x86-64.so.2")
            ]
        );
        assert!(libraries("\tnot a dynamic executable\n").is_empty());
    }

    #[test]
    fn entries_are_aligned_and_directories_come_first_and_once() {
        let mut archive = Archive::default();
        archive.file(Path::new("/a/b"), 0o755, b"12345").unwrap();
        archive.file(Path::new("/a/c"), 0o644, b"").unwrap();
        let bytes = archive.finish().unwrap();
        assert_eq!(bytes.len() % 4, 0);
        let text = String::from_utf8_lossy(&bytes);
        let names: Vec<&str> = text
            .split("070701")
            .skip(1)
            .filter_map(|entry| entry[104..].split('\0').next())
            .collect();
        assert_eq!(names, ["a", "a/b", "a/c", "TRAILER!!!"]);
    }
}
