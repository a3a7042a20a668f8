//! A fleet in a can: three nodes, one of them silent, one with losses; seventy containers, one of
//! them restarted over and over; names chosen by somebody who means harm.

// The example has this file elsewhere in its tree.
#[path = "canned/verdicts.rs"]
mod verdicts;

use pbjson_types::Timestamp;
use profiler_proto::v1::{
    self, Accounting, Behalf, Connection, ConnectionClass, ConnectionEnd, ConnectionJoin,
    ConnectionProtocol, ConnectionRole, ConnectionState, DiffRequest, DiffResponse, Frame,
    FrameKind, GetStatusRequest, GetStatusResponse, GroupBy, GrowthRow, ListConnectionsRequest,
    ListConnectionsResponse, ListNodesRequest, ListNodesResponse, ListRangesRequest,
    ListRangesResponse, ListSeriesRequest, ListSeriesResponse, ListTargetsRequest,
    ListTargetsResponse, Loss, Node, NodeState, OwnerKind, Pattern, ReleaseBasis, Selector, Series,
    SeriesBy, SeriesPoint, Snapshot, Target, TargetState, TopRequest, TopResponse,
    query_server::Query,
};
use tonic::{Request, Response, Status};

pub(crate) const MIB: u64 = 1 << 20;
/// A name that must never become markup.
pub(crate) const HOSTILE: &str = "\"><script>alert(1)</script>&amp;'\u{202e}\x1b[2J";
/// The container that is restarted: it climbs for 90 minutes and starts again.
pub(crate) const CHECKOUT: &str =
    "7d1f03b29c5e4a86b0d2f7e1c3a5948670fedcba98765432100123456789abcd";
/// What all pages of the tests are about, unless a test says otherwise.
pub(crate) const FROM: &str = "2026-03-10T08:00:00Z";
pub(crate) const TO: &str = "2026-03-10T14:00:00Z";
const LIFE: i64 = 5_400;
const CONTAINERS: usize = 70;
/// One that is gone by the middle of the time asked for.
const ENDED: usize = 9;

/// Answers by what it is asked for; a selector with the process "refused", "missing", "busy",
/// "down", "slow" or "broken" gets the error that belongs to it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Canned;

async fn refuse(selector: Option<&Selector>) -> Result<(), Status> {
    let Some(name) = selector.and_then(|selector| selector.processes.first()) else {
        return Ok(());
    };
    Err(match name.as_str() {
        "refused" => Status::invalid_argument("a pattern has at most 64 characters"),
        "missing" => Status::not_found(format!("no process {HOSTILE}")),
        "busy" => Status::resource_exhausted("more than 4 queries at once"),
        "down" => Status::unavailable("the store is being opened"),
        "broken" => Status::internal("a row without its stack"),
        "slow" => {
            tokio::time::sleep(std::time::Duration::from_secs(60)).await;
            return Ok(());
        }
        _ => return Ok(()),
    })
}

fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds, nanos: 0 })
}

