//! Settings: flags over environment over file over defaults, checked once into one value.

mod options;
mod otlp;
mod values;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

pub use options::{Args, Command, Options};

use crate::{fleet::CostLimits, ingest, store::Retention};
use values::{address, size, span};

/// The file that is read when none is named.
pub const DEFAULT_PATH: &str = "/etc/profiler/collector.toml";
/// The documented default configuration.
pub const DEFAULT_TOML: &str = include_str!("default.toml");

/// Where batches are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreAt {
    /// A file of the embedded engine.
    Sqlite(PathBuf),
    /// The HTTP interface of a ClickHouse server: `http://host:8123/database`.
    ClickHouse(String),
}

/// How to get at a ClickHouse server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClickHouseAccess {
    /// User, and the file with the password.
    pub login: Option<(String, PathBuf)>,
    /// Authorities that may have signed its certificate, PEM.
    pub ca: Option<PathBuf>,
    /// `http://` to another host is allowed.
    pub plaintext: bool,
}

/// Certificates and tokens; all of it is read again when the files change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// Certificate chain and key, PEM: with them both listeners speak TLS alone.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Authorities of client certificates, PEM.
    pub client_ca: Option<PathBuf>,
    /// Bearer tokens of people and programs that ask.
    pub tokens: Option<PathBuf>,
    /// Bearer tokens of agents.
    pub ingest_tokens: Option<PathBuf>,
    /// Listeners on other addresses than loopback may do without TLS.
    pub insecure: bool,
}

/// Checked settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address for Ingest, Query, health and reflection.
    pub listen: SocketAddr,
    /// Address of the web pages and `/metrics`; none: no pages.
    pub web: Option<SocketAddr>,
    /// Where batches are kept.
    pub store: StoreAt,
    /// How to get at a ClickHouse server.
    pub clickhouse: ClickHouseAccess,
    /// For how long, and how much.
    pub retention: Retention,
    /// Who may ask and send.
    pub security: Security,
    /// Bounds of ingest.
    pub ingest: ingest::Limits,
    /// What one question may read: rows of growth.
    pub query_rows: u64,
    /// Where profiles go over OTLP, if anywhere.
    pub otlp: Option<crate::otlp::Settings>,
    /// Level of the log.
    pub log: String,
}

impl Config {
    /// What one question may cost.
    pub(crate) fn cost_limits(&self) -> CostLimits {
        CostLimits {
            rows: self.query_rows,
            ..CostLimits::default()
        }
    }

    /// Reads the file, if there is one, and puts flags and variables above it.
    ///
    /// # Errors
    /// A value that cannot be used: where it stands, and what is allowed.
    pub fn load(options: &Options) -> Result<Self> {
        let file = match &options.config {
            Some(path) => Some((path.clone(), true)),
            None => Some((PathBuf::from(DEFAULT_PATH), false)),
        };
        let mut layers = options.clone();
        if let Some((path, required)) = file
            && let Some(below) = read(&path, required)?
        {
            layers.put_above(below);
        }
        resolve(layers)
    }
}

fn read(path: &Path, required: bool) -> Result<Option<Options>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => return Ok(None),
        Err(error) => {
            return Err(error)
                .with_context(|| format!("read the configuration {}", path.display()));
        }
    };
    let options = toml::from_str(&text);
    options
        .map(Some)
        .with_context(|| path.display().to_string())
}

fn resolve(options: Options) -> Result<Config> {
    let security = security(&options)?;
    let otlp = otlp::settings(&options)?;
    let d = Retention::default();
    let coarse = span("keep", options.keep, d.coarse)?;
    let retention = Retention {
        full: span("keep_full", options.keep_full, d.full)?,
        minutes: span("keep_minutes", options.keep_minutes, d.minutes)?,
        quarters: span("keep_quarters", options.keep_quarters, d.quarters)?,
        coarse,
        events: events(options.keep_events, coarse, d.events)?,
        bytes_max: size("store_bytes", options.store_bytes, d.bytes_max)?,
    };
    if !(retention.full <= retention.minutes
        && retention.minutes <= retention.quarters
        && retention.quarters <= retention.coarse)
    {
        bail!(
            "keep_full, keep_minutes, keep_quarters, keep: each is the age up to which batches are \
             kept that finely, so none may be longer than the one that follows it"
        );
    }
    let defaults = ingest::Limits::default();
    let streams = match options.streams {
        None => defaults.streams,
        Some(streams @ 1..=100_000) => streams as usize,
        Some(other) => bail!("streams: {other} is out of range: 1 to 100000 are allowed"),
    };
    Ok(Config {
        listen: address("listen", options.listen, "127.0.0.1:7751")?
            .context("listen: a collector without an address is of no use")?,
        web: address("web", options.web, "127.0.0.1:7752")?,
        store: store(options.store.as_deref())?,
        clickhouse: ClickHouseAccess {
            login: match (options.clickhouse_user, options.clickhouse_password_file) {
                (Some(user), Some(file)) => Some((user, file)),
                (None, None) => None,
                _ => bail!("clickhouse_user and clickhouse_password_file are of use together only"),
            },
            ca: options.clickhouse_ca,
            plaintext: options.clickhouse_plaintext.unwrap_or(false),
        },
        retention,
        security,
        ingest: ingest::Limits {
            streams,
            // A whole fleet with one token may come through one load balancer's address.
            streams_per_peer: defaults.streams_per_peer.max(streams / 2),
            ..defaults
        },
        query_rows: match options.query_rows {
            None => 8_000_000,
            Some(rows @ 1_000..) => rows,
            Some(other) => bail!("query_rows: {other} is too few for any answer: at least 1000"),
        },
        otlp,
        log: options.log.unwrap_or_else(|| "info".to_owned()),
    })
}

/// # Errors
/// They would go before the batches that they came with.
fn events(asked: Option<String>, keep: Duration, default: Duration) -> Result<Duration> {
    let events = span("keep_events", asked, default.max(keep))?;
    if events < keep {
        bail!("keep_events: OOM kills and verdicts are kept at least as long as batches (keep)");
    }
    Ok(events)
}

fn security(options: &Options) -> Result<Security> {
    let certificate = match (options.tls_cert.clone(), options.tls_key.clone()) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => bail!("tls_cert and tls_key are of use together only"),
    };
    if options.tls_client_ca.is_some() && certificate.is_none() {
        bail!("tls_client_ca needs tls_cert and tls_key: client certificates come with TLS");
    }
    Ok(Security {
        certificate,
        client_ca: options.tls_client_ca.clone(),
        tokens: options.token_file.clone(),
        ingest_tokens: options.ingest_token_file.clone(),
        insecure: options.insecure_listen.unwrap_or(false),
    })
}

fn store(text: Option<&str>) -> Result<StoreAt> {
    let text = text.unwrap_or("/var/lib/profiler/collector.db");
    if text.starts_with("http://") || text.starts_with("https://") {
        return Ok(StoreAt::ClickHouse(text.to_owned()));
    }
    if text.is_empty() || text.contains("://") {
        bail!(
            "store: {text:?} is neither the path of a file nor the http:// or https:// address of a \
             ClickHouse server"
        );
    }
    Ok(StoreAt::Sqlite(PathBuf::from(text)))
}

#[cfg(test)]
mod tests;
