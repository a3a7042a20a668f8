//! Which connections a question is about, in which order, and the page of them that is sent.

use std::{cmp::Reverse, collections::HashSet, net::IpAddr};

use profiler_proto::v1::{self, ConnectionOrder};
use tonic::Status;

use super::{
    classes::Patterns,
    groups::Fold,
    joins::joins,
    wire::{self, share},
};
use crate::{
    connection::{Address, Connection, Connections, Peer},
    export::{selector::Selection, time::Moment},
    ids::ProcessHandle,
    profile::{Growth, TargetInfo},
};

/// Connections of an answer when none are asked for in particular, and at most.
const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: u32 = 10_000;
/// Alternatives in one field.
const VALUES_MAX: usize = 1_000;

/// A question that was checked.
pub(in crate::export) struct Listing {
    asked: v1::ListConnectionsRequest,
    peers: Vec<PeerFilter>,
    cookies: HashSet<u64>,
    order: ConnectionOrder,
    limit: usize,
    /// The last of the page before.
    after: Option<Place>,
    fold: Option<Fold>,
}

/// Where a connection stands in the order: the figure in bits, and the cookie.
type Place = (Reverse<u64>, u64);

enum PeerFilter {
    Network(IpAddr, u8),
    Path(String),
}

impl Listing {
    pub(in crate::export) fn new(asked: v1::ListConnectionsRequest) -> Result<Self, Status> {
        let lengths = [
            asked.states.len(),
            asked.roles.len(),
            asked.kinds.len(),
            asked.protocols.len(),
            asked.peers.len(),
            asked.ports.len(),
            asked.cookies.len(),
            asked.fold.len(),
        ];
        if lengths.into_iter().any(|length| length > VALUES_MAX) {
            return Err(Status::invalid_argument(format!(
                "a question takes at most {VALUES_MAX} values in each field"
            )));
        }
        if asked.limit > LIMIT_MAX {
            return Err(Status::invalid_argument(format!(
                "limit: {} connections are too many; at most {LIMIT_MAX}, ask for the next page \
                 with page_token",
                asked.limit
            )));
        }
        let order = ConnectionOrder::try_from(asked.order)
            .map_err(|_| Status::invalid_argument(format!("order: {} is no order", asked.order)))?;
        let peers = asked.peers.iter().map(|text| PeerFilter::new(text));
        Ok(Self {
            peers: peers.collect::<Result<_, _>>()?,
            cookies: asked.cookies.iter().copied().collect(),
            order,
            limit: match asked.limit {
                0 => LIMIT_DEFAULT,
                limit => limit as usize,
            },
            after: place(&asked.page_token)?,
            fold: Fold::new(&asked.fold)?,
            asked,
        })
    }

    /// The answer without snapshot and accounting.
    pub(in crate::export) fn answer(
        &self,
        connections: &Connections,
        growth: &Growth,
        selection: &Selection,
        clocks: Moment,
    ) -> Result<v1::ListConnectionsResponse, Status> {
        let processes = growth.processes.iter();
        let infos: std::collections::HashMap<ProcessHandle, &TargetInfo> = processes
            .map(|process| (process.handle, &*process.info))
            .collect();
        let info = |process: ProcessHandle| infos.get(&process).copied();
        let patterns = Patterns::new(connections, selection);
        let chosen: Vec<&Connection> = connections
            .connections
            .iter()
            .filter(|one| is_of(one, selection) && self.takes(one))
            .collect();
        let mut answer = v1::ListConnectionsResponse {
            classes: patterns.classes(info),
            total_classes: patterns.total(),
            joins: joins(connections, growth, selection),
            total: u32::try_from(chosen.len()).unwrap_or(u32::MAX),
            open_connections: connections.open,
            closed_connections_kept: connections.connections.len() as u64 - connections.open,
            connections_folded: connections.counters.folded,
            ..v1::ListConnectionsResponse::default()
        };
        if let Some(fold) = self.fold {
            let peers = connections.peers.values();
            let peers =
                peers.filter(|peer| selection.has(peer.key.process) && self.takes_peer(peer));
            answer.groups = fold.groups(&chosen, peers, info, connections.time);
            answer.total = u32::try_from(answer.groups.len()).unwrap_or(u32::MAX);
            answer.groups.truncate(self.limit);
            return Ok(answer);
        }
        let (page, next) = self.page(chosen);
        answer.next_page_token = next;
        answer.connections = page
            .into_iter()
            .map(|one| {
                let info = one.process.and_then(info);
                let mut wire = wire::connection(one, info, patterns.of(one), clocks);
                if self.asked.with_points {
                    wire.points = wire::points(one, clocks);
                }
                wire
            })
            .collect();
        Ok(answer)
    }

