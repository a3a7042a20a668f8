//! The questions that everyone is asked.

use anyhow::{Context as _, Result, ensure};
use pbjson_types::Timestamp;
use profiler_proto::v1::{
    Connection, ConnectionFold, ConnectionOrder, DiffRequest, DiffResponse, GroupBy, GrowthRow,
    ListConnectionsRequest, ListConnectionsResponse, ListTargetsRequest, ListTargetsResponse,
    OrderBy, Selector, TopRequest, TopResponse,
};
use profiler_tests::Client;

use super::same::same;

const GROUPS: [GroupBy; 6] = [
    GroupBy::Stack,
    GroupBy::Process,
    GroupBy::Container,
    GroupBy::Function,
    GroupBy::Connection,
    GroupBy::Node,
];
const ORDERS: [OrderBy; 4] = [
    OrderBy::Live,
    OrderBy::Allocated,
    OrderBy::Freed,
    OrderBy::Events,
];
/// Everything that a test machine has.
const LARGEST: u32 = 10_000;
/// How the descriptions of questions without a selector say so.
pub(crate) const EVERYTHING: &str = "everything";
/// Rows of a page.
const PAGE: u32 = 2;

/// Moments that are kept by all, and what is asked about.
pub(crate) struct Scene {
    pub(crate) first: Timestamp,
    pub(crate) second: Timestamp,
    /// All was at rest long before.
    pub(crate) rest: Timestamp,
    pub(crate) service: Selector,
    pub(crate) server: Selector,
    /// One of the server's connections.
    pub(crate) connection: u64,
}

/// Answers, each with what was asked.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) targets: Vec<(String, ListTargetsResponse)>,
    pub(crate) tops: Vec<(String, TopResponse)>,
    pub(crate) diffs: Vec<(String, DiffResponse)>,
    pub(crate) connections: Vec<(String, ListConnectionsResponse)>,
}

impl Answers {
    /// Asks about kept moments.
    pub(crate) fn of_moments(client: &mut Client, scene: &Scene) -> Result<Self> {
        let mut answers = Self::default();
        for (who, selector) in scene.selectors() {
            answers.ask_targets(client, scene, who, &selector)?;
            for by in GROUPS {
                for order in ORDERS {
                    answers.ask_growth(client, scene, (who, &selector), (by, order))?;
                }
            }
        }
        answers.ask_one_connection(client, scene)?;
        answers.ask_pages(client, scene)?;
        Ok(answers)
    }

    /// Asks about connections, which are told as they are now.
    pub(crate) fn of_connections(client: &mut Client, scene: &Scene) -> Result<Self> {
        let mut answers = Self::default();
        // Agents send no others.
        let base = ListConnectionsRequest {
            selector: Some(scene.server.clone()),
            with_growth: true,
            ..Default::default()
        };
        let all = ListConnectionsRequest {
            limit: LARGEST,
            ..base.clone()
        };
        for order in orders() {
            let request = ListConnectionsRequest {
                order: order.into(),
                ..all.clone()
            };
            answers.ask_connections(client, format!("{order:?}"), request)?;
        }
        for fold in folds() {
            let request = ListConnectionsRequest {
                fold: fold.iter().map(|fold| (*fold).into()).collect(),
                ..all.clone()
            };
            answers.ask_connections(client, format!("{fold:?}"), request)?;
        }
        let mut request = ListConnectionsRequest { limit: 2, ..base };
        for page in 0.. {
            let next = answers.ask_connections(client, format!("page {page}"), request.clone())?;
            if next.is_empty() {
                ensure!(page > 0, "the test is void: there is one page");
                break;
            }
            request.page_token = next;
        }
        Ok(answers)
    }

    fn ask_targets(
        &mut self,
        client: &mut Client,
        scene: &Scene,
        who: &str,
        selector: &Selector,
    ) -> Result<()> {
        for include_exited in [false, true] {
            let request = ListTargetsRequest {
                selector: Some(selector.clone()),
                include_exited,
                at: Some(scene.second),
                ..Default::default()
            };
            let answer = client.targets(request).context("ListTargets")?;
            let what = format!("targets of {who}, exited {include_exited}");
            self.targets.push((what, answer));
        }
        Ok(())
    }

    fn ask_growth(
        &mut self,
        client: &mut Client,
        scene: &Scene,
        (who, selector): (&str, &Selector),
        (by, order): (GroupBy, OrderBy),
    ) -> Result<()> {
        let what = format!("{who} by {by:?} in the order of {order:?}");
        for since in [None, Some(scene.first)] {
            let request = TopRequest {
                selector: Some(selector.clone()),
                by: by.into(),
                order: order.into(),
                limit: LARGEST,
                at: Some(scene.second),
                since,
                include_unattributed: true,
                ..Default::default()
            };
            let mut answer = client
                .top(request)
                .with_context(|| format!("Top of {what}"))?;
            only_cookies(&mut answer.rows);
            let since = since.map_or("", |_| " since the first moment");
            self.tops.push((format!("top of {what}{since}"), answer));
        }
        let request = DiffRequest {
            selector: Some(selector.clone()),
            by: by.into(),
            order: order.into(),
            limit: LARGEST,
            from: Some(scene.first),
            to: Some(scene.second),
            include_unattributed: true,
            ..Default::default()
        };
        let mut answer = client
            .diff(request)
            .with_context(|| format!("Diff of {what}"))?;
        only_cookies(&mut answer.rows);
        self.diffs.push((format!("diff of {what}"), answer));
        Ok(())
    }

