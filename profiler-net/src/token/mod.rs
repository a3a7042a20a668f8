//! Bearer tokens for people and agents, and the guard before services.

mod failures;
mod guard;
mod refusal;

use std::{
    fmt,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use subtle::{Choice, ConstantTimeEq as _};

use crate::files::{FileError, LOOK, Reloaded, Source};

pub use guard::{Counts, Guard, Guarded, Identity, Policy};

/// A shorter token can be guessed.
const LENGTH_MIN: usize = 16;
const LENGTH_MAX: usize = 4096;
/// Each failed guess is compared with all of them.
const TOKENS_MAX: usize = 1024;
/// Rights of group and others.
const OTHERS: u32 = 0o077;

/// The tokens of a file: one a line, with a name and a colon before it if somebody wants to know
/// whose it is; `#` begins a comment. Read again when it changes, at most every 10 s. Clones are
/// the same.
#[derive(Clone, Debug)]
pub struct Tokens(Arc<Reloaded<Vec<Token>>>);

/// One token of a file.
struct Token {
    name: Option<Arc<str>>,
    text: String,
    digest: blake3::Hash,
}

impl Tokens {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, holds no token, or one that is too short or has characters that no
    /// header carries (RFC 6750, 2.1).
    pub fn load(path: &Path) -> Result<Self, FileError> {
        let paths: Vec<PathBuf> = vec![path.to_owned()];
        Reloaded::new("tokens", paths, LOOK, |sources| parse(&sources[0]))
            .map(|tokens| Self(Arc::new(tokens)))
    }

    /// Reads the file now, as at SIGHUP. True: it had changed.
    ///
    /// # Errors
    /// It cannot be used; what was loaded before stays.
    pub fn reload(&self) -> Result<bool, FileError> {
        self.0.reload()
    }

    /// The name of the token's line, if the token is one of these. Takes the same time for every
    /// wrong one.
    pub(crate) fn find(&self, presented: &[u8]) -> Option<Option<Arc<str>>> {
        let digest = blake3::hash(presented);
        let mut found = None;
        for token in self.0.current().iter() {
            let equal: Choice = token.digest.as_bytes().ct_eq(digest.as_bytes());
            if equal.into() {
                found = Some(token.name.clone());
            }
        }
        found
    }

    /// The first token, for a client to send.
    pub(crate) fn first(&self) -> Option<String> {
        self.0.current().first().map(|token| token.text.clone())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token {:?}", self.name)
    }
}

fn parse(source: &Source) -> Result<Vec<Token>, FileError> {
    warn_of_rights(&source.path);
    let text = std::str::from_utf8(&source.bytes).map_err(|_| source.refuse("is no UTF-8"))?;
    let mut tokens = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let refuse = |reason| source.refuse(format_args!("line {}: {reason}", number + 1));
        tokens.push(token(line).map_err(refuse)?);
        if tokens.len() > TOKENS_MAX {
            return Err(source.refuse(format_args!("holds more than {TOKENS_MAX} tokens")));
        }
    }
    if tokens.is_empty() {
        let reason = "holds no token: write one a line, such as `openssl rand -hex 32` makes";
        return Err(source.refuse(reason));
    }
    Ok(tokens)
}

/// Errors must not repeat the line: it is secret.
fn token(line: &str) -> Result<Token, String> {
    let (name, text) = match line.split_once(':') {
        Some((name, text)) => (Some(name.trim()), text.trim()),
        None => (None, line),
    };
    if !(LENGTH_MIN..=LENGTH_MAX).contains(&text.len()) {
        return Err(format!(
            "a token has {LENGTH_MIN} to {LENGTH_MAX} characters, this one has {}",
            text.len()
        ));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if !text.bytes().all(allowed) {
        return Err("a token consists of letters, digits and - . _ ~ + / =".to_owned());
    }
    Ok(Token {
        name: name.filter(|name| !name.is_empty()).map(Arc::from),
        text: text.to_owned(),
        digest: blake3::hash(text.as_bytes()),
    })
}

fn warn_of_rights(path: &Path) {
    if let Ok(metadata) = std::fs::metadata(path)
        && metadata.mode() & OTHERS != 0
    {
        let mode = format_args!("{:o}", metadata.mode() & 0o777);
        tracing::warn!(path = %path.display(), %mode, "others can read these tokens: chmod 600");
    }
}

#[cfg(test)]
mod tests;