    fn takes(&self, connection: &Connection) -> bool {
        let facts = connection.facts.as_ref();
        let asked = &self.asked;
        let value = |wanted: &[i32], value: Option<i32>| {
            wanted.is_empty() || value.is_some_and(|value| wanted.contains(&value))
        };
        let peer = || facts.map(|facts| facts.peer.address()).unwrap_or_default();
        let port = || facts.map_or(0, |facts| u32::from(facts.service_port()));
        value(&asked.states, Some(wire::state(connection).into()))
            && value(
                &asked.roles,
                facts.map(|facts| wire::role(facts.role).into()),
            )
            && value(
                &asked.kinds,
                facts.map(|facts| wire::kind(facts.kind).into()),
            )
            && value(
                &asked.protocols,
                facts.map(|facts| wire::protocol(facts.protocol).into()),
            )
            && (self.peers.is_empty() || self.peers.iter().any(|filter| filter.takes(&peer())))
            && (asked.ports.is_empty() || asked.ports.contains(&port()))
            && (self.cookies.is_empty() || self.cookies.contains(&connection.cookie.0))
            && (!asked.with_growth || connection.allocated > 0)
    }

    /// Totals of folded connections have no protocol and no cookie of their own.
    fn takes_peer(&self, peer: &Peer) -> bool {
        let asked = &self.asked;
        let value = |wanted: &[i32], value: i32| wanted.is_empty() || wanted.contains(&value);
        let key = &peer.key;
        value(&asked.states, v1::ConnectionState::Closed.into())
            && value(&asked.roles, wire::role(key.role).into())
            && value(&asked.kinds, wire::kind(key.kind).into())
            && (self.peers.is_empty() || self.peers.iter().any(|one| one.takes(&key.address)))
            && (asked.ports.is_empty() || asked.ports.contains(&u32::from(key.port)))
            && asked.protocols.is_empty()
            && self.cookies.is_empty()
            && (!asked.with_growth || peer.allocated > 0)
    }

    /// The connections of this page, and the token of the next.
    fn page<'a>(&self, connections: Vec<&'a Connection>) -> (Vec<&'a Connection>, String) {
        let mut placed: Vec<(Place, &Connection)> = connections
            .into_iter()
            .map(|one| ((Reverse(self.figure(one)), one.cookie.0), one))
            .filter(|(place, _)| self.after.is_none_or(|after| *place > after))
            .collect();
        placed.sort_unstable_by_key(|(place, _)| *place);
        let more = placed.len() > self.limit;
        placed.truncate(self.limit);
        let next = match placed.last() {
            Some(((Reverse(figure), cookie), _)) if more => format!("{figure:x}-{cookie:x}"),
            _ => String::new(),
        };
        (placed.into_iter().map(|(_, one)| one).collect(), next)
    }

    fn figure(&self, connection: &Connection) -> u64 {
        let facts = connection.facts.as_ref();
        let traffic = facts.map(|facts| facts.traffic).unwrap_or_default();
        match self.order {
            ConnectionOrder::Unspecified | ConnectionOrder::Live => connection.live(),
            ConnectionOrder::Allocated => connection.allocated,
            // Floats that are not negative are in the order of their bits.
            ConnectionOrder::Slope => share(connection.live(), traffic.received_calls).to_bits(),
            ConnectionOrder::ReceivedBytes => traffic.received_bytes,
            ConnectionOrder::ReceivedCalls => traffic.received_calls,
            ConnectionOrder::SentBytes => traffic.sent_bytes,
            // Not the age: it is another one when the next page is asked for.
            ConnectionOrder::Age => u64::MAX - connection.opened().0,
            ConnectionOrder::Queues => facts.map_or(0, |facts| {
                u64::from(facts.receive_queue) + u64::from(facts.send_queue)
            }),
        }
    }
}

/// One whose process is not known belongs to everything, and to nothing in particular.
fn is_of(connection: &Connection, selection: &Selection) -> bool {
    match connection.process {
        Some(process) => selection.has(process),
        None => selection.is_all(),
    }
}

fn place(token: &str) -> Result<Option<Place>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    let hexadecimal = |text| u64::from_str_radix(text, 16).ok();
    let parts = token.split_once('-');
    let place = parts
        .and_then(|(figure, cookie)| Some((Reverse(hexadecimal(figure)?), hexadecimal(cookie)?)));
    place.map(Some).ok_or_else(|| {
        Status::invalid_argument("page_token: take it from the answer before, as it is")
    })
}

impl PeerFilter {
    fn new(text: &str) -> Result<Self, Status> {
        let path = text.strip_prefix("unix:");
        if let Some(path) = path.or_else(|| text.starts_with(['/', '@']).then_some(text)) {
            return Ok(Self::Path(path.to_owned()));
        }
        let (address, bits) = text.split_once('/').unwrap_or((text, ""));
        let refused = || {
            Status::invalid_argument(format!(
                "peers: {text:?} is no address, network such as 10.0.0.0/8, or path of a Unix socket"
            ))
        };
        let address: IpAddr = address.parse().map_err(|_| refused())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            "" => most,
            bits => bits
                .parse()
                .ok()
                .filter(|bits| *bits <= most)
                .ok_or_else(refused)?,
        };
        Ok(Self::Network(address, bits))
    }

    fn takes(&self, peer: &Address) -> bool {
        match (self, peer) {
            (Self::Path(wanted), Address::Path(path)) => **wanted == **path,
            (Self::Network(IpAddr::V4(network), bits), Address::Ip(IpAddr::V4(address))) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ.checked_shr(32 - u32::from(*bits)).unwrap_or(0) == 0
            }
            (Self::Network(IpAddr::V6(network), bits), Address::Ip(IpAddr::V6(address))) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ.checked_shr(128 - u32::from(*bits)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}
