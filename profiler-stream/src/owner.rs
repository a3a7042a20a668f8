//! Owners of rows as numbers. The order of [`OwnerKey`]s is that of (code, subject, stack).

use profiler_proto::v1::OwnerCode;
use profiler_query::{
    ids::{Cookie, PeerId, StackId},
    model::{BehalfKey, OwnerKey},
};

use crate::{decode::DecodeError, encode::stack_number};

/// Code, subject and stack.
pub(crate) type Codes = (i32, u64, u64);

pub(crate) fn codes(owner: OwnerKey) -> Codes {
    let (code, subject, stack) = match owner {
        OwnerKey::Stack(stack) => (OwnerCode::Stack, stack_number(stack), 0),
        OwnerKey::PreExisting => (OwnerCode::PreExisting, 0, 0),
        OwnerKey::ExecImage => (OwnerCode::ExecImage, 0, 0),
        OwnerKey::Unattributed => (OwnerCode::Unattributed, 0, 0),
        OwnerKey::Folded => (OwnerCode::Folded, 0, 0),
        OwnerKey::Behalf(behalf) => match behalf {
            BehalfKey::Connection(cookie) => (OwnerCode::Connection, cookie.0, 0),
            BehalfKey::Peer(peer) => (OwnerCode::Peer, u64::from(peer.0), 0),
            BehalfKey::Folded => (OwnerCode::BehalfFolded, 0, 0),
            BehalfKey::Nobody => (OwnerCode::Nobody, 0, 0),
            BehalfKey::Helper => (OwnerCode::Helper, 0, 0),
            BehalfKey::Ring => (OwnerCode::Ring, 0, 0),
        },
        OwnerKey::OnConnection(cookie, stack) => {
            (OwnerCode::OnConnection, cookie.0, stack_number(stack))
        }
    };
    (code.into(), subject, stack)
}

/// # Errors
/// The code is not known, or what it does not need is not 0.
pub(crate) fn owner((code, subject, stack): Codes) -> Result<OwnerKey, DecodeError> {
    let known = OwnerCode::try_from(code).map_err(|_| DecodeError::Owner(code))?;
    let (owner, rest) = match known {
        OwnerCode::Unspecified => return Err(DecodeError::Owner(code)),
        OwnerCode::Stack => (OwnerKey::Stack(stack_id(subject)?), stack),
        OwnerCode::PreExisting => (OwnerKey::PreExisting, subject | stack),
        OwnerCode::ExecImage => (OwnerKey::ExecImage, subject | stack),
        OwnerCode::Unattributed => (OwnerKey::Unattributed, subject | stack),
        OwnerCode::Folded => (OwnerKey::Folded, subject | stack),
        OwnerCode::Connection => {
            let behalf = BehalfKey::Connection(Cookie(subject));
            (OwnerKey::Behalf(behalf), stack)
        }
        OwnerCode::Peer => {
            let peer = u32::try_from(subject).map_err(|_| DecodeError::Subject(subject))?;
            (OwnerKey::Behalf(BehalfKey::Peer(PeerId(peer))), stack)
        }
        OwnerCode::BehalfFolded => (OwnerKey::Behalf(BehalfKey::Folded), subject | stack),
        OwnerCode::Nobody => (OwnerKey::Behalf(BehalfKey::Nobody), subject | stack),
        OwnerCode::Helper => (OwnerKey::Behalf(BehalfKey::Helper), subject | stack),
        OwnerCode::Ring => (OwnerKey::Behalf(BehalfKey::Ring), subject | stack),
        OwnerCode::OnConnection => {
            let owner = OwnerKey::OnConnection(Cookie(subject), stack_id(stack)?);
            (owner, 0)
        }
    };
    if rest == 0 {
        Ok(owner)
    } else {
        Err(DecodeError::Subject(rest))
    }
}

fn stack_id(number: u64) -> Result<StackId, DecodeError> {
    let id = number
        .checked_sub(1)
        .and_then(|number| u32::try_from(number).ok());
    id.map(StackId).ok_or(DecodeError::Subject(number))
}
