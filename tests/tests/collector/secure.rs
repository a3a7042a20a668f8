//! Certificates and tokens, from the agent to the one who asks.

use std::{fs, time::Duration};

use anyhow::{Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use libtest_mimic::Trial;
use profiler_tests::{
    Collector, Outcome, Verdict, agent::Address, collector::Place, command::profiler_at,
    surroundings::eventually,
};

use super::{agent, certificates::Authority, says, text, trial, web};

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial(
        "collector::lets_in_who_proves_it",
        Duration::from_secs(240),
        lets_in_who_proves_it,
    )]
}

const TOKEN: &str = "a-token-that-nobody-guesses";
/// The sender is slower after a refusal.
const CONNECT: Duration = Duration::from_secs(60);

/// A collector that wants to know who comes, and what it takes to be let in.
struct Guarded {
    collector: Collector,
    authority: Authority,
    url: String,
    ca: String,
    tokens: String,
}

impl Guarded {
    fn start() -> Result<Self> {
        let place = Place::new()?;
        let directory = place.directory().to_owned();
        let authority = Authority::new(&directory)?;
        let own = authority.sign("localhost")?;
        let tokens = directory.join("tokens");
        fs::write(&tokens, format!("{TOKEN}\n"))?;
        let (ca, tokens) = (text(&authority.file), text(&tokens));
        let url = format!("https://localhost:{}", place.port);
        let arguments = [
            "--tls-cert",
            &text(&own.certificate),
            "--tls-key",
            &text(&own.key),
            "--tls-client-ca",
            &ca,
            "--token-file",
            &tokens,
        ];
        Ok(Self {
            collector: Collector::start_at(place, &arguments)?,
            authority,
            url,
            ca,
            tokens,
        })
    }

    /// Fails unless an agent without a certificate of its own is turned away, and knows it.
    fn refuses_a_stranger(&self) -> Result<()> {
        let stranger = agent(Address::new()?, &self.url, &["--collector-ca", &self.ca])?;
        says(
            &stranger,
            CONNECT,
            &["no collector takes snapshots", "a client certificate"],
        )?;
        stranger.stop()
    }

    /// Fails unless one with a certificate is let in.
    fn takes_a_friend(&self) -> Result<()> {
        let pair = self.authority.sign("agent")?;
        let friend = agent(
            Address::new()?,
            &self.url,
            &[
                "--collector-ca",
                &self.ca,
                "--collector-cert",
                &text(&pair.certificate),
                "--collector-key",
                &text(&pair.key),
            ],
        )?;
        says(&friend, CONNECT, &["streaming to"])?;
        eventually(CONNECT, || self.answers_with_a_token())?;
        friend.stop()
    }

    fn answers_with_a_token(&self) -> Result<()> {
        let arguments = [
            "--tls-ca",
            &self.ca,
            "--token-file",
            &self.tokens,
            "targets",
            "--format",
            "json",
        ];
        let answer = profiler_at(&self.url, &arguments)?.succeeded()?;
        let answer: serde_json::Value = serde_json::from_str(&answer)?;
        let targets = answer["targets"].as_array();
        ensure!(
            targets.is_some_and(|targets| !targets.is_empty()),
            "no targets: {answer}"
        );
        Ok(())
    }

    fn asks_for_a_token(&self) -> Result<()> {
        let refused = profiler_at(&self.url, &["--tls-ca", &self.ca, "targets"])?;
        ensure!(
            refused.status.code() == Some(3),
            "it ended with {}; {}",
            refused.status,
            refused.errors
        );
        ensure!(
            refused.errors.contains("--token-file FILE"),
            "it does not say what to do; {}",
            refused.errors
        );
        Ok(())
    }

    fn shows_pages_with_a_token(&self) -> Result<()> {
        let basic = |token: &str| {
            let login = STANDARD.encode(format!("anyone:{token}"));
            format!("Basic {login}")
        };
        let get = |authorization: Option<String>| {
            let authority = self.authority.certificate();
            web::get(
                self.collector.place().web,
                authority,
                authorization.as_deref(),
            )
        };
        let page = get(None)?;
        let asks = page.text.to_lowercase().contains("www-authenticate: basic");
        ensure!(page.status == 401 && asks, "without a token: {page:?}");
        let page = get(Some(basic("another-that-is-wrong")))?;
        ensure!(page.status == 401, "with a wrong one: {page:?}");
        let page = get(Some(basic(TOKEN)))?;
        ensure!(
            page.status == 200 && page.text.contains("<html"),
            "with the right one: {page:?}"
        );
        Ok(())
    }
}

fn lets_in_who_proves_it() -> Outcome {
    let guarded = Guarded::start()?;
    guarded.refuses_a_stranger()?;
    guarded.takes_a_friend()?;
    guarded.asks_for_a_token()?;
    guarded.shows_pages_with_a_token()?;
    guarded.collector.stop()?;
    Ok(Verdict::Passed)
}
