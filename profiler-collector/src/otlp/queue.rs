//! Requests that wait for the receiver.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use opentelemetry_proto::tonic::collector::profiles::v1development::ExportProfilesServiceRequest;
use prost::Message as _;
use tokio::sync::Notify;

use super::Counters;

/// A request, and what is asked about it often.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) request: ExportProfilesServiceRequest,
    pub(super) profiles: u64,
    bytes: usize,
}

impl Waiting {
    fn new(request: ExportProfilesServiceRequest) -> Self {
        let scopes = request.resource_profiles.iter();
        let scopes = scopes.flat_map(|resource| &resource.scope_profiles);
        Self {
            profiles: scopes.map(|scope| scope.profiles.len() as u64).sum(),
            bytes: request.encoded_len(),
            request,
        }
    }
}

/// Requests, oldest first. One side puts in, one takes out.
pub(super) struct Queue {
    state: Mutex<State>,
    bytes_max: usize,
    counters: Counters,
    added: Notify,
    changed: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// The last one that was taken came back.
    failing: bool,
}

impl Queue {
    pub(super) fn new(bytes_max: usize, counters: Counters) -> Self {
        Self {
            state: Mutex::default(),
            bytes_max,
            counters,
            added: Notify::new(),
            changed: Notify::new(),
        }
    }

    /// The newest. The oldest go if there is no room.
    pub(super) fn push(&self, request: ExportProfilesServiceRequest) {
        let waiting = Waiting::new(request);
        let mut state = self.lock();
        state.bytes += waiting.bytes;
        state.waiting.push_back(waiting);
        self.make_room(&mut state);
        drop(state);
        self.added.notify_one();
    }

    /// The receiver could not take it; it is the oldest again.
    pub(super) fn put_back(&self, waiting: Waiting) {
        let mut state = self.lock();
        state.bytes += waiting.bytes;
        state.waiting.push_front(waiting);
        state.failing = true;
        self.make_room(&mut state);
        drop(state);
        self.changed.notify_one();
    }

    /// The receiver answers.
    pub(super) fn works(&self) {
        self.lock().failing = false;
    }

    /// The oldest, as soon as there is one.
    pub(super) async fn take(&self) -> Waiting {
        loop {
            if let Some(waiting) = self.pop() {
                self.changed.notify_one();
                return waiting;
            }
            self.added.notified().await;
        }
    }

    /// As soon as the queue is less than half full: a receiver that is slower than the asking is
    /// waited for. One that takes nothing is not.
    pub(super) async fn room(&self) {
        while !self.has_room() {
            self.changed.notified().await;
        }
    }

    fn has_room(&self) -> bool {
        let state = self.lock();
        state.failing || state.bytes <= self.bytes_max / 2
    }

    fn pop(&self) -> Option<Waiting> {
        let mut state = self.lock();
        let waiting = state.waiting.pop_front()?;
        state.bytes -= waiting.bytes;
        Some(waiting)
    }

    fn make_room(&self, state: &mut State) {
        while state.bytes > self.bytes_max
            && let Some(oldest) = state.waiting.pop_front()
        {
            state.bytes -= oldest.bytes;
            self.counters.profiles_dropped.inc_by(oldest.profiles);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
