//! Settings: flags over environment over file over defaults, checked once into one value.

mod access;
mod check;
mod collector;
mod file;
mod lists;
mod node;
mod options;
mod values;
mod verdicts;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;

pub use collector::{Collectors, Endpoint};
pub use file::{LogLevel, Plan};
pub use options::{Args, Command, Options};
pub use values::{Address, Label, Size, Span, ValueError};
pub use verdicts::Verdicts;

use crate::export::Access;
use crate::filter::FilterSpec;
use check::{any_listener, bytes, captures, default_socket, ring_size, socket_path, time};
use file::Document;

/// The file that is read when none is named.
pub const DEFAULT_PATH: &str = "/etc/profiler/agent.toml";
/// The documented default configuration.
pub const DEFAULT_TOML: &str = include_str!("default.toml");

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Checked settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Address for queries, health and reflection.
    pub listen: Option<SocketAddr>,
    /// `listen` may be another address than loopback.
    pub insecure_listen: bool,
    /// Who may ask on `listen`.
    pub access: Access,
    /// Unix socket for the same.
    pub socket: Option<PathBuf>,
    /// Level of the log.
    pub log: LogLevel,
    /// How the kernel is watched.
    pub plan: Plan,
    /// Mean number of committed bytes between two captured stacks.
    pub capture_interval: u64,
    /// Captured stacks a second above which the interval is raised.
    pub capture_budget: u32,
    /// Bytes of the ring for events, a power of two.
    pub event_ring: u32,
    /// Bytes of the ring for captured stacks, a power of two.
    pub capture_ring: u32,
    /// Time between two snapshots.
    pub snapshot_interval: Duration,
    /// For how long every snapshot is kept.
    pub history_fine: Duration,
    /// For how long one snapshot a minute is kept.
    pub history_coarse: Duration,
    /// Most bytes of memory that the history takes.
    pub history_budget: u64,
    /// The node's name in answers; none: the host's.
    pub node: Option<String>,
    /// What the operator says of the node.
    pub labels: BTreeMap<String, String>,
    /// Where snapshots are streamed to.
    pub collectors: Collectors,
    /// Verdicts, and probes of health.
    pub verdicts: Verdicts,
    /// Which processes are observed.
    pub filter: FilterSpec,
    /// The file that was read, if one was.
    pub file: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 7741))),
            insecure_listen: false,
            access: Access::default(),
            socket: Some(PathBuf::from("/run/profiler/agent.sock")),
            log: LogLevel::Info,
            plan: Plan::Auto,
            capture_interval: 64 * KIB,
            capture_budget: 500,
            event_ring: 8 << 20,
            capture_ring: 8 << 20,
            snapshot_interval: Duration::from_secs(10),
            history_fine: Duration::from_secs(15 * 60),
            history_coarse: Duration::from_secs(6 * 3600),
            history_budget: 64 * MIB,
            node: None,
            labels: BTreeMap::new(),
            collectors: Collectors::default(),
            verdicts: Verdicts::default(),
            filter: FilterSpec::default(),
            file: None,
        }
    }
}

/// Settings that cannot be used: where they stand, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A key or value in it, or on the command line, cannot be used.
    #[error("{place}: {key}: {reason}")]
    Value {
        /// `file:line`, or the flag and its variable.
        place: String,
        /// The key.
        key: String,
        /// What is wrong, and what is allowed.
        reason: String,
    },
}

/// A value and the place it comes from.
struct Setting<T> {
    key: &'static str,
    value: T,
    place: String,
}

impl<T> Setting<T> {
    fn refuse(&self, reason: String) -> ConfigError {
        ConfigError::Value {
            place: self.place.clone(),
            key: self.key.to_owned(),
            reason,
        }
    }
}

/// Chooses between the layers.
struct Layers {
    document: Document,
}

impl Layers {
    fn pick<T>(
        &self,
        key: &'static str,
        flag: Option<T>,
        file: Option<Spanned<T>>,
        default: T,
    ) -> Setting<T> {
        let name = key.rsplit('.').next().unwrap_or(key);
        let (value, place) = match (flag, file) {
            (Some(value), _) => {
                let flag = format!(
                    "--{} or PROFILER_{}",
                    name.replace('_', "-"),
                    name.to_uppercase()
                );
                (value, flag)
            }
            (None, Some(spanned)) => {
                let place = self.document.place(spanned.span().start);
                (spanned.into_inner(), place)
            }
            (None, None) => (default, "default".to_owned()),
        };
        Setting { key, value, place }
    }
}

impl Config {
    /// Reads the file, if there is one, and puts the options above it.
    pub fn load(options: &Options) -> Result<Self, ConfigError> {
        let (path, required) = match &options.config {
            Some(path) => (path.as_path(), true),
            None => (Path::new(DEFAULT_PATH), false),
        };
        Self::resolve(options, Document::read(path, required)?)
    }

    fn resolve(options: &Options, document: Option<Document>) -> Result<Self, ConfigError> {
        let file = document.as_ref().map(|document| document.path.clone());
        let layers = Layers {
            document: document.unwrap_or_default(),
        };
        let (raw, d) = (&layers.document.raw, Self::default());
        /// The layers of one key, which has the same name in each.
        macro_rules! pick {
            ($key:ident, $default:expr) => {
                layers.pick(
                    stringify!($key),
                    options.$key.clone(),
                    raw.$key.clone(),
                    $default,
                )
            };
        }
        let insecure = options.insecure_listen.then_some(true);
        let insecure_listen = layers
            .pick(
                "insecure_listen",
                insecure,
                raw.insecure_listen.clone(),
                d.insecure_listen,
            )
            .value;
        let listen = pick!(listen, Address(d.listen));
        let socket = pick!(socket, default_socket(&d));
        any_listener(&listen, &socket)?;
        let (address, access) = access::access(&layers, options, &listen, insecure_listen)?;
        let event_ring = pick!(event_ring, Size(d.event_ring.into()));
        let capture_ring = pick!(capture_ring, Size(d.capture_ring.into()));
        let interval = pick!(capture_interval, Size(d.capture_interval));
        let snapshots = pick!(snapshot_interval, Span(d.snapshot_interval));
        let fine = pick!(history_fine, Span(d.history_fine));
        let coarse = pick!(history_coarse, Span(d.history_coarse));
        let history = pick!(history_budget, Size(d.history_budget));
        Ok(Self {
            listen: address,
            insecure_listen,
            access,
            socket: socket_path(&socket)?,
            log: pick!(log, d.log).value,
            plan: pick!(plan, d.plan).value,
            capture_interval: bytes(&interval, 4 * KIB..=GIB)?,
            capture_budget: captures(&pick!(capture_budget, d.capture_budget))?,
            event_ring: ring_size(&event_ring)?,
            capture_ring: ring_size(&capture_ring)?,
            snapshot_interval: time(&snapshots, 1..=600)?,
            history_fine: time(&fine, 60..=86_400)?,
            history_coarse: time(&coarse, 60..=30 * 86_400)?,
            history_budget: bytes(&history, MIB..=16 * GIB)?,
            node: node::name(&layers, options)?,
            labels: node::labels(&layers, options)?,
            collectors: collector::collectors(&layers, options)?,
            verdicts: verdicts::verdicts(&layers, options, insecure_listen)?,
            filter: lists::filter(&layers, options)?,
            file,
        })
    }
}

#[cfg(test)]
mod tests;
