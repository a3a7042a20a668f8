//! Which addresses may be listened on.

use std::net::SocketAddr;

/// Anything but loopback needs TLS, or an explicit word that it does without.
///
/// # Errors
/// Why not, and what to do. Settings are called as files and flags of agent and collector call
/// them: `tls_cert`, `tls_key`, `insecure_listen`.
pub fn allowed(address: SocketAddr, has_tls: bool, insecure: bool) -> Result<(), String> {
    if has_tls || insecure || address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    Err(format!(
        "{address} is not a loopback address, and without TLS names of functions, files and \
         processes, and tokens with them, would leave the host in clear text. Give a certificate \
         with --tls-cert and --tls-key (tls_cert, tls_key), use 127.0.0.1 or [::1], or accept \
         that with --insecure-listen (insecure_listen = true)"
    ))
}

/// On anything but loopback, those who ask have to say who they are, or an explicit word lets
/// everyone in. `known`: certificates or tokens are asked for.
///
/// # Errors
/// Why not, and what to do, as [`allowed`].
pub fn guarded(address: SocketAddr, known: bool, insecure: bool) -> Result<(), String> {
    if known || insecure || address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    Err(format!(
        "{address} is not a loopback address, and whoever reaches it could ask everything. Give \
         the CA of client certificates with --tls-client-ca (tls_client_ca) or tokens with \
         --token-file (token_file), use 127.0.0.1 or [::1], or accept that with \
         --insecure-listen (insecure_listen = true)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_loopback_those_who_ask_are_known() {
        let (local, any) = ("[::1]:1".parse().unwrap(), "[::]:1".parse().unwrap());
        assert_eq!(guarded(local, false, false), Ok(()));
        let error = guarded(any, false, false).unwrap_err();
        assert!(error.contains("--token-file") && error.contains("--tls-client-ca"));
        assert_eq!(guarded(any, true, false), Ok(()));
        assert_eq!(guarded(any, false, true), Ok(()));
    }

    #[test]
    fn other_addresses_than_loopback_need_tls_or_a_word() {
        for address in [
            "127.0.0.1:0",
            "127.9.9.9:1",
            "[::1]:7741",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert_eq!(allowed(address.parse().unwrap(), false, false), Ok(()));
        }
        for address in [
            "0.0.0.0:1",
            "[::]:1",
            "10.0.0.1:7751",
            "[::ffff:10.0.0.1]:1",
        ] {
            let address = address.parse().unwrap();
            let error = allowed(address, false, false).unwrap_err();
            assert!(error.starts_with(&address.to_string()), "{error}");
            assert!(error.contains("--tls-cert") && error.contains("--insecure-listen"));
            assert_eq!(allowed(address, true, false), Ok(()));
            assert_eq!(allowed(address, false, true), Ok(()));
        }
    }
}
