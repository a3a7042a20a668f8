//! Many processes that do nothing, to be observed.

use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};

/// Sleeping processes; they end when this value goes.
pub(crate) struct Crowd(Vec<Child>);

impl Crowd {
    pub(crate) fn gather(count: usize) -> Result<Self> {
        let mut crowd = Self(Vec::with_capacity(count));
        for _ in 0..count {
            let child = Command::new("sleep")
                .arg("600")
                .stdin(Stdio::null())
                .spawn()
                .context("start `sleep`")?;
            crowd.0.push(child);
        }
        Ok(crowd)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for child in &mut self.0 {
            child.kill().ok();
            child.wait().ok();
        }
    }
}
