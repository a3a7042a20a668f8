//! Certificates and tokens.

use std::path::PathBuf;

use clap::Args;

/// How to be let in by a server that wants TLS, certificates or tokens.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Access")]
pub struct AccessArgs {
    /// CA that signed the server's certificate (PEM; default: those that this host trusts)
    #[arg(long, global = true, env = "PROFILER_TLS_CA", value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// Own certificate (PEM), for servers that want one; with --tls-key
    #[arg(long, global = true, env = "PROFILER_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Key of --tls-cert (PEM)
    #[arg(long, global = true, env = "PROFILER_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Name that the server's certificate carries, if not that of --endpoint
    #[arg(
        long,
        global = true,
        env = "PROFILER_TLS_SERVER_NAME",
        value_name = "NAME"
    )]
    pub tls_server_name: Option<String>,
    /// File with the token to show (its first line; mode 600)
    #[arg(long, global = true, env = "PROFILER_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Send the token to other hosts over http:// too: whoever is on the way can read it
    #[arg(long, global = true, env = "PROFILER_INSECURE_TOKEN")]
    pub insecure_token: bool,
}
