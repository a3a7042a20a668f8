//! Certificates and keys in PEM.

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use crate::files::{FileError, Source};

/// The certificates of a file, at least one.
pub(crate) fn certificates(source: &Source) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&source.bytes).collect();
    let read = read.map_err(|error| source.refuse(format_args!("is no PEM file: {error}")))?;
    if read.is_empty() {
        return Err(source.refuse("holds no certificate: \"BEGIN CERTIFICATE\" is missing"));
    }
    Ok(read)
}

/// The first private key of a file: PKCS #8, SEC 1 or PKCS #1, not encrypted.
pub(crate) fn key(source: &Source) -> Result<PrivateKeyDer<'static>, FileError> {
    PrivateKeyDer::from_pem_slice(&source.bytes).map_err(|error| {
        source.refuse(format_args!(
            "holds no private key in PEM that is not encrypted: {error}"
        ))
    })
}

/// The authorities of a file, at least one.
pub(crate) fn roots(source: &Source) -> Result<RootCertStore, FileError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(source)? {
        roots
            .add(certificate)
            .map_err(|error| source.refuse(format_args!("is no CA that can be used: {error}")))?;
    }
    Ok(roots)
}
