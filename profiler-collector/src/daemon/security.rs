//! Who may come in.

use std::net::SocketAddr;

use anyhow::{Result, bail};
use profiler_net::{
    listen,
    server::{ClientCertificates, Tls, TlsFiles},
    token::{Guard, Policy, Tokens},
};

use crate::config::{Config, Security};

/// TLS of the listeners, and the guards of what is served on them.
pub(super) struct Doors {
    pub(super) tls: Option<Tls>,
    /// Pages are for this host alone, and nobody is asked who they are.
    pub(super) pages_are_local: bool,
    /// For agents.
    pub(super) ingest: Guard,
    /// For people and programs that ask.
    pub(super) query: Guard,
}

impl Doors {
    pub(super) fn new(config: &Config) -> Result<Self> {
        let security = &config.security;
        let tls = security.certificate.as_ref().map(|(certificate, key)| {
            Tls::load(&TlsFiles {
                certificate: certificate.clone(),
                key: key.clone(),
                client_ca: security.client_ca.clone(),
                // The guards decide: who has no certificate may have a token.
                clients: ClientCertificates::Optional,
            })
        });
        let tls = tls.transpose()?;
        for address in [Some(config.listen), config.web].into_iter().flatten() {
            check(address, tls.is_some(), security)?;
        }
        let tokens = |path: &Option<_>| path.as_deref().map(Tokens::load).transpose();
        let guard = |tokens| {
            Guard::new(Policy {
                tokens,
                certificates: security.client_ca.is_some(),
                open: |_| false,
            })
        };
        Ok(Self {
            tls,
            pages_are_local: security.tokens.is_none()
                && security.client_ca.is_none()
                && config
                    .web
                    .is_some_and(|web| web.ip().to_canonical().is_loopback()),
            ingest: guard(tokens(&security.ingest_tokens)?),
            query: guard(tokens(&security.tokens)?),
        })
    }
}

fn check(address: SocketAddr, has_tls: bool, security: &Security) -> Result<()> {
    listen::allowed(address, has_tls, security.insecure).map_err(anyhow::Error::msg)?;
    let is_open = security.client_ca.is_none()
        && (security.tokens.is_none() || security.ingest_tokens.is_none());
    if is_open && !address.ip().to_canonical().is_loopback() && !security.insecure {
        bail!(
            "{address}: anyone who reaches it could ask and send. Give tls_client_ca, or both \
             token_file and ingest_token_file, or accept that with --insecure-listen"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_loopback_everyone_proves_who_they_are() {
        let local: SocketAddr = "127.0.0.1:1".parse().expect("an address");
        let any: SocketAddr = "0.0.0.0:1".parse().expect("an address");
        let open = Security::default();
        assert!(check(local, false, &open).is_ok());
        assert!(check(any, false, &open).is_err());
        assert!(check(any, true, &open).is_err());
        let half = Security {
            tokens: Some("t".into()),
            ..Security::default()
        };
        assert!(check(any, true, &half).is_err());
        let both = Security {
            ingest_tokens: Some("i".into()),
            ..half
        };
        assert!(check(any, true, &both).is_ok());
        assert!(check(any, false, &both).is_err());
        let insecure = Security {
            insecure: true,
            ..open
        };
        assert!(check(any, false, &insecure).is_ok());
    }
}
