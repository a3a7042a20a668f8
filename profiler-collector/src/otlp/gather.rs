//! From questions to requests.

use std::collections::HashMap;

use pbjson_types::Timestamp;
use profiler_formats::otlp::{Figure, Interval, Requests};
use profiler_proto::v1;
use tonic::{Code, Request, Status};

use super::Exporter;

/// Rows of one answer: with their frames they take some MB.
const PAGE: u32 = 2_000;

type Building = Requests<fn() -> [u8; 16]>;
/// Of a node, by pid, container and name.
type Targets = HashMap<(u32, String, String), v1::Target>;

/// Asks for all nodes that report.
pub(super) async fn gather(exporter: &Exporter, interval: Interval) -> Result<(), Status> {
    let request = Request::new(v1::ListNodesRequest::default());
    let nodes = exporter.query.list_nodes(request).await?.into_inner().nodes;
    let reporting = nodes
        .into_iter()
        .filter(|node| node.state() == v1::NodeState::Reporting);
    let mut building: Building = Requests::new(interval, rand::random);
    for node in reporting {
        exporter.queue.room().await;
        let asking = Asking {
            exporter,
            interval,
            node: &node.node,
        };
        match asking.node(&mut building).await {
            Ok(()) => {}
            // Nothing is kept of that time: the collector or its store is new.
            Err(status) if status.code() == Code::OutOfRange => {}
            Err(status) => {
                exporter.counters.questions_failed.inc();
                tracing::warn!(
                    node = node.node,
                    reason = status.message(),
                    "not exported over OTLP"
                );
            }
        }
    }
    if let Some(last) = building.finish() {
        exporter.queue.push(last);
    }
    Ok(())
}

/// One node at a time.
struct Asking<'a> {
    exporter: &'a Exporter,
    interval: Interval,
    node: &'a str,
}

struct Page {
    rows: Vec<v1::GrowthRow>,
    total: u32,
    next: String,
}

impl Asking<'_> {
    async fn node(&self, building: &mut Building) -> Result<(), Status> {
        let targets = self.targets().await?;
        for figure in [Figure::Live, Figure::Allocated] {
            self.rows(figure, &targets, building).await?;
        }
        Ok(())
    }

    async fn targets(&self) -> Result<Targets, Status> {
        let request = Request::new(v1::ListTargetsRequest {
            selector: self.selector(),
            include_exited: true,
            at: Some(timestamp(self.interval.to)),
            ..v1::ListTargetsRequest::default()
        });
        let answer = self.exporter.query.list_targets(request).await?;
        let mut targets = Targets::new();
        for target in answer.into_inner().targets {
            let (container, name) = (target.container_id.clone(), target.process_name.clone());
            targets
                .entry((target.pid, container, name))
                .or_insert(target);
        }
        Ok(targets)
    }

    /// The largest rows, page by page, into requests.
    async fn rows(
        &self,
        figure: Figure,
        targets: &Targets,
        building: &mut Building,
    ) -> Result<(), Status> {
        let Exporter { counters, .. } = self.exporter;
        let (mut taken, mut token) = (0, String::new());
        loop {
            let page = self.page(figure, token).await?;
            taken += page.rows.len();
            for row in &page.rows {
                self.add(figure, row, targets, building);
            }
            if page.next.is_empty() {
                return Ok(());
            }
            if taken >= self.exporter.settings.limits.rows {
                let rest = (page.total as usize).saturating_sub(taken);
                counters.rows_left_out.inc_by(rest as u64);
                return Ok(());
            }
            token = page.next;
        }
    }

    fn add(&self, figure: Figure, row: &v1::GrowthRow, targets: &Targets, building: &mut Building) {
        let key = (row.pid, row.container_id.clone(), row.process_name.clone());
        let added = match targets.get(&key) {
            Some(target) => building.add(figure, row, target),
            None => building.add(figure, row, &named(row)),
        };
        match added {
            Ok(Some(full)) => self.exporter.queue.push(full),
            Ok(None) => {}
            Err(_too_large) => {
                self.exporter.counters.rows_left_out.inc();
            }
        }
    }

    async fn page(&self, figure: Figure, page_token: String) -> Result<Page, Status> {
        let limit = PAGE.min(u32::try_from(self.exporter.settings.limits.rows).unwrap_or(PAGE));
        let (selector, by) = (self.selector(), v1::GroupBy::Stack.into());
        let query = &self.exporter.query;
        let to = Some(timestamp(self.interval.to));
        if figure == Figure::Live {
            let request = Request::new(v1::TopRequest {
                selector,
                by,
                order: v1::OrderBy::Live.into(),
                limit,
                at: to,
                include_unattributed: true,
                page_token,
                ..v1::TopRequest::default()
            });
            let answer = query.top(request).await?.into_inner();
            return Ok(Page {
                rows: answer.rows,
                total: answer.total_rows,
                next: answer.next_page_token,
            });
        }
        let request = Request::new(v1::DiffRequest {
            selector,
            by,
            order: v1::OrderBy::Allocated.into(),
            limit,
            from: Some(timestamp(self.interval.from)),
            to,
            include_unattributed: true,
            page_token,
            ..v1::DiffRequest::default()
        });
        let answer = query.diff(request).await?.into_inner();
        Ok(Page {
            rows: answer.rows,
            total: answer.total_rows,
            next: answer.next_page_token,
        })
    }

    fn selector(&self) -> Option<v1::Selector> {
        Some(v1::Selector {
            nodes: vec![self.node.to_owned()],
            ..v1::Selector::default()
        })
    }
}

/// What a row itself tells of its process, which was gone at the end of the interval.
fn named(row: &v1::GrowthRow) -> v1::Target {
    v1::Target {
        pid: row.pid,
        process_name: row.process_name.clone(),
        container_id: row.container_id.clone(),
        cgroup: row.cgroup.clone(),
        node: row.node.clone(),
        ..v1::Target::default()
    }
}

fn timestamp(nanoseconds: u64) -> Timestamp {
    const SECOND: u64 = 1_000_000_000;
    Timestamp {
        seconds: (nanoseconds / SECOND).cast_signed(),
        nanos: (nanoseconds % SECOND) as i32,
    }
}
