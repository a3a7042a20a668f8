//! What a check of a store knows of parts: that they can be read, and which stacks they name.

use std::io::{self, Read as _};

use profiler_proto::v1;
use prost::Message as _;

/// A larger part is not looked at but called a problem.
const PART_BYTES_MAX: u32 = 256 << 20;

/// The numbers of stacks that a part refers to. Parts of kinds that this version does not know are
/// passed over.
///
/// # Errors
/// What is wrong with the part, in plain words.
pub fn stack_numbers(part: &v1::Part) -> Result<Vec<u64>, String> {
    match v1::PartKind::try_from(part.kind) {
        Ok(v1::PartKind::Growth) => {
            let message = decompress(part)?;
            let growth = v1::GrowthPart::decode(&message[..])
                .map_err(|error| format!("its growth cannot be read: {error}"))?;
            Ok(growth_numbers(&growth))
        }
        Ok(
            v1::PartKind::Targets
            | v1::PartKind::Connections
            | v1::PartKind::Status
            | v1::PartKind::Resident
            | v1::PartKind::Verdicts
            | v1::PartKind::Events,
        ) => decompress(part).map(|_| Vec::new()),
        Ok(v1::PartKind::Unspecified) | Err(_) => Ok(Vec::new()),
    }
}

fn growth_numbers(growth: &v1::GrowthPart) -> Vec<u64> {
    let of_owners = growth.owner.iter().zip(&growth.subject);
    let of_owners = of_owners
        .filter(|(owner, _)| **owner == v1::OwnerCode::Stack as i32)
        .map(|(_, subject)| *subject);
    let all = of_owners.chain(growth.stack.iter().copied());
    all.filter(|number| *number != 0).collect()
}

fn decompress(part: &v1::Part) -> Result<Vec<u8>, String> {
    let broken = |error: io::Error| format!("its part {} is broken: {error}", part.kind);
    if part.size > PART_BYTES_MAX {
        return Err(format!("its part {} claims {} bytes", part.kind, part.size));
    }
    let size = u64::from(part.size);
    let mut message = Vec::new();
    zstd::stream::read::Decoder::with_buffer(&part.data[..])
        .and_then(|decoder| decoder.take(size + 1).read_to_end(&mut message))
        .map_err(broken)?;
    if message.len() as u64 == size {
        Ok(message)
    } else {
        Err(format!("its part {} is not of {size} bytes", part.kind))
    }
}
