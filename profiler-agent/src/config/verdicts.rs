//! Verdicts: how they are made and kept, and the probes that are told of them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use profiler_net::listen;

use super::check::time;
use super::{Address, ConfigError, Layers, Options, Setting, Span};

/// Settings of verdicts and of health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdicts {
    /// Address for probes of health over HTTP.
    pub http: Option<SocketAddr>,
    /// The shortest window of series; everything else is a multiple of it.
    pub window: Duration,
    /// Where the state is kept.
    pub state: Option<PathBuf>,
    /// Percent of its limit above which what grows is unhealthy.
    pub health_share: u32,
    /// A forecast that is nearer is unhealthy.
    pub health_lead: Duration,
}

impl Default for Verdicts {
    fn default() -> Self {
        Self {
            http: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 7742))),
            window: Duration::from_secs(60),
            state: Some(PathBuf::from("/var/lib/profiler/verdicts.state")),
            health_share: 80,
            health_lead: Duration::from_secs(30 * 60),
        }
    }
}

pub(super) fn verdicts(
    layers: &Layers,
    options: &Options,
    insecure: bool,
) -> Result<Verdicts, ConfigError> {
    let (raw, d) = (&layers.document.raw, Verdicts::default());
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
    let http = pick!(http, Address(d.http));
    let window = pick!(verdict_window, Span(d.window));
    let lead = pick!(health_lead, Span(d.health_lead));
    let state = d.state.unwrap_or_default().display().to_string();
    Ok(Verdicts {
        http: address(&http, insecure)?,
        window: time(&window, 1..=600)?,
        state: file(&pick!(state, state))?,
        health_share: share(&pick!(health_share, d.health_share))?,
        health_lead: time(&lead, 0..=7 * 86_400)?,
    })
}

/// It speaks neither TLS nor asks who it is.
fn address(setting: &Setting<Address>, insecure: bool) -> Result<Option<SocketAddr>, ConfigError> {
    let Address(address) = setting.value;
    if let Some(address) = address {
        listen::allowed(address, false, insecure).map_err(|_| {
            setting.refuse(format!(
                "{address} is not a loopback address, and probes are answered in clear text to \
                 everyone. Use 127.0.0.1 or [::1], or accept that with --insecure-listen \
                 (insecure_listen = true)"
            ))
        })?;
    }
    Ok(address)
}

fn file(setting: &Setting<String>) -> Result<Option<PathBuf>, ConfigError> {
    let text = &setting.value;
    if text.is_empty() {
        return Ok(None);
    }
    let path = PathBuf::from(text);
    if !path.is_absolute() || path.file_name().is_none() {
        return Err(setting.refuse(format!(
            "{text:?} cannot be the file of the state: an absolute path is needed, or \"\" for none"
        )));
    }
    Ok(Some(path))
}

fn share(setting: &Setting<u32>) -> Result<u32, ConfigError> {
    match setting.value {
        percent @ 1..=100 => Ok(percent),
        percent => Err(setting.refuse(format!(
            "{percent} is out of range: 1 to 100 percent of the limit are allowed"
        ))),
    }
}
