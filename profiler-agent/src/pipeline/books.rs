//! Where the changes of the ledgers are booked: to processes and owners, and to connections.

use crate::{
    connection::{Behalf, ConnectionTable},
    event::Served,
    ids::{BootTime, ProcessHandle},
    ledger::{AddressSpace, Change, Owner},
    profile::GrowthTable,
};

/// What adds up changes.
#[derive(Debug, Default)]
pub struct Books {
    /// By process and owner.
    pub growth: GrowthTable,
    /// By connection.
    pub connections: ConnectionTable,
}

/// Of the operation that made a change: what its thread served, and when it returned.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moment {
    /// What its thread served.
    pub served: Served,
    /// When it returned.
    pub time: BootTime,
}

impl Books {
    /// Books the changes that one operation made, or one look at the maps.
    pub fn apply_all(&mut self, process: ProcessHandle, changes: &[Change], moment: &Moment) {
        let folds = |change: &Change| change.owner == Owner::Folded && change.committed > 0;
        if changes.iter().any(folds) {
            // A ledger was folded: what seems given back is there still, and nobody's.
            let connections = changes
                .iter()
                .filter_map(|change| change.owner.behalf()?.connection());
            connections.for_each(|cookie| self.connections.cut(cookie));
        }
        for change in changes {
            self.apply(process, change, moment);
        }
    }

    /// Books a change of a process. `moment`: of the operation that made it, if one did.
    pub fn apply(&mut self, process: ProcessHandle, change: &Change, moment: &Moment) {
        let mut change = *change;
        if let Some(cookie) = change.owner.behalf().and_then(Behalf::connection) {
            let served = Some(&moment.served).filter(|served| served.connection == Some(cookie));
            let bytes = (change.committed, change.freed);
            let connections = &mut self.connections;
            if !connections.charge(process, cookie, bytes, served, moment.time) {
                change.owner = change.owner.on_behalf_of(Behalf::FOLDED);
            }
        }
        self.growth.apply(process, &change);
    }

    /// A new process has what its parent had.
    pub fn inherit(&mut self, process: ProcessHandle, space: &AddressSpace) {
        self.growth.inherit(process, space);
    }
}
