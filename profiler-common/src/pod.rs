//! Marks what may be copied to and from BPF maps as plain bytes.

use crate::{
    config::{ProcessEntry, Settings},
    socket::SocketEntry,
};

// SAFETY: `repr(C)`, integers only, no padding (sizes asserted beside the type).
unsafe impl aya::Pod for ProcessEntry {}
// SAFETY: as above.
unsafe impl aya::Pod for Settings {}
// SAFETY: as above.
unsafe impl aya::Pod for SocketEntry {}
