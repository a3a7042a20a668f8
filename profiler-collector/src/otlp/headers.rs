//! Metadata of requests from a file, such as a token or a tenant.

use std::{fs::File, io::Read as _, path::Path};

use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue, MetadataMap};

/// Longer files hold something else.
const FILE_MAX: u64 = 64 << 10;

/// Reads lines "key: value"; empty lines and those that begin with # say nothing. It is read for
/// each request, so that a new token serves the next one.
///
/// # Errors
/// The file and the line that cannot be used, without its value.
pub(super) fn read(path: &Path) -> Result<MetadataMap, String> {
    let text = contents(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut headers = MetadataMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((key, value)) = header(line) else {
            return Err(format!(
                "{}: line {number} is no header, such as \"x-scope-orgid: shop\"",
                path.display()
            ));
        };
        headers.append(key, value);
    }
    Ok(headers)
}

fn contents(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let mut file = File::open(path)?.take(FILE_MAX + 1);
    file.read_to_string(&mut text)?;
    if text.len() as u64 > FILE_MAX {
        return Err(std::io::Error::other(format!(
            "longer than {FILE_MAX} bytes"
        )));
    }
    Ok(text)
}

fn header(line: &str) -> Option<(AsciiMetadataKey, AsciiMetadataValue)> {
    let (key, value) = line.split_once(':')?;
    let key = key.trim().to_ascii_lowercase();
    // Those have a meaning of their own in gRPC.
    if key.starts_with("grpc-") || key == "content-type" || key == "te" {
        return None;
    }
    let key = AsciiMetadataKey::from_bytes(key.as_bytes()).ok()?;
    let mut value: AsciiMetadataValue = value.trim().parse().ok()?;
    value.set_sensitive(true);
    Some((key, value))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read_text(text: &str) -> Result<MetadataMap, String> {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        read(file.path())
    }

    #[test]
    fn lines_become_metadata() {
        let read = read_text("# of the shop\nX-Scope-OrgID: shop\n\nauthorization:Bearer a:b\n");
        let read = read.expect("headers");
        assert_eq!(read.len(), 2);
        assert_eq!(read.get("x-scope-orgid").expect("a tenant"), "shop");
        assert_eq!(read.get("authorization").expect("a token"), "Bearer a:b");
    }

    #[test]
    fn what_is_no_header_is_refused_without_being_told() {
        for line in [
            "secret",
            "a b: secret",
            "te: secret",
            "x-bin: secret",
            "k: secret\u{1}",
        ] {
            let error = read_text(&format!("k: v\n{line}\n")).expect_err(line);
            assert!(
                error.contains("line 2") && !error.contains("secret"),
                "{error}"
            );
        }
        let long = "x".repeat(FILE_MAX as usize + 1);
        assert!(read_text(&long).expect_err("refused").contains("longer"));
        assert!(read(Path::new("/nonexistent")).is_err());
    }
}
