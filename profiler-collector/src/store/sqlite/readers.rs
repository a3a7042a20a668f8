//! A few connections that only read, each used by one question at a time on a blocking thread.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, Transaction};
use tokio::{sync::Semaphore, task};

use super::schema;
use crate::store::StoreError;

/// Questions that are read at one time; others wait.
const CONNECTIONS: usize = 4;

/// The connections.
pub(super) struct Readers {
    free: Arc<Mutex<Vec<Connection>>>,
    places: Arc<Semaphore>,
    path: Arc<Path>,
}

impl Readers {
    pub(super) fn new(path: Arc<Path>) -> Self {
        Self {
            free: Arc::default(),
            places: Arc::new(Semaphore::new(CONNECTIONS)),
            path,
        }
    }

    /// Runs `read` on one state of the store.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let place = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .map_err(|error| StoreError::Internal(error.to_string()))?;
        let (free, path) = (Arc::clone(&self.free), Arc::clone(&self.path));
        let work = move || {
            // Held to the end of the work, which goes on if nobody waits for it any more.
            let _place = place;
            let taken = free.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut db = taken.map_or_else(|| schema::open_reader(&path), Ok)?;
            let result = read(&db.transaction()?);
            free.lock().unwrap_or_else(PoisonError::into_inner).push(db);
            result
        };
        task::spawn_blocking(work)
            .await
            .map_err(|error| StoreError::Internal(format!("a question to the store: {error}")))?
    }
}
