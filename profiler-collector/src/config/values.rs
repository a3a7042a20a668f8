//! Values that people write.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, anyhow, bail};

/// An address and port; "" for none.
pub(super) fn address(
    key: &str,
    text: Option<String>,
    default: &str,
) -> Result<Option<SocketAddr>> {
    let text = text.unwrap_or_else(|| default.to_owned());
    if text.is_empty() {
        return Ok(None);
    }
    let address = text.parse().map_err(|_| {
        anyhow!("{key}: {text:?} is no address and port, such as 127.0.0.1:7751 or [::1]:7751")
    })?;
    Ok(Some(address))
}

/// A time such as `90s`, `15min`, `24h`, `30d`: from one minute to ten years.
pub(super) fn span(key: &str, text: Option<String>, default: Duration) -> Result<Duration> {
    let Some(text) = text else {
        return Ok(default);
    };
    let span = humantime::parse_duration(&text)
        .map_err(|_| anyhow!("{key}: {text:?} is no time, such as 90s, 15min, 24h or 30d"))?;
    if !(60..=3_650 * 86_400).contains(&span.as_secs()) {
        bail!("{key}: {text} is out of range: 1min to 3650d are allowed");
    }
    Ok(span)
}

/// A size such as `512MiB`, `20GiB`: at least 16 MiB.
pub(super) fn size(key: &str, text: Option<String>, default: u64) -> Result<u64> {
    let Some(text) = text else {
        return Ok(default);
    };
    let size: bytesize::ByteSize = text
        .parse()
        .map_err(|_| anyhow!("{key}: {text:?} is no size, such as 512MiB or 20GiB"))?;
    if size.as_u64() < 16 << 20 {
        bail!("{key}: {text} is too little: at least 16MiB");
    }
    Ok(size.as_u64())
}
