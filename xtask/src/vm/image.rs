//! Takes the uncompressed kernel out of a bzImage, so that the slow guest need not.

use std::{fs, io::Write as _, path::Path, process::Command, process::Stdio};

use anyhow::{Context as _, Result, bail};

/// Fields of the x86 boot protocol's setup header.
const SETUP_SECTORS: usize = 0x1f1;
const MAGIC: usize = 0x202;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;
const SECTOR: usize = 512;

/// Writes the kernel in `bz_image` to `vmlinux`.
pub(crate) fn extract(bz_image: &Path, vmlinux: &Path) -> Result<()> {
    let image = fs::read(bz_image).with_context(|| format!("read {}", bz_image.display()))?;
    let payload = payload(&image).context("this is not a bzImage that can be read")?;
    let program = decompressor(payload).context("the kernel is packed in an unknown way")?;
    let mut child = Command::new(program)
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("start {program}"))?;
    let mut stdin = child.stdin.take().context("no input")?;
    // The packed kernel is followed by its size, at which the programs stop or complain: what
    // counts is what came out.
    let packed = payload.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&packed));
    let kernel = child.wait_with_output()?.stdout;
    writer.join().ok();
    if !kernel.starts_with(b"\x7fELF") {
        bail!(
            "{program} did not unpack a kernel from {}",
            bz_image.display()
        );
    }
    fs::write(vmlinux, kernel).with_context(|| format!("write {}", vmlinux.display()))
}

fn payload(image: &[u8]) -> Option<&[u8]> {
    if image.get(MAGIC..MAGIC + 4)? != b"HdrS" {
        return None;
    }
    let sectors = usize::from(*image.get(SETUP_SECTORS)?);
    let start = (sectors + 1) * SECTOR + word(image, PAYLOAD_OFFSET)?;
    image.get(start..start.checked_add(word(image, PAYLOAD_LENGTH)?)?)
}

fn word(image: &[u8], at: usize) -> Option<usize> {
    let bytes = image.get(at..at + 4)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}

/// The program that unpacks what begins like this.
fn decompressor(payload: &[u8]) -> Option<&'static str> {
    const KNOWN: &[(&[u8], &str)] = &[
        (b"\x1f\x8b", "gzip"),
        (b"\xfd7zXZ\0", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\x02\x21\x4c\x18", "lz4"),
    ];
    KNOWN
        .iter()
        .find(|(magic, _)| payload.starts_with(magic))
        .map(|(_, program)| *program)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(payload: &[u8], length: u32) -> Vec<u8> {
        let mut image = vec![0; 3 * SECTOR + 16];
        image[SETUP_SECTORS] = 2;
        image[MAGIC..MAGIC + 4].copy_from_slice(b"HdrS");
        image[PAYLOAD_OFFSET..PAYLOAD_OFFSET + 4].copy_from_slice(&16_u32.to_le_bytes());
        image[PAYLOAD_LENGTH..PAYLOAD_LENGTH + 4].copy_from_slice(&length.to_le_bytes());
        image.extend_from_slice(payload);
        image
    }

    #[test]
    fn the_payload_is_found_by_the_header() {
        let image = image(b"\x1f\x8bkernel", 8);
        assert_eq!(payload(&image), Some(&b"\x1f\x8bkernel"[..]));
        assert_eq!(decompressor(b"\x1f\x8bkernel"), Some("gzip"));
    }

    #[test]
    fn a_header_that_lies_is_refused() {
        assert_eq!(payload(&image(b"short", 6)), None);
        assert_eq!(payload(&image(b"short", u32::MAX)), None);
        assert_eq!(payload(b"\x7fELF"), None);
    }
}
