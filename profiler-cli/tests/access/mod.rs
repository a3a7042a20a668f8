//! Servers that want TLS, a certificate or a token, and what the client says where it lacks one.

use std::{fs, path::PathBuf};

use profiler_net::{
    server::{Tls, TlsFiles},
    token::Tokens,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::common::{Fake, Ran, client, run};

/// Files of a CA, of a certificate for `localhost`, and of a token.
struct Files {
    directory: tempfile::TempDir,
    tls: TlsFiles,
}

impl Files {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &ca).unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        write("ca", &ca.pem());
        write("token", "ann: 0123456789abcdef");
        write("wrong", "fedcba9876543210");
        let tls = TlsFiles {
            certificate: write("crt", &certificate.pem()),
            key: write("key", &key.serialize_pem()),
            ..TlsFiles::default()
        };
        Self { directory, tls }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn tokens(&self) -> Option<Tokens> {
        Some(Tokens::load(&self.path("token")).unwrap())
    }

    fn tls(&self, mutual: bool) -> Option<Tls> {
        let client_ca = mutual.then(|| self.path("ca"));
        let files = TlsFiles {
            client_ca,
            ..self.tls.clone()
        };
        Some(Tls::load(&files).unwrap())
    }

    /// `status` with flags, of which each `@name` stands for a file.
    fn ask(&self, endpoint: &str, flags: &str) -> Ran {
        let file = |word: &str| match word.strip_prefix('@') {
            Some(name) => self.path(name).display().to_string(),
            None => word.to_owned(),
        };
        let mut words = vec!["--endpoint".to_owned(), endpoint.to_owned()];
        words.extend(flags.split_whitespace().map(file));
        words.push("status".to_owned());
        run(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// By the name in the certificate.
fn by_name(fake: &Fake) -> String {
    fake.endpoint.replace("127.0.0.1", "localhost")
}

#[test]
fn tls_and_a_token_let_in() {
    let files = Files::new();
    let fake = Fake::guarded(files.tls(false), files.tokens());
    let endpoint = by_name(&fake);
    let ran = files.ask(&endpoint, "--tls-ca @ca --token-file @token");
    assert!(ran.text().contains("node-1"));
    let named = "--tls-ca @ca --token-file @token --tls-server-name localhost";
    files.ask(&fake.endpoint, named).text();
    let output = client(&["status"])
        .env("PROFILER_ENDPOINT", &endpoint)
        .env("PROFILER_TLS_CA", files.path("ca"))
        .env("PROFILER_TOKEN_FILE", files.path("token"))
        .output();
    Ran::from(output.unwrap()).text();
}

#[test]
fn a_certificate_lets_in() {
    let files = Files::new();
    let fake = Fake::guarded(files.tls(true), None);
    let endpoint = by_name(&fake);
    files
        .ask(&endpoint, "--tls-ca @ca --tls-cert @crt --tls-key @key")
        .text();
    let without = files.ask(&endpoint, "--tls-ca @ca");
    let told = "wants a client certificate: give one with --tls-cert and --tls-key";
    assert!(without.error().contains(told), "{}", without.err);
    assert!(without.err.contains(&endpoint), "{}", without.err);
}

#[test]
fn what_is_lacking_is_told_with_the_flag_that_gives_it() {
    let files = Files::new();
    let fake = Fake::guarded(files.tls(false), files.tokens());
    let (named, plain) = (by_name(&fake), fake.endpoint.replace("https", "http"));
    let address = fake.endpoint.clone();
    for (endpoint, flags, part) in [
        (&named, "--tls-ca @ca", "a token is needed"),
        (&named, "--tls-ca @ca", "--token-file FILE"),
        (
            &named,
            "--tls-ca @ca --token-file @wrong",
            "this token is not known here",
        ),
        (
            &named,
            "--tls-ca @ca --token-file @absent",
            "absent: cannot be read",
        ),
        (&named, "--tls-ca @ca --token-file @ca", "line 1: a token"),
        (
            &named,
            "--tls-ca @crt",
            "signed by no CA that is trusted here",
        ),
        (&named, "--tls-ca @ca --tls-cert @crt", "needs its key"),
        (
            &address,
            "--tls-ca @ca",
            "is for localhost, not for 127.0.0.1",
        ),
        (&plain, "--token-file @token", "use https://"),
        (&plain, "--tls-ca @ca", "mean nothing over http://"),
    ] {
        let ran = files.ask(endpoint, flags);
        assert!(ran.error().contains(part), "{flags}: {}", ran.err);
        assert!(ran.err.contains(endpoint.as_str()), "{flags}: {}", ran.err);
    }
}

#[test]
fn a_token_goes_to_other_hosts_in_clear_text_only_if_that_is_accepted() {
    let files = Files::new();
    // An address of documentation (RFC 5737): nothing answers there.
    let refused = files.ask("http://192.0.2.1:7741", "--token-file @token");
    assert!(
        refused.error().contains("--insecure-token"),
        "{}",
        refused.err
    );
    let local = Fake::guarded(None, files.tokens());
    files.ask(&local.endpoint, "--token-file @token").text();
}