fn now() -> i64 {
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

fn target(index: usize) -> Target {
    let node = ["node-a", "node-b", "node-c"][index % 3];
    let base = Target {
        node: node.into(),
        container_kind: "containerd".into(),
        ..Target::default()
    };
    match index {
        0 => Target {
            container_id: CHECKOUT.into(),
            namespace: "shop".into(),
            pod: "checkout-6d5f9c7b8-x2x4k".into(),
            workload: "checkout".into(),
            image: "registry.example/shop/checkout:4.18.2".into(),
            ..base
        },
        1 => Target {
            container_id: HOSTILE.into(),
            namespace: HOSTILE.into(),
            pod: HOSTILE.into(),
            workload: HOSTILE.into(),
            image: HOSTILE.into(),
            ..base
        },
        2 => Target {
            unit: "postgresql@15-main.service".into(),
            container_kind: "systemd".into(),
            ..base
        },
        _ => Target {
            container_id: format!("{index:064x}"),
            namespace: "shop".into(),
            pod: format!(
                "{}-{index}",
                ["cart", "search", "mail", "images"][index % 4]
            ),
            workload: ["cart", "search", "mail", "images"][index % 4].into(),
            image: "registry.example/shop/service:2.0.1".into(),
            ..base
        },
    }
}

/// Live bytes of a container at a moment.
fn live(index: usize, seconds: i64) -> u64 {
    let wave = (seconds as f64 / 900.0 + index as f64).sin() * 6.0 + 6.0;
    let base = match index {
        0 => 80.0 + (seconds.rem_euclid(LIFE)) as f64 / LIFE as f64 * 410.0,
        _ => 40.0 + (index * 37 % 180) as f64,
    };
    ((base + wave) * MIB as f64) as u64
}

fn points(index: usize, from: i64, to: i64, most: u32) -> Vec<SeriesPoint> {
    let most = i64::from(if most == 0 { 120 } else { most });
    let times = (0..most).map(|number| from + (to - from) * number / (most - 1));
    times
        .map(|time| {
            let live = live(index, time);
            SeriesPoint {
                time: at(time),
                committed_bytes: live + 24 * MIB,
                committed_live_bytes: live,
                committed_allocated_bytes: live * 3,
                committed_freed_bytes: live * 2,
                processes: 1 + (index % 3) as u32,
            }
        })
        .collect()
}

fn series(index: usize, request: &ListSeriesRequest, from: i64, to: i64) -> Vec<Series> {
    let slope = [271.0, 12.5, 3.25]
        .get(index)
        .copied()
        .unwrap_or(2.0 - 0.1 * index as f64);
    let one = |from: i64, to: i64, alive: bool| Series {
        target: Some(Target {
            pid: if request.by() == SeriesBy::Process {
                4711
            } else {
                0
            },
            process_name: if request.by() == SeriesBy::Process {
                "node"
            } else {
                ""
            }
            .into(),
            ..target(index)
        }),
        first: at(from),
        last: at(to),
        alive,
        points: points(index, from, to, request.points),
        live_slope_bytes_per_hour: slope * MIB as f64,
    };
    let chosen = request.selector.clone().unwrap_or_default();
    let narrowed = !chosen.containers.is_empty() || !chosen.pods.is_empty();
    if index == ENDED {
        return vec![one(from, from + (to - from) / 2, false)];
    }
    if index != 0 || !narrowed {
        return vec![one(from, to, true)];
    }
    // Each life ends at a multiple of its length.
    let mut lives = Vec::new();
    let mut start = from;
    while start < to {
        let end = (start + LIFE - start.rem_euclid(LIFE)).min(to);
        lives.push(one(start, (end - 15).max(start), end == to));
        start = end;
    }
    lives
}

fn chosen(selector: &Selector) -> Vec<usize> {
    let fits = |values: &[String], name: &str| {
        values.is_empty() || values.iter().any(|value| name.starts_with(value.as_str()))
    };
    let container = |target: &Target| match target.container_id.as_str() {
        "" => target.unit.clone(),
        id => id.to_owned(),
    };
    let all = 0..CONTAINERS;
    all.filter(|index| {
        let target = target(*index);
        fits(&selector.containers, &container(&target))
            && fits(&selector.nodes, &target.node)
            && fits(&selector.workloads, &target.workload)
            && fits(&selector.images, &target.image)
            && fits(&selector.namespaces, &target.namespace)
            && fits(
                &selector.pods,
                &format!("{}/{}", target.namespace, target.pod),
            )
    })
    .collect()
}

fn frame(function: &str, file: &str, line: u32) -> Frame {
    Frame {
        function: function.into(),
        file: file.into(),
        line,
        module: "/usr/bin/node".into(),
        build_id: "0123456789abcdef0123".into(),
        module_offset: 0x1000 + u64::from(line),
        kind: FrameKind::Native.into(),
        inlined: false,
    }
}

fn stack(index: usize) -> Vec<Frame> {
    let jit = |function: &str| Frame {
        kind: FrameKind::Jit.into(),
        module: "[anon]".into(),
        ..frame(function, "", 0)
    };
    let mut frames = vec![
        frame("__mmap64", "sysdeps/unix/sysv/linux/mmap64.c", 58),
        frame(
            "v8::internal::MemoryAllocator::AllocateUninitializedPageChunk(unsigned long)",
            "src/heap/memory-allocator.cc",
            312,
        ),
        Frame {
            inlined: true,
            ..frame(
                "v8::internal::Heap::AllocateRaw",
                "src/heap/heap-inl.h",
                190,
            )
        },
    ];
    frames.extend(match index {
        0 => vec![
            jit("LRUCache.set /srv/app/cache.js:41"),
            jit("respond /srv/app/server.js:118"),
        ],
        1 => vec![frame(HOSTILE, HOSTILE, 7)],
        2 => vec![
            jit("parse /srv/app/body.js:12"),
            jit("onData /srv/app/server.js:74"),
        ],
        other => vec![jit(&format!(
            "handler{other} /srv/app/routes.js:{}",
            other * 9
        ))],
    });
    frames.push(jit("emit node:events:519"));
    frames.push(frame(
        "node::SpinEventLoopInternal(node::Environment*)",
        "src/api/embed_helpers.cc",
        41,
    ));
    frames.push(frame("main", "src/node_main.cc", 97));
    frames
}

fn row(index: usize, seconds: i64) -> GrowthRow {
    let share = [0.46, 0.18, 0.09].get(index).copied().unwrap_or(0.02);
    let live = (live(0, seconds) as f64 * share) as u64;
    GrowthRow {
        committed_live_bytes: live,
        committed_allocated_bytes: live * 3,
        committed_freed_bytes: live * 2,
        events: 400 / (index as u64 + 1),
        oldest_live_age_seconds: 5_100.0,
        newest_live_age_seconds: 2.0,
        frames: stack(index),
        truncated: index == 2,
        owner: OwnerKind::Stack.into(),
        pid: 4711 + index as u32,
        process_name: if index == 1 {
            HOSTILE.into()
        } else {
            "node".into()
        },
        container_id: CHECKOUT.into(),
        cgroup: format!("/kubepods.slice/pod/{HOSTILE}"),
        node: "node-a".into(),
        self_live_bytes: live / 2,
        stack_id: index as u64 + 1,
        ..GrowthRow::default()
    }
}

fn rows(by: GroupBy, seconds: i64) -> Vec<GrowthRow> {
    let mut rows: Vec<_> = (0..12).map(|index| row(index, seconds)).collect();
    match by {
        GroupBy::Unspecified | GroupBy::Stack => rows.push(GrowthRow {
            owner: OwnerKind::PreExisting.into(),
            frames: Vec::new(),
            committed_live_bytes: 31 * MIB,
            ..row(5, seconds)
        }),
        GroupBy::Function => {}
        GroupBy::Connection => {
            rows.truncate(4);
            for (index, row) in rows.iter_mut().enumerate() {
                row.frames.clear();
                row.behalf = Behalf::Connection.into();
                row.connection = Some(connection(index as u64));
            }
            rows[3].connection = None;
            rows[3].behalf = Behalf::HelperThread.into();
        }
        GroupBy::Process | GroupBy::Container | GroupBy::Node => {
            rows.truncate(3);
            rows.iter_mut().for_each(|row| row.frames.clear());
        }
    }
    rows
}

fn connection(index: u64) -> Connection {
    Connection {
        cookie: 8_193 + index,
        local: "10.0.0.1:8080".into(),
        peer: if index == 1 {
            format!("unix:/run/{HOSTILE}")
        } else {
            format!("10.0.3.{index}:51234")
        },
        role: ConnectionRole::Server.into(),
        protocol: ConnectionProtocol::Http2.into(),
        state: if index == 2 {
            ConnectionState::Closed
        } else {
            ConnectionState::Open
        }
        .into(),
        end: if index == 2 {
            ConnectionEnd::Reset
        } else {
            ConnectionEnd::Unspecified
        }
        .into(),
        pid: 4711,
        process_name: "node".into(),
        opened: at(now() - 5_000),
        received_calls: 1_402,
        received_bytes: 5 * MIB,
        committed_live_bytes: (9 - index) * 4 * MIB,
        committed_allocated_bytes: (9 - index) * 5 * MIB,
        live_bytes_per_call: 18_841.6,
        pattern: Pattern::RetainedWhileOpen.into(),
        connections: 1,
        node: "node-a".into(),
        ..Connection::default()
    }
}

fn class(endpoint: &str, pattern: Pattern, reason: &str, live: u64) -> ConnectionClass {
    ConnectionClass {
        pid: 4711,
        process_name: "node".into(),
        container_id: CHECKOUT.into(),
        role: ConnectionRole::Server.into(),
        protocol: ConnectionProtocol::Http2.into(),
        endpoint: endpoint.into(),
        pattern: pattern.into(),
        basis: ReleaseBasis::Committed.into(),
        reason: reason.into(),
        connections: 22,
        closed: 14,
        judged: 12,
        received_calls: 30_844,
        committed_allocated_bytes: live * 2,
        committed_live_bytes: live,
        bytes_per_call: 18_841.6,
        released_share: Some(0.97),
        late_growth: Some(0.98),
        late_growth_low: Some(0.91),
        late_growth_high: Some(1.05),
        node: "node-a".into(),
        ..ConnectionClass::default()
    }
}

fn accounting() -> Accounting {
    Accounting {
        events_seen: 48_213,
        captures_seen: 1_203,
        losses: vec![Loss {
            cause: "event_ring_full".into(),
            count: 12,
            meaning: format!("ledgers are rebuilt {HOSTILE}"),
        }],
        ledger_committed_bytes: 412 * MIB,
        stack_committed_bytes: 380 * MIB,
        unattributed_bytes: 32 * MIB,
        unattributed_share: 0.078,
        capture_interval_bytes: 65_536,
        ..Accounting::default()
    }
}

fn snapshot(moment: Option<Timestamp>) -> Snapshot {
    Snapshot {
        time: moment.or(at(now() - 4)),
        since: at(now() - 90_000),
    }
}

fn seconds(moment: Option<&Timestamp>) -> i64 {
    moment.map_or_else(now, |moment| moment.seconds)
}

type VerdictStream =
    std::pin::Pin<Box<dyn tokio_stream::Stream<Item = Result<v1::VerdictChange, Status>> + Send>>;

#[tonic::async_trait]
impl Query for Canned {
    async fn list_verdicts(
        &self,
        request: Request<v1::ListVerdictsRequest>,
    ) -> Result<Response<v1::ListVerdictsResponse>, Status> {
        let request = request.into_inner();
        refuse(request.selector.as_ref()).await?;
        verdicts::list(
            &request,
            chosen(&request.selector.clone().unwrap_or_default()),
        )
    }

    type WatchVerdictsStream = VerdictStream;

    async fn watch_verdicts(
        &self,
        _: Request<v1::WatchVerdictsRequest>,
    ) -> Result<Response<VerdictStream>, Status> {
        Err(Status::unimplemented("no page watches"))
    }

    async fn list_oom_kills(
        &self,
        request: Request<v1::ListOomKillsRequest>,
    ) -> Result<Response<v1::ListOomKillsResponse>, Status> {
        let request = request.into_inner();
        refuse(request.selector.as_ref()).await?;
        verdicts::kills(
            &request,
            &chosen(&request.selector.clone().unwrap_or_default()),
        )
    }

    async fn list_resident(
        &self,
        request: Request<v1::ListResidentRequest>,
    ) -> Result<Response<v1::ListResidentResponse>, Status> {
        let request = request.into_inner();
        refuse(request.selector.as_ref()).await?;
        verdicts::resident(
            &request,
            chosen(&request.selector.clone().unwrap_or_default()),
        )
    }

    async fn get_status(
        &self,
        _: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        Ok(Response::new(GetStatusResponse {
            version: "0.1.0".into(),
            node: "collector-1".into(),
            kernel: "6.18.0".into(),
            started: at(now() - 90_000),
            uptime: Some(std::time::Duration::from_secs(90_000).into()),
            accounting: Some(accounting()),
            processes_observed: 213,
            containers: CONTAINERS as u32,
            agent_resident_bytes: 96 * MIB,
            agent_cpu_seconds: 812.5,
            agent_pid: 977,
            history_bytes: 3 << 30,
            history_budget_bytes: 20 << 30,
            history_oldest: at(now() - 14 * 86_400),
            stacks: 48_112,
            modules: 310,
            notes: vec![format!(
                "retention drops what is older than 30 days {HOSTILE}"
            )],
            ..GetStatusResponse::default()
        }))
    }

    async fn list_targets(
        &self,
        request: Request<ListTargetsRequest>,
    ) -> Result<Response<ListTargetsResponse>, Status> {
        let request = request.into_inner();
        refuse(request.selector.as_ref()).await?;
        Ok(Response::new(ListTargetsResponse {
            targets: vec![Target {
                state: TargetState::Observed.into(),
                ..target(0)
            }],
            total: 213,
            snapshot: Some(snapshot(request.at)),
            accounting: Some(accounting()),
            ..ListTargetsResponse::default()
        }))
    }

    async fn top(&self, request: Request<TopRequest>) -> Result<Response<TopResponse>, Status> {
        let request = request.into_inner();
        refuse(request.selector.as_ref()).await?;
        if !matches!(request.page_token.as_str(), "" | "second") {
            return Err(Status::invalid_argument("no such page"));
        }
        let chosen = chosen(&request.selector.clone().unwrap_or_default());
        if chosen.is_empty() {
            return Err(Status::not_found("no such container"));
        }
        let rows = rows(request.by(), seconds(request.at.as_ref()));
        let pages = request.by() == GroupBy::Stack && request.page_token.is_empty();
        Ok(Response::new(TopResponse {
            total_rows: rows.len() as u32 + if pages { 3 } else { 0 },
            rows,
            snapshot: Some(snapshot(request.at)),
            accounting: Some(accounting()),
            next_page_token: if pages { "second" } else { "" }.into(),
        }))
    }

    async fn diff(&self, request: Request<DiffRequest>) -> Result<Response<DiffResponse>, Status> {
        let request = request.into_inner();
        refuse(request.selector.as_ref()).await?;
        let to = seconds(request.to.as_ref());
        let from = request.from.as_ref().map_or(to, |from| from.seconds);
        if from > to {
            return Err(Status::invalid_argument("from is after to"));
        }
        let before = rows(request.by(), from);
        let mut rows = rows(request.by(), to);
        for (index, row) in rows.iter_mut().enumerate() {
            let earlier = if index == 3 {
                40 * MIB
            } else {
                before[index].committed_live_bytes / 2
            };
            row.live_delta_bytes = row.committed_live_bytes as i64 - earlier as i64;
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.live_delta_bytes));
        Ok(Response::new(DiffResponse {
            total_rows: rows.len() as u32,
            rows,
            from: at(from),
            to: at(to),
            accounting: Some(accounting()),
            next_page_token: String::new(),
        }))
    }

    async fn list_ranges(
        &self,
        _: Request<ListRangesRequest>,
    ) -> Result<Response<ListRangesResponse>, Status> {
        Err(Status::unimplemented("no page asks for ranges"))
    }

    async fn list_connections(
        &self,
        request: Request<ListConnectionsRequest>,
    ) -> Result<Response<ListConnectionsResponse>, Status> {
        refuse(request.get_ref().selector.as_ref()).await?;
        let rises = "live bytes rise with calls without a plateau and are given back at close";
        Ok(Response::new(ListConnectionsResponse {
            connections: (0..6).map(connection).collect(),
            classes: vec![
                class(HOSTILE, Pattern::NoGrowth, HOSTILE, 0),
                class(":8080", Pattern::RetainedWhileOpen, rises, 301 * MIB),
            ],
            joins: vec![ConnectionJoin {
                container_id: CHECKOUT.into(),
                joined_bytes: 371 * MIB,
                no_connection_bytes: 28 * MIB,
                helper_thread_bytes: 13 * MIB,
                joined_share: 0.9,
                no_connection_share: 0.07,
                helper_thread_share: 0.03,
                open_connections: 22,
                node: "node-a".into(),
                ..ConnectionJoin::default()
            }],
            total: 22,
            total_classes: 2,
            snapshot: Some(snapshot(None)),
            accounting: Some(accounting()),
            ..ListConnectionsResponse::default()
        }))
    }

    async fn list_series(
        &self,
        request: Request<ListSeriesRequest>,
    ) -> Result<Response<ListSeriesResponse>, Status> {
        let request = request.into_inner();
        refuse(request.selector.as_ref()).await?;
        if request.points > 2_000 || request.limit > 1_000 {
            return Err(Status::invalid_argument("too many points or series"));
        }
        let chosen = chosen(&request.selector.clone().unwrap_or_default());
        let (from, to) = (seconds(request.from.as_ref()), seconds(request.to.as_ref()));
        let all: Vec<_> = chosen
            .into_iter()
            .flat_map(|index| series(index, &request, from, to))
            .collect();
        Ok(Response::new(ListSeriesResponse {
            total: all.len() as u32,
            series: all.into_iter().take(request.limit as usize).collect(),
            from: request.from,
            to: request.to.or(at(now())),
        }))
    }

    async fn list_nodes(
        &self,
        request: Request<ListNodesRequest>,
    ) -> Result<Response<ListNodesResponse>, Status> {
        refuse(request.get_ref().selector.as_ref()).await?;
        let node = |name: &str| Node {
            node: name.into(),
            state: NodeState::Reporting.into(),
            agent_version: "0.1.0".into(),
            kernel: "6.18.0".into(),
            last_batch: at(now() - 4),
            batches: 8_640,
            targets: 71,
            committed_bytes: 6 << 30,
            ..Node::default()
        };
        let mut nodes: Vec<_> = (0..9).map(|index| node(&format!("node-{index}"))).collect();
        nodes.extend([
            node("node-a"),
            Node {
                losses: accounting().losses,
                batches_missing: 3,
                kernel: HOSTILE.into(),
                ..node("node-b")
            },
            Node {
                state: NodeState::Silent.into(),
                last_batch: at(now() - 4_000),
                ..node("node-c")
            },
        ]);
        Ok(Response::new(ListNodesResponse { nodes }))
    }
}
