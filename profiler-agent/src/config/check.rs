//! Ranges and forms that single settings have to keep.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::values::{Address, Size, Span};
use super::{Config, ConfigError, GIB, KIB, Setting};

pub(super) fn default_socket(config: &Config) -> String {
    let path = config.socket.as_deref().unwrap_or(Path::new(""));
    path.display().to_string()
}

pub(super) fn socket_path(setting: &Setting<String>) -> Result<Option<PathBuf>, ConfigError> {
    /// Bytes of `sun_path`, with the NUL.
    const SUN_PATH: usize = 108;
    let text = &setting.value;
    if text.is_empty() {
        return Ok(None);
    }
    if !text.starts_with('/') || text.len() >= SUN_PATH || text.contains('\0') {
        return Err(setting.refuse(format!(
            "{text:?} cannot be a socket: an absolute path of less than {SUN_PATH} bytes is needed, or \"\" for none"
        )));
    }
    Ok(Some(PathBuf::from(text)))
}

/// Somewhere the agent has to answer.
pub(super) fn any_listener(
    listen: &Setting<Address>,
    socket: &Setting<String>,
) -> Result<(), ConfigError> {
    if listen.value == Address(None) && socket.value.is_empty() {
        let none =
            "with no socket either, nobody could ask this agent: give an address or a socket";
        return Err(listen.refuse(none.to_owned()));
    }
    Ok(())
}

pub(super) fn bytes(
    setting: &Setting<Size>,
    allowed: RangeInclusive<u64>,
) -> Result<u64, ConfigError> {
    let Size(value) = setting.value;
    if allowed.contains(&value) {
        return Ok(value);
    }
    Err(setting.refuse(format!(
        "{} is out of range: {} to {} are allowed",
        setting.value,
        Size(*allowed.start()),
        Size(*allowed.end())
    )))
}

pub(super) fn ring_size(setting: &Setting<Size>) -> Result<u32, ConfigError> {
    let value = bytes(setting, 64 * KIB..=GIB)?;
    u32::try_from(value)
        .ok()
        .filter(|value| value.is_power_of_two())
        .ok_or_else(|| {
            let below = Size(1 << value.ilog2());
            let above = Size(2 << value.ilog2());
            setting.refuse(format!(
                "{} is no power of two: {below} or {above} would be",
                setting.value
            ))
        })
}

pub(super) fn captures(setting: &Setting<u32>) -> Result<u32, ConfigError> {
    match setting.value {
        value @ 1..=1_000_000 => Ok(value),
        value => Err(setting.refuse(format!(
            "{value} is out of range: 1 to 1000000 captures a second are allowed"
        ))),
    }
}

/// `allowed` in seconds.
pub(super) fn time(
    setting: &Setting<Span>,
    allowed: RangeInclusive<u64>,
) -> Result<Duration, ConfigError> {
    let (least, most) = (
        Duration::from_secs(*allowed.start()),
        Duration::from_secs(*allowed.end()),
    );
    let Span(value) = setting.value;
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(setting.refuse(format!(
        "{} is out of range: {} to {} are allowed",
        setting.value,
        Span(least),
        Span(most)
    )))
}
