//! Receivers that are away, slow, full or of another opinion.

use std::time::Duration;

use libtest_mimic::Trial;
use opentelemetry_proto::tonic::collector::profiles::v1development::ExportProfilesServiceRequest;
use prost::Message as _;
use tokio::{io::AsyncReadExt as _, net::TcpListener};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::{
    fixture::{BEGIN, SECOND},
    receiver::{Answer, Fleet, PROFILES, Receiver, anywhere, nowhere, settings, until},
    trial::trial,
};

pub(crate) fn trials() -> Vec<Trial> {
    let no_server = || Ok(());
    vec![
        trial(
            "a_receiver_that_was_away_gets_what_waited",
            no_server,
            async |()| away().await,
        ),
        trial(
            "a_connection_that_breaks_off_is_opened_again",
            no_server,
            async |()| {
                breaks_off().await;
            },
        ),
        trial("what_may_pass_is_tried_again", no_server, async |()| {
            passes().await;
        }),
        trial(
            "what_stays_refused_is_counted_and_left",
            no_server,
            async |()| {
                refused().await;
            },
        ),
        trial("a_receiver_says_when_to_try_again", no_server, async |()| {
            wished().await;
        }),
        trial(
            "a_slow_receiver_is_given_up_and_asked_again",
            no_server,
            async |()| {
                slow().await;
            },
        ),
        trial("a_partial_success_is_counted", no_server, async |()| {
            partial().await;
        }),
        trial(
            "the_oldest_give_way_when_too_much_waits",
            no_server,
            async |()| {
                full().await;
            },
        ),
    ]
}

async fn away() {
    let address = nowhere().await;
    let fleet = Fleet::exporting(settings(address)).await;
    fleet.export(0).await;
    until(|| fleet.counters.retries.get() >= 2).await;
    let receiver = Receiver::default();
    receiver.listen(address).await;
    until(|| fleet.counters.profiles_sent.get() == PROFILES).await;
    assert_eq!(receiver.came(|_| ()).len(), 1);
    assert_eq!(fleet.counters.profiles_dropped.get(), 0);
}

async fn breaks_off() {
    let listener = TcpListener::bind(anywhere()).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let fleet = Fleet::exporting(settings(address)).await;
    fleet.export(0).await;
    let (mut connection, _) = listener.accept().await.expect("a connection");
    drop(listener);
    let mut begin = [0; 512];
    connection.read_exact(&mut begin).await.expect("a request");
    drop(connection);
    until(|| fleet.counters.retries.get() >= 1).await;
    Receiver::default().listen(address).await;
    until(|| fleet.counters.profiles_sent.get() == PROFILES).await;
    assert_eq!(fleet.counters.profiles_rejected.get(), 0);
}

async fn passes() {
    let codes = [
        Code::Unavailable,
        Code::Cancelled,
        Code::DeadlineExceeded,
        Code::Aborted,
        Code::OutOfRange,
        Code::DataLoss,
    ];
    let script = codes.map(|code| Answer::Refuse(Status::new(code, "later")));
    let receiver = Receiver::that(script);
    let address = receiver.listen(anywhere()).await;
    let fleet = Fleet::exporting(settings(address)).await;
    fleet.export(0).await;
    until(|| fleet.counters.profiles_sent.get() == PROFILES).await;
    assert_eq!(fleet.counters.retries.get(), codes.len() as u64);
    let requests = receiver.came(|came| came.request.clone());
    assert!(
        requests.iter().all(|request| *request == requests[0]),
        "the same each time"
    );
}

async fn refused() {
    let receiver = Receiver::that([
        Answer::Refuse(Status::invalid_argument("I don't like it")),
        // Without a time it is the request that is too large.
        Answer::Refuse(Status::resource_exhausted("4 MiB and no more")),
    ]);
    let address = receiver.listen(anywhere()).await;
    let fleet = Fleet::exporting(settings(address)).await;
    for minute in 0..3 {
        fleet.export(minute).await;
    }
    until(|| fleet.counters.profiles_sent.get() == PROFILES).await;
    assert_eq!(fleet.counters.profiles_rejected.get(), 2 * PROFILES);
    assert_eq!(fleet.counters.retries.get(), 0);
}

async fn wished() {
    const WAIT: Duration = Duration::from_millis(700);
    let details = ErrorDetails::with_retry_info(Some(WAIT));
    let full = Status::with_error_details(Code::ResourceExhausted, "full", details);
    let receiver = Receiver::that([Answer::Refuse(full)]);
    let address = receiver.listen(anywhere()).await;
    let fleet = Fleet::exporting(settings(address)).await;
    fleet.export(0).await;
    until(|| fleet.counters.profiles_sent.get() == PROFILES).await;
    let times = receiver.came(|came| came.at);
    assert!(times[1] - times[0] >= WAIT, "{:?}", times[1] - times[0]);
}

async fn slow() {
    let receiver = Receiver::that([Answer::Slow(Duration::from_secs(60))]);
    let address = receiver.listen(anywhere()).await;
    let mut settings = settings(address);
    settings.limits.request = Duration::from_millis(300);
    let fleet = Fleet::exporting(settings).await;
    fleet.export(0).await;
    until(|| fleet.counters.profiles_sent.get() == PROFILES).await;
    assert_eq!(fleet.counters.retries.get(), 1);
}

async fn partial() {
    let receiver = Receiver::that([
        Answer::Partial(1, "one is too old"),
        Answer::Partial(0, "hm"),
    ]);
    let address = receiver.listen(anywhere()).await;
    let fleet = Fleet::exporting(settings(address)).await;
    fleet.export(0).await;
    fleet.export(1).await;
    until(|| fleet.counters.profiles_sent.get() == 2 * PROFILES - 1).await;
    assert_eq!(fleet.counters.profiles_rejected.get(), 1);
    assert_eq!(
        fleet.counters.retries.get(),
        0,
        "what was taken in part is not sent again"
    );
}

async fn full() {
    let address = nowhere().await;
    let mut settings = settings(address);
    // Room for one of three.
    settings.limits.waiting_bytes = bytes_of_a_request().await * 3 / 2;
    let fleet = Fleet::exporting(settings).await;
    for minute in 0..3 {
        fleet.export(minute).await;
    }
    until(|| fleet.counters.profiles_dropped.get() == 2 * PROFILES).await;
    let receiver = Receiver::default();
    receiver.listen(address).await;
    until(|| fleet.counters.profiles_sent.get() == PROFILES).await;
    let ends = receiver.came(|came| end(&came.request));
    assert_eq!(ends, [BEGIN + (15 + 3 * 60) * SECOND]);
}

async fn bytes_of_a_request() -> usize {
    let receiver = Receiver::default();
    let fleet = Fleet::exporting(settings(receiver.listen(anywhere()).await)).await;
    fleet.export(0).await;
    until(|| fleet.counters.profiles_sent.get() == PROFILES).await;
    receiver.came(|came| came.request.encoded_len())[0]
}

/// The moment that the live figures are of.
fn end(request: &ExportProfilesServiceRequest) -> u64 {
    request.resource_profiles[0].scope_profiles[0].profiles[0].time_unix_nano
}
