//! Kills and changes of verdicts, each in several batches: one of them may be dropped on the way, and
//! a collector stores an event once.

use std::{collections::VecDeque, sync::Arc};

use profiler_proto::v1;

/// Whole batches that an event is in.
const TIMES: u32 = 3;
/// Events that wait for their batches; the oldest go, which have been in one at least.
const WAITING: usize = 512;

/// Events of this run that are still to be sent.
#[derive(Debug, Default)]
pub(super) struct Events {
    waiting: VecDeque<Waiting>,
    /// The number of the newest.
    last: u64,
}

#[derive(Debug)]
struct Waiting {
    event: Arc<v1::Event>,
    /// It was in some batch.
    sent: bool,
    /// Whole batches that it is still to be in.
    wholes: u32,
}

impl Events {
    /// The number after which events are new.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Takes in new ones, and returns those of the next batch: a whole one has all that wait, others
    /// what is new.
    pub(super) fn next(&mut self, new: Vec<Arc<v1::Event>>, whole: bool) -> Option<v1::EventsPart> {
        for event in new {
            self.last = self.last.max(event.number);
            self.waiting.push_back(Waiting {
                event,
                sent: false,
                wholes: TIMES,
            });
        }
        while self.waiting.len() > WAITING {
            self.waiting.pop_front();
        }
        let mut events = Vec::new();
        for one in &mut self.waiting {
            if whole || !one.sent {
                events.push(v1::Event::clone(&one.event));
            }
            one.sent = true;
            one.wholes -= u32::from(whole);
        }
        self.waiting.retain(|one| one.wholes > 0);
        (!events.is_empty()).then_some(v1::EventsPart { events })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u64) -> Arc<v1::Event> {
        Arc::new(v1::Event {
            number,
            ..v1::Event::default()
        })
    }

    fn numbers(part: Option<v1::EventsPart>) -> Vec<u64> {
        let events = part.map(|part| part.events).unwrap_or_default();
        events.iter().map(|event| event.number).collect()
    }

    #[test]
    fn an_event_is_sent_at_once_and_in_the_next_three_whole_batches() {
        let mut events = Events::default();
        assert_eq!(
            numbers(events.next(vec![event(1), event(2)], false)),
            [1, 2]
        );
        assert_eq!(events.last(), 2);
        assert!(numbers(events.next(vec![], false)).is_empty());
        assert_eq!(numbers(events.next(vec![event(3)], true)), [1, 2, 3]);
        assert_eq!(numbers(events.next(vec![], true)), [1, 2, 3]);
        assert!(numbers(events.next(vec![], false)).is_empty());
        assert_eq!(numbers(events.next(vec![], true)), [1, 2, 3]);
        assert!(numbers(events.next(vec![], true)).is_empty());
    }
}
