//! Parts of rows for the wire.

use profiler_proto::v1::{self, OwnerKind};

use crate::{
    ids::StackId,
    model::{OwnerKey, TargetInfo},
};

/// The process that a row belongs to.
pub(in crate::answer) fn put_process(row: &mut v1::GrowthRow, info: &TargetInfo) {
    row.pid = info.pid;
    row.process_name.clone_from(&info.name);
    row.container_id.clone_from(&info.container.id);
    row.cgroup.clone_from(&info.container.cgroup);
    row.node.clone_from(&info.node.name);
}

/// The process that uses a connection.
pub fn put_user(connection: &mut v1::Connection, info: &TargetInfo) {
    connection.pid = info.pid;
    connection.namespace_pid = info.namespace_pid;
    connection.process_name.clone_from(&info.name);
    connection.container_id.clone_from(&info.container.id);
    connection.cgroup.clone_from(&info.container.cgroup);
    connection.node.clone_from(&info.node.name);
}

/// On the wire 0 is no stack.
pub fn wire_stack_id(stack: StackId) -> u64 {
    u64::from(stack.0) + 1
}

/// A row's owner for the wire.
pub fn owner_kind(owner: OwnerKey) -> OwnerKind {
    match owner {
        OwnerKey::Stack(_) => OwnerKind::Stack,
        OwnerKey::PreExisting => OwnerKind::PreExisting,
        OwnerKey::ExecImage => OwnerKind::ExecImage,
        OwnerKey::Unattributed => OwnerKind::Unattributed,
        OwnerKey::Folded => OwnerKind::Folded,
        OwnerKey::OnConnection(..) => OwnerKind::Stack,
        OwnerKey::Behalf(_) => OwnerKind::Aggregate,
    }
}