    fn ask_one_connection(&mut self, client: &mut Client, scene: &Scene) -> Result<()> {
        let request = TopRequest {
            selector: Some(scene.server.clone()),
            limit: LARGEST,
            at: Some(scene.second),
            connection: scene.connection,
            ..Default::default()
        };
        let answer = client.top(request).context("Top of one connection")?;
        ensure!(
            !answer.rows.is_empty(),
            "the test is void: nothing was demanded for the connection"
        );
        self.tops.push(("top of one connection".to_owned(), answer));
        let request = TopRequest {
            selector: Some(scene.server.clone()),
            by: GroupBy::Connection.into(),
            limit: LARGEST,
            at: Some(scene.rest),
            ..Default::default()
        };
        let answer = client.top(request).context("Top by connection at rest")?;
        self.tops
            .push(("top by connection at rest".to_owned(), answer));
        let request = DiffRequest {
            selector: Some(scene.server.clone()),
            against: Some(scene.service.clone()),
            by: GroupBy::Function.into(),
            limit: LARGEST,
            from: Some(scene.second),
            to: Some(scene.second),
            ..Default::default()
        };
        let answer = client.diff(request).context("Diff of two targets")?;
        self.diffs.push(("diff of two targets".to_owned(), answer));
        Ok(())
    }

    /// The pages have to be what the whole answer is, too.
    fn ask_pages(&mut self, client: &mut Client, scene: &Scene) -> Result<()> {
        let mut request = TopRequest {
            limit: LARGEST,
            at: Some(scene.second),
            include_unattributed: true,
            ..Default::default()
        };
        let whole = client.top(request.clone()).context("Top")?;
        request.limit = PAGE;
        let mut rows: Vec<GrowthRow> = Vec::new();
        loop {
            let page = client.top(request.clone()).context("a page of Top")?;
            rows.extend(page.rows);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        ensure!(
            rows.len() > PAGE as usize,
            "the test is void: there is one page"
        );
        same("pages and the whole answer", &rows, &whole.rows, &[])
    }

    fn ask_connections(
        &mut self,
        client: &mut Client,
        what: String,
        request: ListConnectionsRequest,
    ) -> Result<String> {
        let answer = client.connections(request);
        let answer = answer.with_context(|| format!("ListConnections: {what}"))?;
        let next = answer.next_page_token.clone();
        self.connections.push((what, answer));
        Ok(next)
    }
}

/// What connections did by now is not what they had done at a moment of the past: the agent knows
/// the first, and a collector what they had done by the whole batch before.
fn only_cookies(rows: &mut [GrowthRow]) {
    for connection in rows.iter_mut().filter_map(|row| row.connection.as_mut()) {
        *connection = Connection {
            cookie: connection.cookie,
            ..Connection::default()
        };
    }
}

impl Scene {
    /// Takes the moments that a collector has: a snapshot that took too long to write is missing
    /// there, and counted.
    pub(crate) fn keep(&mut self, collector: &mut Client) -> Result<()> {
        for moment in [&mut self.first, &mut self.second, &mut self.rest] {
            let request = TopRequest {
                at: Some(*moment),
                limit: 1,
                ..Default::default()
            };
            let snapshot = collector.top(request).context("Top")?.snapshot;
            *moment = snapshot.and_then(|it| it.time).context("no moment")?;
        }
        Ok(())
    }

    fn selectors(&self) -> [(&'static str, Selector); 3] {
        [
            (EVERYTHING, Selector::default()),
            ("the service", self.service.clone()),
            ("the server", self.server.clone()),
        ]
    }
}

fn orders() -> [ConnectionOrder; 8] {
    use ConnectionOrder::{
        Age, Allocated, Live, Queues, ReceivedBytes, ReceivedCalls, SentBytes, Slope,
    };
    [
        Live,
        Allocated,
        Slope,
        ReceivedBytes,
        ReceivedCalls,
        SentBytes,
        Age,
        Queues,
    ]
}

fn folds() -> Vec<Vec<ConnectionFold>> {
    use ConnectionFold::{Peer, Port, Protocol, Role};
    vec![
        vec![Role],
        vec![Peer],
        vec![Port],
        vec![Protocol],
        vec![Role, Peer, Port, Protocol],
    ]
}
