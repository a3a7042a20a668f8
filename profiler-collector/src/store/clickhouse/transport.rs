//! The connection to ClickHouse: which addresses are taken, and TLS with rustls.

use std::{fs, net::IpAddr, path::Path, sync::Arc};

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use url::{Host, Url};

use super::Settings;
use crate::store::StoreError;

pub(super) fn address(settings: &Settings) -> Result<String, StoreError> {
    let refused = |why: &str| StoreError::Internal(format!("{}: {why}", settings.url));
    let url = Url::parse(&settings.url).map_err(|error| refused(&error.to_string()))?;
    let near = match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => return Err(refused("no host is named")),
    };
    match url.scheme() {
        "https" => {}
        "http" if near || settings.plaintext => {}
        "http" => {
            return Err(refused(
                "without TLS the password and all data can be read on the way; use https://",
            ));
        }
        _ => return Err(refused("it must begin with http:// or https://")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("user and password have settings of their own"));
    }
    Ok(url.into())
}

pub(super) fn connector(settings: &Settings) -> Result<HttpsConnector<HttpConnector>, StoreError> {
    let broken = |what: String| StoreError::Internal(format!("TLS to ClickHouse: {what}"));
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(settings.timeout));
    let builder = HttpsConnectorBuilder::new();
    let builder = match &settings.authority {
        Some(file) => builder.with_tls_config(trusting(file).map_err(broken)?),
        None => builder
            .with_provider_and_native_roots(ring::default_provider())
            .or_else(|error| {
                // A host without certificates can still talk to a server without TLS.
                if settings.url.starts_with("https") {
                    return Err(broken(error.to_string()));
                }
                let nobody = configuration(RootCertStore::empty()).map_err(broken)?;
                Ok(HttpsConnectorBuilder::new().with_tls_config(nobody))
            })?,
    };
    Ok(builder.https_or_http().enable_http1().wrap_connector(tcp))
}

fn trusting(file: &Path) -> Result<ClientConfig, String> {
    let said = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let text = fs::read(file).map_err(|error| said(&error))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| said(&error))?;
        roots.add(certificate).map_err(|error| said(&error))?;
    }
    if roots.is_empty() {
        return Err(said(&"no certificate in it"));
    }
    configuration(roots)
}

fn configuration(roots: RootCertStore) -> Result<ClientConfig, String> {
    Ok(
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(url: &str) -> bool {
        address(&Settings {
            url: url.into(),
            ..Settings::default()
        })
        .is_ok()
    }

    #[test]
    fn without_tls_only_this_host_is_taken() {
        assert!(taken("http://127.0.0.1:8123"));
        assert!(taken("http://[::1]:8123"));
        assert!(taken("http://localhost:8123"));
        assert!(taken("https://clickhouse.example:8443"));
        assert!(!taken("http://clickhouse.example:8123"));
        assert!(!taken("http://localhost.example:8123"));
        assert!(!taken("ftp://127.0.0.1"));
        assert!(!taken("127.0.0.1:8123"));
    }

    #[test]
    fn a_password_in_the_address_is_refused() {
        assert!(!taken("https://user:secret@clickhouse.example:8443"));
    }

    #[test]
    fn a_flag_takes_other_hosts_without_tls() {
        let settings = Settings {
            url: "http://10.0.0.1:8123".into(),
            plaintext: true,
            ..Settings::default()
        };
        assert!(address(&settings).is_ok());
    }

    #[test]
    fn certificates_that_are_none_are_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let settings = Settings {
            authority: Some(file.path().into()),
            ..Settings::default()
        };
        let error = connector(&settings).err().map(|error| error.to_string());
        assert!(error.unwrap().contains("no certificate in it"));
    }
}
