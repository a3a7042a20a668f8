//! The kernel's description of its types, as anything but a kernel would write it.

use super::btf::Types;

/// Looks for a field.
pub fn btf(bytes: &[u8], structure: &str, path: &[&str]) {
    if let Ok(types) = Types::parse(bytes.to_vec()) {
        let _ = types.offset(structure, path);
    }
}
