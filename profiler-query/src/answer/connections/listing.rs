//! The order of connections, and the page of them that is sent.

use std::{cmp::Reverse, collections::HashMap};

use profiler_proto::v1::{self, ConnectionOrder};
use tonic::Status;

use super::{Listed, ListedPeer, Sockets, filter::Wanted, groups::Fold, joins::joins, share};
use crate::{
    answer::{Page, Selection, page::fnv},
    ids::{BootTime, ProcessHandle},
    model::{Growth, TargetInfo},
};

/// Connections of an answer when none are asked for in particular, and at most.
const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: u32 = 10_000;

/// A question about connections that was checked.
#[derive(Debug)]
pub struct Listing {
    wanted: Wanted,
    order: ConnectionOrder,
    limit: usize,
    with_points: bool,
    fold: Option<Fold>,
    page: Page,
}

/// What an answer is made from.
#[derive(Debug)]
pub struct Table<'a, C> {
    /// The moment.
    pub time: BootTime,
    /// Connections that are kept apart, in any order.
    pub connections: &'a [C],
    /// Those that are not; needed only if [`Listing::folds`].
    pub peers: Vec<ListedPeer>,
    /// Open sockets, whether they are among `connections` or not.
    pub sockets: Vec<Sockets>,
    /// Classes of the selection with what becomes of their memory, as they are to be sent.
    pub classes: Vec<v1::ConnectionClass>,
    /// How many classes there are.
    pub total_classes: u32,
    /// Connections that are open, on all nodes.
    pub open: u64,
    /// Closed ones that are kept apart.
    pub closed_kept: u64,
    /// Those that are no longer kept apart.
    pub folded: u64,
    /// The moments that the next page shall stand for; empty where they are not kept.
    pub pinned: &'a [BootTime],
}

/// Where a connection stands in the order: the figure in bits, the cookie, and the node's hash.
type Place = (Reverse<u64>, u64, u64);

impl Listing {
    /// # Errors
    /// `INVALID_ARGUMENT`: what makes no sense, or too much of it.
    pub fn new(mut asked: v1::ListConnectionsRequest) -> Result<Self, Status> {
        let token = std::mem::take(&mut asked.page_token);
        if asked.limit > LIMIT_MAX {
            return Err(Status::invalid_argument(format!(
                "limit: {} connections are too many; at most {LIMIT_MAX}, ask for the next page \
                 with page_token",
                asked.limit
            )));
        }
        let order = ConnectionOrder::try_from(asked.order)
            .map_err(|_| Status::invalid_argument(format!("order: {} is no order", asked.order)))?;
        Ok(Self {
            wanted: Wanted::new(&asked)?,
            order,
            limit: match asked.limit {
                0 => LIMIT_DEFAULT,
                limit => limit as usize,
            },
            with_points: asked.with_points,
            fold: Fold::new(&asked.fold)?,
            page: Page::new(&asked, &token, 3)?,
        })
    }

    /// Connections are taken together, with those that are not kept apart any more.
    pub fn folds(&self) -> bool {
        self.fold.is_some()
    }

    /// Curves are asked for.
    pub fn with_points(&self) -> bool {
        self.with_points
    }

    /// The page that is asked for.
    pub fn page(&self) -> &Page {
        &self.page
    }

