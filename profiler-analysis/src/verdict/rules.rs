//! Every threshold.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Thresholds that can be chosen. The others stand beside the gates they belong to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// The shortest window. Ages and spans are multiples of it.
    pub window: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(60),
        }
    }
}

impl Rules {
    /// The shortest window, at least 1 ns.
    pub(super) fn nanoseconds(&self) -> u64 {
        u64::try_from(self.window.as_nanos())
            .unwrap_or(u64::MAX)
            .max(1)
    }
}
