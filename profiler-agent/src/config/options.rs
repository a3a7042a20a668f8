//! The command line, and the environment behind it.

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};

use super::file::{LogLevel, Plan};
use super::values::{Address, Label, Size, Span};

/// Watches the memory of every process and container of this host from the kernel.
#[derive(Clone, Debug, Default, clap::Parser)]
#[command(
    name = "profiler-agent",
    version,
    args_conflicts_with_subcommands = true
)]
pub struct Args {
    /// How to run.
    #[command(flatten)]
    pub options: Options,
    /// What to do instead of running.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the agent can do besides running.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Check the configuration, or print the default one with its documentation
    Config {
        /// Print the default configuration file
        #[arg(long)]
        default: bool,
        /// What to check.
        #[command(flatten)]
        options: Box<Options>,
    },
}

/// Settings as given by flags or PROFILER_* variables; see `config/default.toml` for each.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Options {
    /// Configuration file [default: /etc/profiler/agent.toml, if it is there]
    #[arg(long, env = "PROFILER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address for queries, "" for none; loopback, or with TLS [default: 127.0.0.1:7741]
    #[arg(long, env = "PROFILER_LISTEN", value_name = "ADDRESS:PORT")]
    pub listen: Option<Address>,
    /// Allow --listen elsewhere without TLS, certificates and tokens: whoever reaches it reads all
    #[arg(long, env = "PROFILER_INSECURE_LISTEN")]
    pub insecure_listen: bool,
    /// Certificate (PEM, with its chain) for --listen, which then speaks TLS [default: none]
    #[arg(long, env = "PROFILER_TLS_CERT", value_name = "FILE", value_parser = file())]
    pub tls_cert: Option<PathBuf>,
    /// Key of --tls-cert (PEM)
    #[arg(long, env = "PROFILER_TLS_KEY", value_name = "FILE", value_parser = file())]
    pub tls_key: Option<PathBuf>,
    /// CA of client certificates (PEM): those who ask need one, or a token [default: none]
    #[arg(long, env = "PROFILER_TLS_CLIENT_CA", value_name = "FILE", value_parser = file())]
    pub tls_client_ca: Option<PathBuf>,
    /// Bearer tokens, one a line: those who ask over TCP need one [default: none]
    #[arg(long, env = "PROFILER_TOKEN_FILE", value_name = "FILE", value_parser = file())]
    pub token_file: Option<PathBuf>,
    /// Unix socket for queries, "" for none [default: /run/profiler/agent.sock]
    #[arg(long, env = "PROFILER_SOCKET", value_name = "PATH")]
    pub socket: Option<String>,
    /// Level of the log [default: info]
    #[arg(long, env = "PROFILER_LOG", value_name = "LEVEL")]
    pub log: Option<LogLevel>,
    /// How the kernel is watched [default: auto]
    #[arg(long, env = "PROFILER_PLAN")]
    pub plan: Option<Plan>,
    /// Mean number of committed bytes between captured stacks [default: 64KiB]
    #[arg(long, env = "PROFILER_CAPTURE_INTERVAL", value_name = "SIZE")]
    pub capture_interval: Option<Size>,
    /// Captured stacks a second above which the interval is raised [default: 500]
    #[arg(long, env = "PROFILER_CAPTURE_BUDGET", value_name = "NUMBER")]
    pub capture_budget: Option<u32>,
    /// Ring buffer for events [default: 8MiB]
    #[arg(long, env = "PROFILER_EVENT_RING", value_name = "SIZE")]
    pub event_ring: Option<Size>,
    /// Ring buffer for captured stacks [default: 8MiB]
    #[arg(long, env = "PROFILER_CAPTURE_RING", value_name = "SIZE")]
    pub capture_ring: Option<Size>,
    /// Time between two snapshots [default: 10s]
    #[arg(long, env = "PROFILER_SNAPSHOT_INTERVAL", value_name = "TIME")]
    pub snapshot_interval: Option<Span>,
    /// For how long every snapshot is kept [default: 15min]
    #[arg(long, env = "PROFILER_HISTORY_FINE", value_name = "TIME")]
    pub history_fine: Option<Span>,
    /// For how long one snapshot a minute is kept [default: 6h]
    #[arg(long, env = "PROFILER_HISTORY_COARSE", value_name = "TIME")]
    pub history_coarse: Option<Span>,
    /// Most memory that the history takes [default: 64MiB]
    #[arg(long, env = "PROFILER_HISTORY_BUDGET", value_name = "SIZE")]
    pub history_budget: Option<Size>,
    /// Name of this node in answers [default: the host's name]
    #[arg(long, env = "PROFILER_NODE", value_name = "NAME")]
    pub node: Option<String>,
    /// What to say of this node besides, for example zone=eu-1 (repeatable)
    #[arg(
        long,
        env = "PROFILER_LABEL",
        value_delimiter = ',',
        value_name = "KEY=VALUE"
    )]
    pub label: Vec<Label>,
    /// Collector to stream to, http:// or https://; the others are tried in turn (repeatable)
    #[arg(
        long,
        env = "PROFILER_COLLECTOR",
        value_delimiter = ',',
        value_name = "URL"
    )]
    pub collector: Vec<String>,
    /// Allow http:// to other hosts: anyone on the way reads everything that is sent
    #[arg(long, env = "PROFILER_INSECURE_COLLECTOR")]
    pub insecure_collector: bool,
    /// Certificates (PEM) that collectors are checked against [default: the host's]
    #[arg(long, env = "PROFILER_COLLECTOR_CA", value_name = "FILE")]
    pub collector_ca: Option<PathBuf>,
    /// Certificate (PEM) that this agent shows to collectors
    #[arg(long, env = "PROFILER_COLLECTOR_CERT", value_name = "FILE")]
    pub collector_cert: Option<PathBuf>,
    /// Key (PEM) of that certificate
    #[arg(long, env = "PROFILER_COLLECTOR_KEY", value_name = "FILE")]
    pub collector_key: Option<PathBuf>,
    /// File with the bearer token that this agent shows to collectors
    #[arg(long, env = "PROFILER_COLLECTOR_TOKEN_FILE", value_name = "FILE")]
    pub collector_token_file: Option<PathBuf>,
    /// Directory for what no collector has yet [default: /var/lib/profiler/spool]
    #[arg(long, env = "PROFILER_SPOOL", value_name = "DIRECTORY")]
    pub spool: Option<PathBuf>,
    /// Most bytes on disk for it [default: 256MiB]
    #[arg(long, env = "PROFILER_SPOOL_BYTES", value_name = "SIZE")]
    pub spool_bytes: Option<Size>,
    /// For how long it is kept [default: 24h]
    #[arg(long, env = "PROFILER_SPOOL_AGE", value_name = "TIME")]
    pub spool_age: Option<Span>,
    /// Address for probes of health over HTTP, "" for none [default: 127.0.0.1:7742]
    #[arg(long, env = "PROFILER_HTTP", value_name = "ADDRESS:PORT")]
    pub http: Option<Address>,
    /// The shortest window that verdicts are made of; all times of theirs are multiples [default: 60s]
    #[arg(long, env = "PROFILER_VERDICT_WINDOW", value_name = "TIME")]
    pub verdict_window: Option<Span>,
    /// File for the state of verdicts, "" for none [default: /var/lib/profiler/verdicts.state]
    #[arg(long, env = "PROFILER_STATE", value_name = "FILE")]
    pub state: Option<String>,
    /// Percent of its limit above which what grows is unhealthy [default: 80]
    #[arg(long, env = "PROFILER_HEALTH_SHARE", value_name = "PERCENT")]
    pub health_share: Option<u32>,
    /// A forecast of the limit that is nearer is unhealthy [default: 30min]
    #[arg(long, env = "PROFILER_HEALTH_LEAD", value_name = "TIME")]
    pub health_lead: Option<Span>,
    /// Observe these containers only: prefix of an id, or "host" (repeatable)
    #[arg(
        long,
        env = "PROFILER_INCLUDE_CONTAINER",
        value_delimiter = ',',
        value_name = "ID"
    )]
    pub include_container: Vec<String>,
    /// Observe these cgroups only: path or pattern (repeatable)
    #[arg(long, env = "PROFILER_INCLUDE_CGROUP", value_name = "PATH")]
    pub include_cgroup: Vec<String>,
    /// Observe processes of these names only: name or pattern (repeatable)
    #[arg(long, env = "PROFILER_INCLUDE_PROCESS", value_name = "NAME")]
    pub include_process: Vec<String>,
    /// Observe these processes only (repeatable)
    #[arg(
        long,
        env = "PROFILER_INCLUDE_PID",
        value_delimiter = ',',
        value_name = "PID"
    )]
    pub include_pid: Vec<u32>,
    /// Leave these containers out (repeatable)
    #[arg(
        long,
        env = "PROFILER_EXCLUDE_CONTAINER",
        value_delimiter = ',',
        value_name = "ID"
    )]
    pub exclude_container: Vec<String>,
    /// Leave these cgroups out (repeatable)
    #[arg(long, env = "PROFILER_EXCLUDE_CGROUP", value_name = "PATH")]
    pub exclude_cgroup: Vec<String>,
    /// Leave processes of these names out (repeatable)
    #[arg(long, env = "PROFILER_EXCLUDE_PROCESS", value_name = "NAME")]
    pub exclude_process: Vec<String>,
    /// Leave these processes out (repeatable)
    #[arg(
        long,
        env = "PROFILER_EXCLUDE_PID",
        value_delimiter = ',',
        value_name = "PID"
    )]
    pub exclude_pid: Vec<u32>,
}

/// A path, or "" for none: without this, what the file says could not be taken back.
fn file() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}