    /// The answer without snapshot and accounting. `wire` makes the message of a connection, given
    /// the process that used it last.
    pub fn answer<C: Listed>(
        &self,
        table: &Table<'_, C>,
        growth: &Growth,
        selection: &Selection,
        wire: impl Fn(&C, Option<&TargetInfo>) -> v1::Connection,
    ) -> v1::ListConnectionsResponse {
        let infos: HashMap<ProcessHandle, &TargetInfo> = growth.targets().collect();
        let info = |process: ProcessHandle| infos.get(&process).copied();
        let connections = table.connections.iter();
        let chosen = connections.filter(|one| self.wanted.takes(*one, selection));
        let chosen: Vec<&C> = chosen.collect();
        let mut answer = v1::ListConnectionsResponse {
            classes: table.classes.clone(),
            total_classes: table.total_classes,
            joins: joins(&table.sockets, growth, selection),
            total: u32::try_from(chosen.len()).unwrap_or(u32::MAX),
            open_connections: table.open,
            closed_connections_kept: table.closed_kept,
            connections_folded: table.folded,
            ..v1::ListConnectionsResponse::default()
        };
        if let Some(fold) = self.fold {
            let peers = table.peers.iter();
            let peers = peers.filter(|peer| self.wanted.takes_peer(peer, selection));
            let groups = fold.groups(&chosen, peers, info, table.time);
            self.put_groups(&mut answer, groups, table.pinned);
            return answer;
        }
        let (page, next) = self.cut(chosen, table.pinned);
        answer.next_page_token = next;
        answer.connections = page
            .into_iter()
            .map(|one| wire(one, one.process().and_then(info)))
            .collect();
        answer
    }

    fn put_groups(
        &self,
        answer: &mut v1::ListConnectionsResponse,
        mut groups: Vec<v1::ConnectionGroup>,
        pinned: &[BootTime],
    ) {
        let offset = self.page.offset();
        answer.total = u32::try_from(groups.len()).unwrap_or(u32::MAX);
        groups.drain(..offset.min(groups.len()));
        groups.truncate(self.limit);
        let end = offset.saturating_add(groups.len());
        if !groups.is_empty() && end < answer.total as usize {
            answer.next_page_token = self.page.token(&[end as u64, 0, 0], pinned);
        }
        answer.groups = groups;
    }

    /// The connections of this page, and the token of the next.
    fn cut<'a, C: Listed>(
        &self,
        connections: Vec<&'a C>,
        pinned: &[BootTime],
    ) -> (Vec<&'a C>, String) {
        let after = match self.page.place() {
            Some([figure, cookie, node]) => Some((Reverse(*figure), *cookie, *node)),
            _ => None,
        };
        let mut placed: Vec<(Place, &C)> = connections
            .into_iter()
            .map(|one| (self.place(one), one))
            .filter(|(place, _)| after.is_none_or(|after| *place > after))
            .collect();
        placed.sort_unstable_by_key(|(place, _)| *place);
        let more = placed.len() > self.limit;
        placed.truncate(self.limit);
        let next = match placed.last() {
            Some(((Reverse(figure), cookie, node), _)) if more => {
                self.page.token(&[*figure, *cookie, *node], pinned)
            }
            _ => String::new(),
        };
        (placed.into_iter().map(|(_, one)| one).collect(), next)
    }

    fn place(&self, connection: &impl Listed) -> Place {
        let node = fnv(connection.node().as_bytes());
        (
            Reverse(self.figure(connection)),
            connection.cookie().0,
            node,
        )
    }

    fn figure(&self, connection: &impl Listed) -> u64 {
        let socket = connection.socket();
        let traffic = socket.as_ref().map(|socket| socket.traffic);
        let traffic = traffic.unwrap_or_default();
        match self.order {
            ConnectionOrder::Unspecified | ConnectionOrder::Live => connection.live(),
            ConnectionOrder::Allocated => connection.allocated(),
            // Floats that are not negative are in the order of their bits.
            ConnectionOrder::Slope => share(connection.live(), traffic.received_calls).to_bits(),
            ConnectionOrder::ReceivedBytes => traffic.received_bytes,
            ConnectionOrder::ReceivedCalls => traffic.received_calls,
            ConnectionOrder::SentBytes => traffic.sent_bytes,
            // Not the age: it is another one when the next page is asked for.
            ConnectionOrder::Age => u64::MAX - connection.opened().0,
            ConnectionOrder::Queues => socket.map_or(0, |socket| socket.queue_bytes),
        }
    }
}
