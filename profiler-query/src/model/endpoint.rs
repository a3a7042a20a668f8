//! Ends of connections.

use std::{
    convert::Infallible,
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::Arc,
};

/// One end of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Endpoint {
    /// None, as the peer of a UDP socket that was not connected.
    #[default]
    None,
    /// An IP address and port.
    Ip(SocketAddr),
    /// The path of a Unix socket; an abstract one begins with `@`.
    Path(Arc<str>),
}

impl Endpoint {
    /// The port; 0 where there is none.
    pub fn port(&self) -> u16 {
        match self {
            Self::Ip(address) => address.port(),
            _ => 0,
        }
    }

    /// Without the port.
    pub fn address(&self) -> Address {
        match self {
            Self::None => Address::None,
            Self::Ip(address) => Address::Ip(address.ip()),
            Self::Path(path) => Address::Path(Arc::clone(path)),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Ip(address) => address.fmt(out),
            Self::Path(path) => write!(out, "unix:{path}"),
        }
    }
}

/// As it is displayed; what is neither address nor path is none.
impl FromStr for Endpoint {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.strip_prefix("unix:") {
            Some(path) => Self::Path(path.into()),
            None => text.parse().map_or(Self::None, Self::Ip),
        })
    }
}

/// An [`Endpoint`] without its port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Address {
    /// None.
    #[default]
    None,
    /// An IP address.
    Ip(IpAddr),
    /// The path of a Unix socket.
    Path(Arc<str>),
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Ip(address) => address.fmt(out),
            Self::Path(path) => write!(out, "unix:{path}"),
        }
    }
}

/// As it is displayed; what is neither address nor path is none.
impl FromStr for Address {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.strip_prefix("unix:") {
            Some(path) => Self::Path(path.into()),
            None => text.parse().map_or(Self::None, Self::Ip),
        })
    }
}

/// Bytes and calls through a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes received.
    pub received_bytes: u64,
    /// Calls that received.
    pub received_calls: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Calls that sent.
    pub sent_calls: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_displayed_is_read_again() {
        for text in [
            "",
            "10.0.0.1:80",
            "[fd00::1]:443",
            "unix:/run/a.sock",
            "unix:@x",
        ] {
            let Ok(end) = text.parse::<Endpoint>();
            assert_eq!(end.to_string(), text);
            let shown = end.address().to_string();
            let Ok(address) = shown.parse::<Address>();
            assert_eq!(address, end.address());
        }
        let Ok(garbage) = "garbage".parse::<Endpoint>();
        assert_eq!(garbage, Endpoint::None);
    }
}
