//! Collectors, how they are reached, and what is kept for them on disk.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use profiler_net::client::Target;

use super::check::{bytes, time};
use super::{ConfigError, GIB, Layers, MIB, Options, Setting, Size, Span, lists};

const COLLECTORS_MAX: usize = 16;
/// Longest file of certificates, key or token.
const FILE_MAX: u64 = 1 << 20;

/// The address of a collector: scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// As `https://collector.example:7751`.
    pub url: String,
    /// It is reached with TLS.
    pub tls: bool,
}

/// Where snapshots are streamed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collectors {
    /// Tried in turn, beginning with the first; none: nothing is streamed or kept on disk.
    pub endpoints: Vec<Endpoint>,
    /// Plain HTTP may go to other hosts than this one.
    pub insecure: bool,
    /// Certificates that collectors are checked against; none: those of the host.
    pub ca: Option<PathBuf>,
    /// Certificate and key that the agent shows.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// File with the bearer token that the agent shows.
    pub token_file: Option<PathBuf>,
    /// Directory of the spool.
    pub spool: PathBuf,
    /// Most bytes of its files.
    pub spool_bytes: u64,
    /// For how long what no collector has is kept.
    pub spool_age: Duration,
}

impl Default for Collectors {
    fn default() -> Self {
        Self {
            endpoints: Vec::new(),
            insecure: false,
            ca: None,
            identity: None,
            token_file: None,
            spool: PathBuf::from("/var/lib/profiler/spool"),
            spool_bytes: 256 * MIB,
            spool_age: Duration::from_secs(24 * 3600),
        }
    }
}

pub(super) fn collectors(layers: &Layers, options: &Options) -> Result<Collectors, ConfigError> {
    let (raw, d) = (&layers.document.raw, Collectors::default());
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
    let insecure = options.insecure_collector.then_some(true);
    let file = raw.insecure_collector.clone();
    let insecure = layers.pick("insecure_collector", insecure, file, d.insecure);
    let urls = ("collector", "collectors", options.collector.clone());
    let urls = lists::list(layers, urls, raw.collectors.clone());
    let endpoints = endpoints(&urls, insecure.value)?;
    let ca = readable(pick!(collector_ca, PathBuf::new()))?;
    let cert = readable(pick!(collector_cert, PathBuf::new()))?;
    let key = readable(pick!(collector_key, PathBuf::new()))?;
    let token_file = readable(pick!(collector_token_file, PathBuf::new()))?;
    for setting in [&ca, &cert, &key].into_iter().flatten() {
        of_use(setting, &endpoints)?;
    }
    Ok(Collectors {
        endpoints,
        insecure: insecure.value,
        identity: identity(cert, key)?,
        ca: ca.map(|setting| setting.value),
        token_file: token_file.map(|setting| setting.value),
        spool: directory(&pick!(spool, d.spool))?,
        spool_bytes: bytes(
            &pick!(spool_bytes, Size(d.spool_bytes)),
            16 * MIB..=1024 * GIB,
        )?,
        spool_age: time(&pick!(spool_age, Span(d.spool_age)), 60..=30 * 86_400)?,
    })
}

fn endpoints(setting: &Setting<Vec<String>>, insecure: bool) -> Result<Vec<Endpoint>, ConfigError> {
    if setting.value.len() > COLLECTORS_MAX {
        return Err(setting.refuse(format!(
            "{} collectors are too many: {COLLECTORS_MAX} are allowed",
            setting.value.len()
        )));
    }
    let urls = setting.value.iter();
    urls.map(|url| endpoint(setting, url, insecure)).collect()
}

fn endpoint(
    setting: &Setting<Vec<String>>,
    url: &str,
    insecure: bool,
) -> Result<Endpoint, ConfigError> {
    let target: Target = url.parse().map_err(|reason| setting.refuse(reason))?;
    if !target.tls && !insecure && !target.is_loopback() {
        return Err(setting.refuse(format!(
            "{url:?} is another host and would be reached without TLS: names of functions, files \
             and processes would go there for anyone to read. Use https://, or accept that with \
             --insecure-collector (insecure_collector = true)"
        )));
    }
    Ok(Endpoint {
        url: url.trim_end_matches('/').to_owned(),
        tls: target.tls,
    })
}

fn directory(setting: &Setting<PathBuf>) -> Result<PathBuf, ConfigError> {
    let path = &setting.value;
    if path.is_absolute() {
        return Ok(path.clone());
    }
    let shown = path.display();
    Err(setting.refuse(format!(
        "\"{shown}\" cannot be the spool: an absolute path is needed"
    )))
}

/// A file that was named, if one was: it has to be there, and something has to be in it.
fn readable(setting: Setting<PathBuf>) -> Result<Option<Setting<PathBuf>>, ConfigError> {
    let path = &setting.value;
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    match length(path) {
        Ok(1..=FILE_MAX) => Ok(Some(setting)),
        Ok(0) => Err(setting.refuse(format!("{} is empty", path.display()))),
        Ok(_) => Err(setting.refuse(format!(
            "{} is longer than {FILE_MAX} bytes",
            path.display()
        ))),
        Err(error) => Err(setting.refuse(format!("cannot read {}: {error}", path.display()))),
    }
}

/// A file for TLS is a mistake where no collector is reached with it.
fn of_use(setting: &Setting<PathBuf>, endpoints: &[Endpoint]) -> Result<(), ConfigError> {
    if endpoints.is_empty() || endpoints.iter().any(|endpoint| endpoint.tls) {
        return Ok(());
    }
    let useless = "it is of no use without TLS: no collector's address begins with https://";
    Err(setting.refuse(useless.to_owned()))
}

/// Bytes that can be read, one more than allowed at most.
fn length(path: &Path) -> io::Result<u64> {
    io::copy(&mut File::open(path)?.take(FILE_MAX + 1), &mut io::sink())
}

fn identity(
    cert: Option<Setting<PathBuf>>,
    key: Option<Setting<PathBuf>>,
) -> Result<Option<(PathBuf, PathBuf)>, ConfigError> {
    match (cert, key) {
        (Some(cert), Some(key)) => Ok(Some((cert.value, key.value))),
        (None, None) => Ok(None),
        (Some(alone), None) => Err(alone.refuse("collector_key is needed with it".to_owned())),
        (None, Some(alone)) => Err(alone.refuse("collector_cert is needed with it".to_owned())),
    }
}
