//! What the agent says of each unit, look by look.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::cgroup::{pattern, unit_name};
use crate::shell;

/// What the client prints of one verdict; the rest is not needed here.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Verdict {
    target: Target,
    #[serde(default)]
    pub(super) state: String,
    #[serde(default)]
    pub(super) slope_bytes_per_hour: f64,
    /// A number of 64 bits is a string in proto3's JSON.
    #[serde(default)]
    anon_bytes: String,
    #[serde(default)]
    pub(super) time_to_limit_seconds: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
struct Target {
    #[serde(default)]
    unit: String,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    verdicts: Vec<Verdict>,
}

/// Everything that was said so far.
pub(super) struct Watch {
    client: PathBuf,
    said: BTreeMap<String, Vec<Verdict>>,
}

impl Watch {
    pub(super) fn new(client: &Path) -> Self {
        Self {
            client: client.to_path_buf(),
            said: BTreeMap::new(),
        }
    }

    pub(super) fn look(&mut self) -> Result<()> {
        let mut ask = Command::new(&self.client);
        ask.args(["verdict", "--format", "json", "--limit", "1000"])
            .args(["--cgroup", &pattern()]);
        let answer: Answer =
            serde_json::from_str(&shell::output(&mut ask)?).context("read the verdicts")?;
        for verdict in answer.verdicts {
            let unit = verdict.target.unit.clone();
            self.said.entry(unit).or_default().push(verdict);
        }
        Ok(())
    }

    /// Of one program, the latest last.
    pub(super) fn said(&self, program: &str) -> &[Verdict] {
        self.said
            .get(&unit_name(program))
            .map_or(&[], Vec::as_slice)
    }
}

impl Verdict {
    pub(super) fn anon_bytes(&self) -> u64 {
        self.anon_bytes.parse().unwrap_or(0)
    }

    /// As people call it.
    pub(super) fn state(&self) -> String {
        let name = self.state.trim_start_matches("VERDICT_STATE_");
        name.to_lowercase().replace('_', "-")
    }

    pub(super) fn says_leak(&self) -> bool {
        ["leaking", "sawtooth-leak", "restart-masked-leak"].contains(&&*self.state())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_client_prints() {
        let text = r#"{"verdicts":[{"target":{"unit":"corpus-a.service"},"anonBytes":"4096",
            "state":"VERDICT_STATE_SAWTOOTH_LEAK","slopeBytesPerHour":12.5}]}"#;
        let answer: Answer = serde_json::from_str(text).unwrap();
        let verdict = &answer.verdicts[0];
        assert_eq!(verdict.state(), "sawtooth-leak");
        assert!(verdict.says_leak());
        assert_eq!(verdict.anon_bytes(), 4096);
    }
}
