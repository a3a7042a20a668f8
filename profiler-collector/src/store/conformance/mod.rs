//! What every engine of the store has to pass. An engine's test gives a function that makes a new,
//! empty store, and calls [`run`]; it plants damage of its own kind for [`finds_damage`].

mod checking;
mod definitions;
mod events;
pub mod fixtures;
mod retention;
mod states;
mod writing;

use std::{pin::Pin, sync::Arc};

pub use self::checking::finds_damage;
use super::Store;

type Passed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A check by name. It panics if the store does not pass.
struct Check {
    name: &'static str,
    start: fn(Arc<dyn Store>) -> Passed,
}

/// A list of checks, each named as its function.
macro_rules! checks {
    ($($module:ident::$name:ident),* $(,)?) => {
        [$(Check {
            name: stringify!($name),
            start: |store| Box::pin($module::$name(store)),
        }),*]
    };
}

/// Runs all checks, each on a new store.
///
/// # Panics
/// If one or more are not passed; the message names them all.
pub async fn run(make: impl AsyncFn() -> Arc<dyn Store>) {
    let checks = checks![
        writing::a_repeated_batch_is_left_as_it_is,
        writing::a_call_is_kept_as_a_whole_or_not_at_all,
        writing::runs_are_listed_by_node_and_start,
        writing::facts_come_back_as_they_were_given,
        writing::many_writers_at_once_lose_and_repeat_nothing,
        states::a_state_is_the_last_whole_batch_and_what_follows,
        states::a_state_ends_before_a_gap,
        states::batches_may_come_in_any_order,
        states::each_run_has_its_own_state,
        states::a_run_without_recent_batches_is_left_out,
        states::only_the_kinds_asked_for_are_read,
        states::parts_of_unknown_kinds_are_kept,
        states::whole_batches_are_spread_over_the_time,
        definitions::numbers_stand_for_stacks,
        definitions::definitions_are_the_same_for_all_runs,
        definitions::a_stack_without_frames_gets_them_later,
        retention::old_batches_are_thinned_out_by_age,
        retention::what_is_young_can_be_read_after_thinning,
        retention::a_run_that_is_too_old_goes_with_its_definitions,
        retention::the_oldest_go_when_the_store_is_full,
        retention::writers_go_on_while_old_batches_go,
        events::events_come_back_the_latest_first,
        events::pages_of_events_go_on_where_the_last_ended,
        events::events_are_chosen_and_counted_by_node,
        events::a_node_with_many_events_takes_none_from_others,
        events::a_repeated_event_is_left_as_it_is,
        events::an_event_that_makes_no_sense_is_refused_with_its_call,
        events::events_stay_when_their_batches_go,
        events::the_oldest_events_go_when_there_are_too_many,
        events::a_check_counts_events,
        checking::a_good_store_has_no_problems,
        checking::a_number_that_is_not_known_is_a_problem,
        checking::parts_that_cannot_be_read_are_problems,
    ];
    let mut failed = Vec::new();
    for check in checks {
        let store = make().await;
        if let Err(error) = tokio::spawn((check.start)(store)).await {
            failed.push(format!("{}: {error}", check.name));
        }
    }
    assert!(failed.is_empty(), "not passed:\n{}", failed.join("\n"));
}
