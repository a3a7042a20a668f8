//! What a container's mounts say, as anyone may write it who mounts things.

/// Looks for what its root is made of.
pub fn mounts(mountinfo: &str) {
    let _ = super::origin::root_of(mountinfo);
}
