//! Where profiles go over OTLP.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use profiler_net::client::Target;

use super::{Options, values::span};
use crate::otlp::{Limits, Settings};

const INTERVAL: Duration = Duration::from_secs(60);

/// None if no receiver is named.
pub(super) fn settings(options: &Options) -> Result<Option<Settings>> {
    let interval = span("otlp_interval", options.otlp_interval.clone(), INTERVAL)?;
    let endpoint = options.otlp_endpoint.clone().unwrap_or_default();
    if endpoint.is_empty() {
        if options.otlp_ca.is_some() || options.otlp_header_file.is_some() {
            bail!("otlp_ca and otlp_header_file are of use with otlp_endpoint only");
        }
        return Ok(None);
    }
    let target: Target = endpoint
        .parse()
        .map_err(|error| anyhow!("otlp_endpoint: {error}"))?;
    if !target.tls && !target.is_loopback() && options.otlp_plaintext != Some(true) {
        bail!(
            "otlp_endpoint: {endpoint}: without TLS headers and profiles can be read on the way; \
             use https://, or accept that with otlp_plaintext"
        );
    }
    if !target.tls && options.otlp_ca.is_some() {
        bail!(
            "otlp_ca means nothing over http://: use https://{}",
            target.authority
        );
    }
    Ok(Some(Settings {
        endpoint,
        ca: options.otlp_ca.clone(),
        header_file: options.otlp_header_file.clone(),
        interval,
        limits: Limits::default(),
    }))
}
