//! The file: TOML, every key optional, no others.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::ConfigError;
use super::values::{Address, Size, Span};

/// Longest file that is read.
const FILE_MAX: u64 = 1 << 20;
/// Longest key that an error shows.
const KEY_MAX: usize = 64;

/// Level of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the usual names")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    /// As filters of the log write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How the kernel is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Plan {
    /// The best way that this kernel allows.
    Auto,
    /// fexit on the entry points of system calls, or nothing.
    Fexit,
    /// Tracepoints at the exit of system calls, or nothing.
    Tracepoint,
}

/// The file as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile {
    pub(super) listen: Option<Spanned<Address>>,
    pub(super) insecure_listen: Option<Spanned<bool>>,
    pub(super) tls_cert: Option<Spanned<PathBuf>>,
    pub(super) tls_key: Option<Spanned<PathBuf>>,
    pub(super) tls_client_ca: Option<Spanned<PathBuf>>,
    pub(super) token_file: Option<Spanned<PathBuf>>,
    pub(super) socket: Option<Spanned<String>>,
    pub(super) log: Option<Spanned<LogLevel>>,
    pub(super) plan: Option<Spanned<Plan>>,
    pub(super) capture_interval: Option<Spanned<Size>>,
    pub(super) capture_budget: Option<Spanned<u32>>,
    pub(super) event_ring: Option<Spanned<Size>>,
    pub(super) capture_ring: Option<Spanned<Size>>,
    pub(super) snapshot_interval: Option<Spanned<Span>>,
    pub(super) history_fine: Option<Spanned<Span>>,
    pub(super) history_coarse: Option<Spanned<Span>>,
    pub(super) history_budget: Option<Spanned<Size>>,
    pub(super) node: Option<Spanned<String>>,
    pub(super) labels: Option<Spanned<BTreeMap<String, String>>>,
    pub(super) collectors: Option<Spanned<Vec<String>>>,
    pub(super) insecure_collector: Option<Spanned<bool>>,
    pub(super) collector_ca: Option<Spanned<PathBuf>>,
    pub(super) collector_cert: Option<Spanned<PathBuf>>,
    pub(super) collector_key: Option<Spanned<PathBuf>>,
    pub(super) collector_token_file: Option<Spanned<PathBuf>>,
    pub(super) spool: Option<Spanned<PathBuf>>,
    pub(super) spool_bytes: Option<Spanned<Size>>,
    pub(super) spool_age: Option<Spanned<Span>>,
    pub(super) http: Option<Spanned<Address>>,
    pub(super) verdict_window: Option<Spanned<Span>>,
    pub(super) state: Option<Spanned<String>>,
    pub(super) health_share: Option<Spanned<u32>>,
    pub(super) health_lead: Option<Spanned<Span>>,
    #[serde(default)]
    pub(super) filter: RawFilter,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawFilter {
    pub(super) include: RawRules,
    pub(super) exclude: RawRules,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRules {
    pub(super) containers: Option<Spanned<Vec<String>>>,
    pub(super) cgroups: Option<Spanned<Vec<String>>>,
    pub(super) processes: Option<Spanned<Vec<String>>>,
    pub(super) pids: Option<Spanned<Vec<u32>>>,
}

/// A file that was read, and the lines that its values stand on.
#[derive(Clone, Debug, Default)]
pub(super) struct Document {
    pub(super) path: PathBuf,
    text: String,
    pub(super) raw: RawFile,
}

impl Document {
    /// Reads a file. One that is not there is fine unless it was asked for.
    pub(super) fn read(path: &Path, required: bool) -> Result<Option<Self>, ConfigError> {
        let refuse = |reason: String| ConfigError::Unreadable {
            path: path.to_owned(),
            reason,
        };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !required => return Ok(None),
            Err(error) => return Err(refuse(error.to_string())),
        };
        let mut text = String::new();
        file.take(FILE_MAX + 1)
            .read_to_string(&mut text)
            .map_err(|error| refuse(error.to_string()))?;
        if text.len() as u64 > FILE_MAX {
            return Err(refuse(format!("it is longer than {FILE_MAX} bytes")));
        }
        Self::parse(path, text).map(Some)
    }

    pub(super) fn parse(path: &Path, text: String) -> Result<Self, ConfigError> {
        let raw = toml::from_str(&text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            ConfigError::Value {
                place: place(path, &text, start),
                key: key_at(&text, start),
                reason: error.message().trim().to_owned(),
            }
        })?;
        Ok(Self {
            path: path.to_owned(),
            text,
            raw,
        })
    }

    /// `file:line` of a value.
    pub(super) fn place(&self, start: usize) -> String {
        place(&self.path, &self.text, start)
    }
}

fn place(path: &Path, text: &str, start: usize) -> String {
    let before = text.get(..start).unwrap_or(text);
    let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
    format!("{}:{line}", path.display())
}

/// What stands in front of the `=` on the line of an error.
fn key_at(text: &str, start: usize) -> String {
    let before = text.get(..start).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = text[line_start..].lines().next().unwrap_or("");
    let key = line.split('=').next().unwrap_or("").trim();
    key.chars().take(KEY_MAX).collect()
}
