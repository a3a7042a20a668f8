//! Who may ask over TCP: certificates and tokens.

use std::net::SocketAddr;
use std::path::PathBuf;

use profiler_net::{listen, server::TlsFiles};

use super::{Address, ConfigError, Layers, Options, Setting};
use crate::export::Access;

/// The address, and who may ask there. Files are read, so that a check of the settings finds what
/// is wrong with them.
pub(super) fn access(
    layers: &Layers,
    options: &Options,
    listen: &Setting<Address>,
    insecure: bool,
) -> Result<(Option<SocketAddr>, Access), ConfigError> {
    let raw = &layers.document.raw;
    /// The layers of one key, which has the same name in each.
    macro_rules! pick {
        ($key:ident) => {
            layers.pick(
                stringify!($key),
                options.$key.clone(),
                raw.$key.clone(),
                PathBuf::new(),
            )
        };
    }
    let (cert, key) = (pick!(tls_cert), pick!(tls_key));
    let (client_ca, token_file) = (pick!(tls_client_ca), pick!(token_file));
    let access = Access {
        tls: tls(&cert, &key, &client_ca)?,
        token_file: named(&token_file),
    };
    let Address(address) = listen.value;
    if let Some(address) = address {
        let known = access.token_file.is_some() || named(&client_ca).is_some();
        listen::allowed(address, access.tls.is_some(), insecure)
            .and_then(|()| listen::guarded(address, known, insecure))
            .map_err(|reason| listen.refuse(reason))?;
    }
    access.load().map_err(|error| {
        let settings = [&cert, &key, &client_ca, &token_file];
        let setting = settings.into_iter().find(|one| one.value == error.path);
        setting.unwrap_or(&cert).refuse(error.to_string())
    })?;
    Ok((address, access))
}

fn tls(
    cert: &Setting<PathBuf>,
    key: &Setting<PathBuf>,
    client_ca: &Setting<PathBuf>,
) -> Result<Option<TlsFiles>, ConfigError> {
    match (named(cert), named(key), named(client_ca)) {
        (Some(certificate), Some(key), client_ca) => Ok(Some(TlsFiles {
            certificate,
            key,
            client_ca,
            ..TlsFiles::default()
        })),
        (Some(_), None, _) => Err(cert.refuse("tls_key is needed with it".to_owned())),
        (None, Some(_), _) => Err(key.refuse("tls_cert is needed with it".to_owned())),
        (None, None, Some(_)) => {
            let needed = "tls_cert and tls_key are needed with it";
            Err(client_ca.refuse(needed.to_owned()))
        }
        (None, None, None) => Ok(None),
    }
}

fn named(setting: &Setting<PathBuf>) -> Option<PathBuf> {
    let path = &setting.value;
    (!path.as_os_str().is_empty()).then(|| path.clone())
}
