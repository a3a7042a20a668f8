//! Where a client connects to.

use std::{net::IpAddr, str::FromStr};

use http::uri::{Authority, Uri};

/// Host and port, and whether TLS is spoken there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `https://` rather than `http://`.
    pub tls: bool,
    /// As written: `host:port`.
    pub authority: Authority,
    /// A name or an address, without brackets.
    pub host: String,
    /// Not 0.
    pub port: u16,
}

impl Target {
    /// The host is this one.
    pub fn is_loopback(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        address.map_or(self.host == "localhost", |ip| {
            ip.to_canonical().is_loopback()
        })
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = |reason: &str| {
            format!("{text:?}: {reason}; allowed: https://HOST:PORT or http://HOST:PORT")
        };
        let uri: Uri = text.parse().map_err(|_| refuse("no endpoint"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(refuse("https:// or http:// is missing")),
        };
        if uri.query().is_some() || !matches!(uri.path(), "" | "/") {
            return Err(refuse("a path means nothing here"));
        }
        let authority = uri.authority().ok_or_else(|| refuse("no host"))?.clone();
        let port = authority.port_u16().filter(|&port| port != 0);
        let port = port.ok_or_else(|| refuse("the port is missing"))?;
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        if host.is_empty() || authority.as_str().contains('@') {
            return Err(refuse("no host"));
        }
        Ok(Self {
            tls,
            authority,
            host,
            port,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_have_a_scheme_a_host_and_a_port() {
        let target: Target = "https://[::1]:7751/".parse().unwrap();
        assert_eq!(
            (target.tls, target.host.as_str(), target.port),
            (true, "::1", 7751)
        );
        assert!(target.is_loopback());
        let target: Target = "http://node-1:80".parse().unwrap();
        assert_eq!(
            (target.tls, target.host.as_str(), target.port),
            (false, "node-1", 80)
        );
        assert!(!target.is_loopback());
    }

    #[test]
    fn wrong_endpoints_say_what_is_allowed() {
        for (text, part) in [
            ("", "no endpoint"),
            ("node-1", "is missing"),
            ("node-1:80", "is missing"),
            ("ftp://node-1:80", "is missing"),
            ("https://node-1", "the port is missing"),
            ("https://node-1:0", "the port is missing"),
            ("https://u:p@node-1:80", "no host"),
            ("https://node-1:80/x", "a path"),
        ] {
            let error = text.parse::<Target>().unwrap_err();
            assert!(
                error.contains(part) && error.contains("allowed:"),
                "{error}"
            );
        }
    }
}
