//! The command line, the environment behind it, and the file below both.

use std::path::PathBuf;

use serde::Deserialize;

/// Takes what agents stream, keeps it, and answers for the whole fleet.
///
/// Started without arguments it listens on loopback and keeps everything in one file. Agents are
/// pointed at it with `profiler-agent --collector http://127.0.0.1:7751`; `profiler --endpoint
/// http://127.0.0.1:7751` asks it; the pages are on http://127.0.0.1:7752.
#[derive(Clone, Debug, Default, clap::Parser)]
#[command(name = "profiler-collector", version)]
pub struct Args {
    /// How to run.
    #[command(flatten)]
    pub options: Options,
    /// What to do instead of running.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the collector can do besides running.
#[derive(Clone, Debug, PartialEq, Eq, clap::Subcommand)]
pub enum Command {
    /// Look through the whole store and say what is damaged; exit code 1 if something is
    Check {
        /// Print the report as JSON
        #[arg(long)]
        json: bool,
    },
    /// Copy the store to a new file, while a collector may be using it
    Backup {
        /// The file to make; it must not be there
        to: PathBuf,
    },
    /// Check the configuration, or print the default one with its documentation
    Config {
        /// Print the default configuration file
        #[arg(long)]
        default: bool,
    },
}

/// Settings as given by flags, PROFILER_COLLECTOR_* variables, or the file; see
/// `config/default.toml` for each.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Configuration file [default: /etc/profiler/collector.toml, if it is there]
    #[arg(
        long,
        global = true,
        env = "PROFILER_COLLECTOR_CONFIG",
        value_name = "FILE"
    )]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Address for agents and questions over gRPC [default: 127.0.0.1:7751]
    #[arg(long, env = "PROFILER_COLLECTOR_LISTEN", value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Address of the web pages and /metrics, "" for none [default: 127.0.0.1:7752]
    #[arg(long, env = "PROFILER_COLLECTOR_WEB", value_name = "ADDRESS:PORT")]
    pub web: Option<String>,
    /// A file, or the address of a ClickHouse server with the database:
    /// http://host:8123/profiler [default: /var/lib/profiler/collector.db]
    #[arg(
        long,
        global = true,
        env = "PROFILER_COLLECTOR_STORE",
        value_name = "FILE|URL"
    )]
    pub store: Option<String>,
    /// User at the ClickHouse server
    #[arg(
        long,
        global = true,
        env = "PROFILER_COLLECTOR_CLICKHOUSE_USER",
        value_name = "NAME"
    )]
    pub clickhouse_user: Option<String>,
    /// File with that user's password
    #[arg(
        long,
        global = true,
        env = "PROFILER_COLLECTOR_CLICKHOUSE_PASSWORD_FILE",
        value_name = "FILE"
    )]
    pub clickhouse_password_file: Option<PathBuf>,
    /// Authorities that may have signed that server's certificate, PEM; those of this host if none
    #[arg(
        long,
        global = true,
        env = "PROFILER_COLLECTOR_CLICKHOUSE_CA",
        value_name = "FILE"
    )]
    pub clickhouse_ca: Option<PathBuf>,
    /// Speak http:// with a ClickHouse server on another host: all can be read on the way
    #[arg(
        long,
        global = true,
        env = "PROFILER_COLLECTOR_CLICKHOUSE_PLAINTEXT",
        num_args = 0..=1,
        default_missing_value = "true"
    )]
    pub clickhouse_plaintext: Option<bool>,
    /// For how long every batch is kept [default: 2h]
    #[arg(long, env = "PROFILER_COLLECTOR_KEEP_FULL", value_name = "TIME")]
    pub keep_full: Option<String>,
    /// Up to which age one batch a minute is kept [default: 24h]
    #[arg(long, env = "PROFILER_COLLECTOR_KEEP_MINUTES", value_name = "TIME")]
    pub keep_minutes: Option<String>,
    /// Up to which age one in 15 minutes is kept [default: 7d]
    #[arg(long, env = "PROFILER_COLLECTOR_KEEP_QUARTERS", value_name = "TIME")]
    pub keep_quarters: Option<String>,
    /// Up to which age one in 3 hours is kept; older ones go [default: 30d]
    #[arg(long, env = "PROFILER_COLLECTOR_KEEP", value_name = "TIME")]
    pub keep: Option<String>,
    /// How long OOM kills and changes of verdicts are kept, at least as long as batches
    /// [default: 90d]
    #[arg(long, env = "PROFILER_COLLECTOR_KEEP_EVENTS", value_name = "TIME")]
    pub keep_events: Option<String>,
    /// Size of the store from which on the oldest batches go before their time [default: 20GiB]
    #[arg(long, env = "PROFILER_COLLECTOR_STORE_BYTES", value_name = "SIZE")]
    pub store_bytes: Option<String>,
    /// Certificate chain, PEM: with it both listeners speak TLS
    #[arg(long, env = "PROFILER_COLLECTOR_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Its key, PEM
    #[arg(long, env = "PROFILER_COLLECTOR_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Authorities of client certificates: agents have to show one
    #[arg(long, env = "PROFILER_COLLECTOR_TLS_CLIENT_CA", value_name = "FILE")]
    pub tls_client_ca: Option<PathBuf>,
    /// Bearer tokens of those who ask, one a line; a client certificate does as well
    #[arg(long, env = "PROFILER_COLLECTOR_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Bearer tokens of agents, one a line; a client certificate does as well
    #[arg(
        long,
        env = "PROFILER_COLLECTOR_INGEST_TOKEN_FILE",
        value_name = "FILE"
    )]
    pub ingest_token_file: Option<PathBuf>,
    /// Listen on other addresses than loopback without TLS: everything is readable on the way
    #[arg(
        long,
        env = "PROFILER_COLLECTOR_INSECURE_LISTEN",
        num_args = 0..=1,
        default_missing_value = "true"
    )]
    pub insecure_listen: Option<bool>,
    /// Agents that may be connected at one time [default: 2000]
    #[arg(long, env = "PROFILER_COLLECTOR_STREAMS", value_name = "NUMBER")]
    pub streams: Option<u32>,
    /// Rows of growth that one question may read [default: 8000000]
    #[arg(long, env = "PROFILER_COLLECTOR_QUERY_ROWS", value_name = "NUMBER")]
    pub query_rows: Option<u64>,
    /// Receiver of OTLP Profiles over gRPC, https://HOST:PORT or http://HOST:PORT, "" for none
    /// [default: none]
    #[arg(long, env = "PROFILER_COLLECTOR_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// Authorities that may have signed its certificate, PEM; those of this host if none
    #[arg(long, env = "PROFILER_COLLECTOR_OTLP_CA", value_name = "FILE")]
    pub otlp_ca: Option<PathBuf>,
    /// Headers for each request to it, one "key: value" a line
    #[arg(long, env = "PROFILER_COLLECTOR_OTLP_HEADER_FILE", value_name = "FILE")]
    pub otlp_header_file: Option<PathBuf>,
    /// How often profiles are sent to it [default: 60s]
    #[arg(long, env = "PROFILER_COLLECTOR_OTLP_INTERVAL", value_name = "TIME")]
    pub otlp_interval: Option<String>,
    /// Speak http:// with a receiver on another host: all can be read on the way
    #[arg(
        long,
        env = "PROFILER_COLLECTOR_OTLP_PLAINTEXT",
        num_args = 0..=1,
        default_missing_value = "true"
    )]
    pub otlp_plaintext: Option<bool>,
    /// error, warn, info, debug or trace [default: info]
    #[arg(
        long,
        global = true,
        env = "PROFILER_COLLECTOR_LOG",
        value_name = "LEVEL"
    )]
    pub log: Option<String>,
}

impl Options {
    /// Fills what is not given from the layer below.
    pub(super) fn put_above(&mut self, below: Self) {
        macro_rules! fill {
            ($($key:ident),*) => {
                $(if self.$key.is_none() { self.$key = below.$key; })*
            };
        }
        fill!(
            listen,
            web,
            store,
            clickhouse_user,
            clickhouse_password_file,
            clickhouse_ca,
            clickhouse_plaintext,
            keep_full,
            keep_minutes,
            keep_quarters,
            keep,
            keep_events,
            store_bytes,
            tls_cert,
            tls_key,
            tls_client_ca,
            token_file,
            ingest_token_file,
            insecure_listen,
            streams,
            query_rows,
            otlp_endpoint,
            otlp_ca,
            otlp_header_file,
            otlp_interval,
            otlp_plaintext,
            log
        );
    }
}
