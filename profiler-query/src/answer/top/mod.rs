//! Growth grouped by stack, process, container, node, function or connection, as rows of an answer.

mod by_connection;
mod by_function;
mod compare;
mod row;
#[cfg(test)]
mod tests;
mod view;

use profiler_analysis::Order;
use profiler_proto::v1::{self, GroupBy, OrderBy};
use tonic::Status;

use self::view::View;
use super::{NameStacks, Selection, connections::ConnectionFacts};
use crate::{
    ids::Cookie,
    model::{BehalfKey, Growth, OwnerKey},
};

pub use row::{owner_kind, put_user, wire_stack_id};

/// Rows of an answer when none are asked for in particular, and at most.
const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 10_000;

/// How an answer is to be shaped.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    by: GroupBy,
    order: Order,
    limit: usize,
    /// Rows of the pages before.
    offset: usize,
    include_unattributed: bool,
    /// Only growth on behalf of this connection.
    connection: Option<Cookie>,
}

/// Rows, and how many there were before the limit.
#[derive(Debug, Default)]
pub struct Rows {
    /// For the wire.
    pub rows: Vec<v1::GrowthRow>,
    /// Of all pages.
    pub total: u32,
}

impl Shape {
    /// `since`: the answer is about the time between two moments.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`: no way of grouping, no order, or too many rows.
    pub fn new(
        by: i32,
        order: i32,
        limit: u32,
        include_unattributed: bool,
        since: bool,
    ) -> Result<Self, Status> {
        let by = GroupBy::try_from(by)
            .map_err(|_| Status::invalid_argument(format!("by: {by} is no way of grouping")))?;
        let order = OrderBy::try_from(order)
            .map_err(|_| Status::invalid_argument(format!("order: {order} is no order")))?;
        if limit > LIMIT_MAX {
            return Err(Status::invalid_argument(format!(
                "limit: {limit} rows are too many; at most {LIMIT_MAX}, ask for the next page with \
                 page_token"
            )));
        }
        Ok(Self {
            by,
            order: match order {
                OrderBy::Unspecified if since => Order::Growth,
                OrderBy::Unspecified | OrderBy::Live => Order::Live,
                OrderBy::Allocated => Order::Allocated,
                OrderBy::Freed => Order::Freed,
                OrderBy::Events => Order::Events,
                OrderBy::Resident => Order::Resident,
            },
            limit: match limit {
                0 => LIMIT_DEFAULT as usize,
                limit => limit as usize,
            },
            offset: 0,
            include_unattributed,
            connection: None,
        })
    }

    /// Only growth on behalf of a connection, by its cookie; 0: all growth.
    pub fn of_connection(self, cookie: u64) -> Self {
        Self {
            connection: (cookie != 0).then_some(Cookie(cookie)),
            ..self
        }
    }

    /// The page that begins after so many rows.
    pub fn after(self, offset: usize) -> Self {
        Self { offset, ..self }
    }

    /// What connections are known is needed for the answer.
    pub fn needs_connections(self) -> bool {
        self.by == GroupBy::Connection || self.connection.is_some()
    }

    /// # Errors
    /// A connection that is not known: the asker would take an empty answer for "it holds nothing".
    /// One that is known on several of the chosen nodes: it is not one connection.
    pub fn check_connection(
        self,
        growth: &Growth,
        selection: &Selection,
        connections: &dyn ConnectionFacts,
    ) -> Result<(), Status> {
        let Some(cookie) = self.connection else {
            return Ok(());
        };
        let owner = OwnerKey::Behalf(BehalfKey::Connection(cookie));
        let rows = growth.rows.iter().filter(|(key, _)| key.owner == owner);
        let mut holders = rows.map(|(key, _)| key.process).peekable();
        if holders.peek().is_none() && !connections.knows(cookie) {
            return Err(unknown_connection(cookie, connections));
        }
        let holders: Vec<_> = holders.filter(|process| selection.has(*process)).collect();
        let mut nodes: Vec<&str> = growth
            .processes
            .iter()
            .filter(|process| holders.contains(&process.handle))
            .map(|process| &*process.info.node.name)
            .collect();
        nodes.sort_unstable();
        nodes.dedup();
        if nodes.len() > 1 {
            return Err(Status::invalid_argument(format!(
                "connection {}: cookies are a node's own, and {} nodes have this one. Choose the \
                 node too, for example {:?}",
                cookie.0,
                nodes.len(),
                nodes[0]
            )));
        }
        Ok(())
    }

    /// Groups, orders, limits and names. Blocks while frames are named.
    pub fn rows(
        self,
        growth: &Growth,
        selection: &Selection,
        names: &dyn NameStacks,
        connections: &dyn ConnectionFacts,
    ) -> Rows {
        let view = View::new(self, growth, selection);
        match self.by {
            GroupBy::Unspecified | GroupBy::Stack => view.by_stack(names),
            GroupBy::Process => view.by_process(),
            GroupBy::Container => view.by_container(),
            GroupBy::Node => view.by_node(),
            GroupBy::Function => view.by_function(names),
            GroupBy::Connection => view.by_connection(connections),
        }
    }
}

fn unknown_connection(cookie: Cookie, connections: &dyn ConnectionFacts) -> Status {
    Status::not_found(format!(
        "connection {}: {}; list the connections to see those that are kept",
        cookie.0,
        if connections.was_folded(cookie) {
            "it is over, holds nothing, and was taken together with others to its peer"
        } else {
            "no growth is known on behalf of a connection with this cookie"
        }
    ))
}
