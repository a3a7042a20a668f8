use std::sync::{Arc, Mutex};

use profiler_analysis::verdict::State;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_stream::StreamExt as _;
use tonic::{Code, Request};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_server::Health as _,
};

use super::{
    Growth, Health, HealthReading, HealthRules, Lookup, Probe, Verdicts, grpc::ByName, http,
};

const SECOND: u64 = 1_000_000_000;

const OLD: Growth = Growth {
    rises: true,
    old_enough: true,
    latest_seconds: None,
};

fn reading(time: u64, state: State, percent: u64, forecast: Option<f64>) -> HealthReading {
    HealthReading {
        time: time * SECOND,
        state,
        growth: OLD,
        bytes: percent,
        limit: Some(100),
        limit_alone: Some(100),
        time_to_limit_seconds: forecast,
    }
}

/// Whether it is healthy after each of these, ten seconds apart.
fn course(readings: &[(State, u64, Option<f64>)]) -> Vec<bool> {
    let (rules, mut probe) = (HealthRules::default(), Probe::default());
    let times = (0..).step_by(10);
    let healthy = readings
        .iter()
        .zip(times)
        .map(|(&(state, percent, forecast), time)| {
            probe.observe(&rules, reading(time, state, percent, forecast));
            probe.health(&rules, time * SECOND).healthy
        });
    healthy.collect()
}

/// Whether it is healthy after so many readings like this one.
fn after(times: u64, of: HealthReading) -> bool {
    let (rules, mut probe) = (HealthRules::default(), Probe::default());
    for time in (1..=times).map(|turn| turn * 10 * SECOND) {
        probe.observe(&rules, HealthReading { time, ..of });
    }
    probe.health(&rules, times * 10 * SECOND).healthy
}

#[test]
fn much_memory_is_ill_only_when_it_grows() {
    let full = |state| after(3, reading(0, state, 95, None));
    assert!(full(State::Steady) && full(State::Undetermined) && full(State::WarmingUp));
    assert!(!full(State::Growing) && !full(State::Leaking) && !full(State::SawtoothLeak));
    assert!(after(3, reading(0, State::Leaking, 80, None)));
}

#[test]
fn a_near_forecast_is_ill_at_any_share() {
    let near = |seconds| after(3, reading(0, State::Growing, 5, Some(seconds)));
    assert!(!near(1_799.0) && near(1_801.0));
}

#[test]
fn one_or_two_readings_make_nothing_ill() {
    let (ill, well) = ((State::Leaking, 90, Some(60.0)), (State::Steady, 90, None));
    assert_eq!(
        course(&[ill, ill, well, ill, ill, ill]),
        [true, true, true, true, true, false]
    );
}

#[test]
fn it_is_well_again_when_it_does_not_grow_however_much_it_has() {
    let (ill, still) = ((State::Growing, 82, None), (State::Steady, 82, None));
    assert_eq!(
        course(&[ill, ill, ill, still, still, still]),
        [true, true, false, false, false, true]
    );
    let (rules, mut probe) = (HealthRules::default(), Probe::default());
    for (time, percent) in [(10, 82), (20, 82), (30, 84), (40, 78)] {
        probe.observe(&rules, reading(time, State::Leaking, percent, None));
    }
    let reason = probe.health(&rules, 40 * SECOND).reason;
    assert!(
        reason.contains("78%") && reason.contains("0 of 3"),
        "{reason}"
    );
}

#[test]
fn while_it_grows_it_is_well_again_after_three_calm_readings_in_a_row() {
    let (ill, edge, calm) = (
        (State::Leaking, 81, None),
        (State::Leaking, 78, None),
        (State::Leaking, 70, None),
    );
    let readings = [ill, ill, ill, edge, calm, calm, edge, calm, calm, calm];
    let healthy = course(&readings);
    assert_eq!(healthy[2..9], [false; 7]);
    assert!(healthy[9]);
    let (near, middle, far) = (
        (State::Growing, 5, Some(100.0)),
        (State::Growing, 5, Some(3_000.0)),
        (State::Growing, 5, Some(4_000.0)),
    );
    let healthy = course(&[near, near, near, middle, middle, middle, far, far, far]);
    assert_eq!(healthy[2..8], [false; 6]);
    assert!(healthy[8]);
}

#[test]
fn what_others_of_its_lineage_did_makes_nothing_ill() {
    let masked = |rises| HealthReading {
        growth: Growth { rises, ..OLD },
        ..reading(0, State::RestartMaskedLeak, 90, None)
    };
    assert!(after(10, masked(false)));
    assert!(!after(10, masked(true)));
}

#[test]
fn a_start_that_fills_memory_is_not_ended() {
    let young = |percent, latest_seconds| HealthReading {
        growth: Growth {
            old_enough: false,
            latest_seconds,
            ..OLD
        },
        ..reading(0, State::Growing, percent, Some(100.0))
    };
    assert!(after(60, young(60, Some(200.0))));
    assert!(after(60, young(85, None)));
    assert!(after(11, young(85, Some(200.0))));
    assert!(!after(12, young(85, Some(200.0))));
}

