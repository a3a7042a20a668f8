//! Opens the store that the configuration names, and the commands on it.

use std::{path::Path, process::ExitCode, sync::Arc};

use anyhow::{Context as _, Result, bail};

use crate::{
    config::{Config, StoreAt},
    store::{
        CheckReport, Store,
        clickhouse::{self, ClickHouse},
        sqlite::SqliteStore,
    },
};

/// For a collector: a damaged file is set aside, and said so.
pub(super) async fn open(config: &Config) -> Result<Arc<dyn Store>> {
    let path = match &config.store {
        StoreAt::Sqlite(path) => path,
        StoreAt::ClickHouse(url) => return Ok(Arc::new(clickhouse(config, url).await?)),
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("make the folder of the store, {}", folder.display()))?;
    }
    let (store, damaged) = SqliteStore::open_or_set_aside(path)?;
    if let Some(damaged) = damaged {
        tracing::error!(
            kept_as = %damaged.display(),
            "the store was damaged: it is set aside as it was, and a new one is begun"
        );
    }
    Ok(Arc::new(store))
}

async fn clickhouse(config: &Config, url: &str) -> Result<ClickHouse> {
    Ok(ClickHouse::open(clickhouse_settings(config, url)?).await?)
}

fn there(path: &Path) -> Result<&Path> {
    if !path.exists() {
        bail!("there is no store at {}", path.display());
    }
    Ok(path)
}

/// `url` is that of the server, with the database as its path.
fn clickhouse_settings(config: &Config, url: &str) -> Result<clickhouse::Settings> {
    let access = &config.clickhouse;
    let (server, database) = match url.trim_end_matches('/').rsplit_once('/') {
        Some((server, database)) if !server.ends_with('/') => (server, database),
        _ => bail!("store: {url} names no database: write for example {url}/profiler"),
    };
    let mut settings = clickhouse::Settings {
        url: server.to_owned(),
        database: database.to_owned(),
        authority: access.ca.clone(),
        plaintext: access.plaintext,
        ..clickhouse::Settings::default()
    };
    if let Some((user, file)) = &access.login {
        let password = std::fs::read_to_string(file)
            .with_context(|| format!("read clickhouse_password_file {}", file.display()))?;
        settings.user.clone_from(user);
        settings.password = password.trim_end_matches(['\r', '\n']).to_owned();
    }
    Ok(settings)
}

/// Looks through the store and prints what is wrong with it.
///
/// # Errors
/// It cannot be opened or read at all.
pub fn check(config: &Config, json: bool) -> Result<ExitCode> {
    let report = match &config.store {
        StoreAt::Sqlite(path) => SqliteStore::check_file(there(path)?)?,
        StoreAt::ClickHouse(url) => {
            block_on(async { Ok(clickhouse(config, url).await?.check().await?) })?
        }
    };
    match json {
        true => println!("{}", as_json(&report)),
        false => print_report(&report),
    }
    Ok(match report.problems.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(1),
    })
}

/// Copies the store to a new file.
///
/// # Errors
/// The copy cannot be made; nothing is left behind then.
pub fn backup(config: &Config, to: &Path) -> Result<()> {
    match &config.store {
        StoreAt::Sqlite(path) => SqliteStore::backup_file(there(path)?, to)?,
        StoreAt::ClickHouse(url) => {
            block_on(async { Ok(clickhouse(config, url).await?.backup(to).await?) })?;
        }
    }
    println!("{}", to.display());
    Ok(())
}

fn print_report(report: &CheckReport) {
    println!(
        "{} batches, {} definitions and {} events looked at, {} problems",
        report.batches,
        report.definitions,
        report.events,
        report.problems.len()
    );
    for problem in &report.problems {
        println!("  {problem}");
    }
    if !report.problems.is_empty() {
        println!(
            "what can be read is still answered from; to begin anew, move the file away while no \
             collector runs, or put a backup in its place"
        );
    }
}

fn as_json(report: &CheckReport) -> serde_json::Value {
    serde_json::json!({
        "batches": report.batches,
        "definitions": report.definitions,
        "events": report.events,
        "problems": report.problems,
    })
}

fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Runtime::new().context("start the runtime")?;
    runtime.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(path: &Path) -> Config {
        let options = crate::config::Options {
            store: path.to_str().map(str::to_owned),
            ..crate::config::Options::default()
        };
        Config::load(&options).expect("a configuration")
    }

    #[test]
    fn a_file_that_is_visibly_damaged_is_reported_and_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store.db");
        drop(SqliteStore::open(&path).expect("a store"));
        let good = check(&config(&path), false).expect("a report");
        assert_eq!(format!("{good:?}"), format!("{:?}", ExitCode::SUCCESS));

        let mut bytes = std::fs::read(&path).expect("the file");
        bytes[..100].fill(b'x');
        std::fs::write(&path, &bytes).expect("the file is written");
        let code = check(&config(&path), true).expect("a report");
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(1)));
        assert_eq!(std::fs::read(&path).expect("the file"), bytes);

        let missing = folder.path().join("missing.db");
        assert!(check(&config(&missing), false).is_err());
        assert!(!missing.exists());
    }
}
