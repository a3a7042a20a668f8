//! What a certificate says about its holder.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::CertificateDer;
use x509_parser::{
    certificate::X509Certificate,
    extensions::{GeneralName, ParsedExtension},
    prelude::FromDer as _,
};

/// Most names of one certificate that are kept.
const NAMES_MAX: usize = 64;

/// A certificate that was verified: whom it names, and until when it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The distinguished name: `CN=node-1, O=example`; may be empty.
    pub subject: String,
    /// Subject alternative names: DNS names, IP addresses, URIs, mail addresses. At most 64.
    pub names: Vec<String>,
    /// The end of its validity.
    pub expires: SystemTime,
}

impl Certificate {
    /// Reads one, or says why it cannot be read.
    pub(crate) fn parse(der: &CertificateDer<'_>) -> Result<Self, String> {
        let (_, parsed) =
            X509Certificate::from_der(der).map_err(|error| format!("no X.509: {error}"))?;
        let after = parsed.validity().not_after.timestamp();
        let after = Duration::from_secs(u64::try_from(after).unwrap_or(0));
        Ok(Self {
            subject: parsed.subject().to_string(),
            names: names(&parsed),
            expires: UNIX_EPOCH + after,
        })
    }

    /// How to call its holder: the subject, else the first name.
    pub fn holder(&self) -> &str {
        match self.names.first() {
            Some(name) if self.subject.is_empty() => name,
            _ => &self.subject,
        }
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let extensions = certificate.extensions().iter();
    extensions
        .filter_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
            _ => None,
        })
        .flatten()
        .filter_map(name)
        .take(NAMES_MAX)
        .collect()
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(text) | GeneralName::URI(text) | GeneralName::RFC822Name(text) => {
            Some((*text).to_owned())
        }
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes)
                .ok()
                .map(|b| std::net::Ipv4Addr::from(b).to_string()),
            16 => <[u8; 16]>::try_from(*bytes)
                .ok()
                .map(|b| std::net::Ipv6Addr::from(b).to_string()),
            _ => None,
        },
        _ => None,
    }
}
