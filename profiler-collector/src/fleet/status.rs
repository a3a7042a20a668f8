//! What goes wrong, as the asker gets it.

use tonic::Status;

use crate::store::StoreError;

/// A store's error.
pub(crate) fn of_store(error: StoreError) -> Status {
    match error {
        StoreError::Unavailable(why) => Status::unavailable(why),
        StoreError::Damaged(why) => Status::data_loss(format!("the store is damaged: {why}")),
        StoreError::TooMuch(why) | StoreError::Refused(why) => Status::resource_exhausted(why),
        StoreError::Internal(why) => Status::internal(why),
    }
}

/// A task that did not come to its end.
#[expect(clippy::needless_pass_by_value, reason = "what map_err takes")]
pub(crate) fn failed(error: tokio::task::JoinError) -> Status {
    Status::internal(format!("answering failed: {error}"))
}
