//! Connections that are alike, and the evidence that is kept of those which are gone.

use std::collections::{HashMap, VecDeque};

use profiler_analysis::pattern::Evidence;

use super::{
    facts::{Address, Kind, Protocol, Role},
    record::Connection,
};
use crate::ids::ProcessHandle;

/// Evidence of folded connections that is kept of one class: the newest with growth, and as many
/// without.
const RETIRED: usize = 128;
/// Classes with such evidence.
const RETIRED_CLASSES: usize = 256;

/// What connections of one class have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClassKey {
    /// The process that used them last.
    pub process: ProcessHandle,
    /// Their kind.
    pub kind: Kind,
    /// Their side.
    pub role: Role,
    /// What they speak.
    pub protocol: Protocol,
    /// Of a client the peer's address, of a Unix server its path; none for other servers, which
    /// are told apart by their port.
    pub address: Address,
    /// The service's port.
    pub port: u16,
}

impl ClassKey {
    /// None for one whose process or socket is not known.
    pub fn of(connection: &Connection) -> Option<Self> {
        let facts = connection.facts.as_ref()?;
        let end = match facts.role {
            Role::Server => &facts.local,
            Role::Client | Role::Unknown => &facts.peer,
        };
        let address = match (facts.role, end.address()) {
            (Role::Server, Address::Ip(_)) => Address::None,
            (_, address) => address,
        };
        Some(Self {
            process: connection.process?,
            kind: facts.kind,
            role: facts.role,
            protocol: facts.protocol,
            address,
            port: end.port(),
        })
    }
}

/// Evidence of connections that are no longer kept apart.
#[derive(Debug, Default)]
pub(super) struct Retired {
    classes: HashMap<ClassKey, RetiredClass>,
    /// In the order in which they were added to last.
    order: VecDeque<ClassKey>,
}

/// Those with growth and those without do not push each other out: connections that demanded
/// nothing tell that an allocator had memory for them.
#[derive(Debug, Default)]
struct RetiredClass {
    grown: VecDeque<Evidence>,
    idle: VecDeque<Evidence>,
}

impl Retired {
    /// Keeps what a connection that goes has shown. `grows`: its process demands memory on behalf
    /// of connections.
    pub(super) fn add(&mut self, connection: &Connection, grows: bool) {
        let key = ClassKey::of(connection);
        let tells =
            |key: &ClassKey| connection.allocated > 0 || grows || self.classes.contains_key(key);
        let Some(key) = key.filter(tells) else {
            return;
        };
        self.order.retain(|known| *known != key);
        self.order.push_back(key.clone());
        if self.order.len() > RETIRED_CLASSES
            && let Some(oldest) = self.order.pop_front()
        {
            self.classes.remove(&oldest);
        }
        let class = self.classes.entry(key).or_default();
        let evidence = match connection.allocated {
            0 => &mut class.idle,
            _ => &mut class.grown,
        };
        evidence.push_back(connection.evidence());
        if evidence.len() > RETIRED {
            evidence.pop_front();
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&ClassKey, &Evidence)> {
        let classes = self.classes.iter();
        classes.flat_map(|(key, class)| {
            let evidence = class.grown.iter().chain(&class.idle);
            evidence.map(move |evidence| (key, evidence))
        })
    }
}