#[test]
fn what_others_hold_of_a_limit_around_both_makes_nothing_ill() {
    let beside = |bytes, limit| HealthReading {
        bytes,
        limit: Some(limit),
        limit_alone: Some(2_000),
        ..reading(0, State::Growing, 0, Some(60.0))
    };
    assert!(after(10, beside(17, 20)));
    assert!(!after(10, beside(1_100, 1_200)));
}

#[test]
fn what_is_not_known_any_more_is_healthy_and_says_so() {
    let (rules, mut probe) = (HealthRules::default(), Probe::default());
    assert_eq!(probe.health(&rules, 0).state, "unknown");
    let ill = |time| reading(time, State::Leaking, 90, Some(60.0));
    assert!(!probe.observe(&rules, ill(80)) && !probe.observe(&rules, ill(90)));
    assert!(probe.observe(&rules, ill(100)));
    let ill = probe.health(&rules, 130 * SECOND);
    assert!(!ill.healthy && ill.state == "leaking" && ill.reason.contains("1 min"));
    let stale = probe.health(&rules, 131 * SECOND);
    assert!(stale.healthy && stale.state == "unknown" && stale.time_to_limit_seconds.is_none());
}

#[derive(Default)]
struct Fake(Mutex<bool>);

impl Verdicts for Fake {
    fn container(&self, prefix: &str) -> Lookup {
        match prefix {
            "good" => Lookup::Found(Health {
                healthy: true,
                state: "steady".to_owned(),
                ..Health::default()
            }),
            "bad" => Lookup::Found(Health {
                healthy: *self.0.lock().unwrap(),
                state: "leaking".to_owned(),
                reason: "it grows".to_owned(),
                time_to_limit_seconds: Some(60.0),
            }),
            "a" => Lookup::Ambiguous(2),
            _ => Lookup::Unknown,
        }
    }

    fn pod(&self, uid: &str) -> Lookup {
        self.container(uid)
    }

    fn ready(&self) -> bool {
        *self.0.lock().unwrap()
    }
}

/// (status, body)
async fn get(address: std::net::SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap();
    (status.parse().unwrap(), body.to_owned())
}

#[tokio::test]
async fn probes_over_http() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let fake = Arc::new(Fake::default());
    tokio::spawn(http::serve(listener, fake.clone(), std::future::pending()));
    assert_eq!(get(address, "/healthz").await.0, 200);
    assert_eq!(get(address, "/readyz").await.0, 503);
    assert_eq!(get(address, "/health/container/good").await.0, 200);
    let (status, body) = get(address, "/health/container/bad").await;
    assert_eq!(status, 503);
    let expected =
        r#"{"healthy":false,"state":"leaking","reason":"it grows","time_to_limit_seconds":60.0}"#;
    assert_eq!(body, expected);
    assert_eq!(get(address, "/health/pod/bad").await.0, 503);
    for (path, strict) in [("/health/container/a", 400), ("/health/pod/none", 404)] {
        let (status, body) = get(address, path).await;
        assert!(
            status == 200 && body.contains(r#""state":"unknown""#),
            "{body}"
        );
        assert_eq!(get(address, &format!("{path}?x&strict=1")).await.0, strict);
    }
    assert_eq!(get(address, "/else").await.0, 404);
    *fake.0.lock().unwrap() = true;
    assert_eq!(get(address, "/readyz").await.0, 200);
}

#[tokio::test]
async fn who_only_holds_connections_keeps_no_probe_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let fake = Arc::new(Fake::default());
    tokio::spawn(http::serve(listener, fake, std::future::pending()));
    let mut held = Vec::new();
    for _ in 0..400 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /healthz").await.unwrap();
        held.push(stream);
        tokio::task::yield_now().await;
    }
    assert_eq!(get(address, "/healthz").await.0, 200);
}

#[tokio::test]
async fn names_of_containers_and_pods_are_answered_over_grpc_and_others_handed_on() {
    let (reporter, _) = tonic_health::server::health_reporter();
    let others = tonic_health::server::HealthService::from_health_reporter(reporter);
    let fake = Arc::new(Fake::default());
    let health = ByName::new(others, fake.clone());
    let ask = |name: &str| {
        Request::new(HealthCheckRequest {
            service: name.to_owned(),
        })
    };
    let status = async |name: &str| {
        let answer = health.check(ask(name)).await;
        answer
            .map(|answer| answer.into_inner().status())
            .map_err(|error| error.code())
    };
    assert_eq!(status("").await, Ok(ServingStatus::Serving));
    assert_eq!(status("container/good").await, Ok(ServingStatus::Serving));
    assert_eq!(status("pod/bad").await, Ok(ServingStatus::NotServing));
    assert_eq!(status("container/a").await, Ok(ServingStatus::Serving));
    assert_eq!(status("container/none").await, Ok(ServingStatus::Serving));
    assert_eq!(status("else").await, Err(Code::NotFound));

    let mut changes = health
        .watch(ask("container/bad"))
        .await
        .unwrap()
        .into_inner();
    let first = changes.next().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::NotServing);
    *fake.0.lock().unwrap() = true;
    let next = changes.next().await.unwrap().unwrap();
    assert_eq!(next.status(), ServingStatus::Serving);
    let mut none = health.watch(ask("pod/none")).await.unwrap().into_inner();
    assert_eq!(
        none.next().await.unwrap().unwrap().status(),
        ServingStatus::Serving
    );
}
