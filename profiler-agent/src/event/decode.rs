//! The decoder. Every length, tag and address range is checked before it is used.

use profiler_common::{
    event as abi,
    socket::{self, SocketEntry},
};

use super::{
    Backing, Capture, Captured, Constraint, DecodeError, Event, Name, Operation, Origin, Served,
    SocketEnd, TouchEvent, Victim, VmEvent,
};
use crate::ids::{BootTime, Cookie};

/// User addresses lie below this, also with five-level page tables.
const USER_END: u64 = 1 << 56;
const PAGE: u64 = 4096;
const PROT_WRITE: u32 = 2;
/// Nothing larger is mapped at once.
const FOLIO_MAX: u64 = 1 << 30;
/// mprotect goes on to the start or end of the mapping.
const PROT_GROWS: u32 = 0x0300_0000;
const MAP_TYPE: u32 = 0x0f;
const MAP_PRIVATE: u32 = 0x02;
/// Private and anonymous too; its pages may be dropped under pressure (6.11).
const MAP_DROPPABLE: u32 = 0x08;
const MAP_ANONYMOUS: u32 = 0x20;
const MAP_HUGETLB: u32 = 0x4_0000;
const MREMAP_DONTUNMAP: u32 = 4;
const CLONE_VM: u64 = 0x100;

/// Decodes a record of the ring of events.
///
/// # Errors
/// See [`DecodeError`]; the record is to be counted and passed over.
pub fn decode(bytes: &[u8]) -> Result<Event, DecodeError> {
    let mut fields = Fields(bytes);
    let header = fields.header()?;
    match header.kind {
        abi::KIND_VM => decode_vm(&header, &mut fields).map(Event::Vm),
        abi::KIND_LIFE => decode_life(&header, &mut fields),
        abi::KIND_VICTIM => decode_victim(&header, &mut fields).map(Event::Victim),
        abi::KIND_TOUCH => decode_touch(&header, &mut fields).map(Event::Touch),
        socket::KIND_SOCKET => decode_socket(&header, &mut fields),
        _ => Err(header.unknown()),
    }
}

/// Decodes a record of the ring of captures.
///
/// # Errors
/// See [`DecodeError`].
pub fn decode_capture(bytes: &[u8]) -> Result<Capture<'_>, DecodeError> {
    let mut fields = Fields(bytes);
    let header = fields.header()?;
    if header.kind != abi::KIND_CAPTURE {
        return Err(header.unknown());
    }
    let registers = fields.registers()?;
    let slice_base = fields.u64()?;
    let slice_length = fields.u32()?;
    let chain_bytes = fields.u32()?;
    let chain = fields.take(abi::CHAIN_FRAMES * 8)?;
    let chain = chain
        .get(..chain_bytes as usize)
        .ok_or(DecodeError::Length(u64::from(chain_bytes)))?;
    let slice = fields.0.get(..slice_length as usize);
    let slice = slice.ok_or(DecodeError::Length(u64::from(slice_length)))?;
    Ok(Capture {
        origin: header.origin,
        number: header.capture,
        registers,
        chain,
        slice_base,
        slice,
    })
}

fn decode_life(header: &Header, fields: &mut Fields<'_>) -> Result<Event, DecodeError> {
    let child = fields.u32()?;
    let _child_thread = fields.u32()?;
    let flags = fields.u64()?;
    let name = Name(fields.array()?);
    let origin = header.origin;
    match header.operation {
        abi::OP_FORK => Ok(Event::Fork {
            origin,
            child,
            shares_memory: flags & CLONE_VM != 0,
            name,
        }),
        abi::OP_EXEC => Ok(Event::Exec { origin, name }),
        abi::OP_EXIT => Ok(Event::Exit { origin }),
        _ => Err(header.unknown()),
    }
}

fn decode_vm(header: &Header, fields: &mut Fields<'_>) -> Result<VmEvent, DecodeError> {
    let arguments = Arguments {
        result: fields.u64()?.cast_signed(),
        address: fields.u64()?,
        length: fields.u64()?,
        extra: fields.u64()?,
        protection: fields.u32()?,
        flags: fields.u32()?,
    };
    let inclusion = fields.u32()?;
    let served = Served {
        thread: fields.u32()?,
        connection: match fields.u64()? {
            0 => None,
            cookie => Some(Cookie(cookie)),
        },
        calls: fields.u64()?,
        bytes: fields.u64()?,
    };
    Ok(VmEvent {
        origin: header.origin,
        operation: arguments.operation(header)?,
        capture: header.captured(),
        inclusion,
        served,
    })
}

fn decode_touch(header: &Header, fields: &mut Fields<'_>) -> Result<TouchEvent, DecodeError> {
    if header.operation != abi::OP_TOUCH {
        return Err(header.unknown());
    }
    let (address, mapped) = (fields.u64()?, fields.u32()?);
    let length = u64::from(mapped.max(1)) * PAGE;
    if length > FOLIO_MAX {
        return Err(DecodeError::Length(length));
    }
    let (address, _) = pages(address & !(PAGE - 1), length)?;
    Ok(TouchEvent {
        origin: header.origin,
        address,
        bytes: (mapped > 0).then_some(length),
        inclusion: fields.u32()?,
        capture: header.captured(),
    })
}

fn decode_socket(header: &Header, fields: &mut Fields<'_>) -> Result<Event, DecodeError> {
    if header.operation != socket::OP_CLOSED {
        return Err(header.unknown());
    }
    let cookie = fields.u64()?;
    Ok(Event::Closed(SocketEnd {
        time: header.origin.time,
        cookie: Cookie(cookie),
        entry: fields.socket()?,
    }))
}

fn decode_victim(header: &Header, fields: &mut Fields<'_>) -> Result<Victim, DecodeError> {
    if header.operation != abi::OP_VICTIM {
        return Err(header.unknown());
    }
    let pid = fields.u32()?;
    let constraint = match fields.u32()? {
        abi::CONSTRAINT_UNKNOWN => None,
        abi::CONSTRAINT_LIMIT => Some(Constraint::Cgroup),
        abi::CONSTRAINT_HOST => Some(Constraint::Host),
        other => return Err(DecodeError::Value(u64::from(other))),
    };
    let anon_bytes = match fields.u64()? {
        abi::ANON_UNKNOWN => None,
        bytes if bytes < USER_END => Some(bytes),
        bytes => return Err(DecodeError::Value(bytes)),
    };
    Ok(Victim {
        time: header.origin.time,
        pid,
        constraint,
        anon_bytes,
        name: Name(fields.array()?),
    })
}

/// The fields of a [`abi::VmRecord`] whose meaning depends on the operation.
struct Arguments {
    result: i64,
    address: u64,
    length: u64,
    extra: u64,
    protection: u32,
    flags: u32,
}

impl Arguments {
    fn operation(&self, header: &Header) -> Result<Operation, DecodeError> {
        let failed = (-4095..0).contains(&self.result);
        let writable = self.protection & PROT_WRITE != 0;
        let (start, length) = pages(self.address, self.length)?;
        Ok(match header.operation {
            abi::OP_MMAP => Operation::Map {
                start,
                length,
                backing: self.backing(),
                writable,
            },
            // The length is the segment's, which the event does not carry.
            abi::OP_SHMAT => Operation::Suspect {
                start,
                length: PAGE,
            },
            abi::OP_SHMDT => Operation::Detach { start },
            abi::OP_MUNMAP => Operation::Unmap { start, length },
            abi::OP_MADVISE => Operation::Release { start, length },
            abi::OP_MPROTECT | abi::OP_MREMAP if failed => Operation::Suspect { start, length },
            abi::OP_MPROTECT if self.protection & PROT_GROWS != 0 => {
                Operation::Suspect { start, length }
            }
            abi::OP_MPROTECT => Operation::Protect {
                start,
                length,
                writable,
            },
            abi::OP_MREMAP => self.remap(start, length)?,
            abi::OP_BRK => {
                let end = self.result.cast_unsigned();
                if end < self.address || end >= USER_END {
                    return Err(DecodeError::Range {
                        start: self.address,
                        length: end,
                    });
                }
                let start = self.address.next_multiple_of(PAGE);
                Operation::Break {
                    start,
                    end: end.next_multiple_of(PAGE).max(start),
                }
            }
            _ => return Err(header.unknown()),
        })
    }

    fn remap(&self, old_start: u64, old_length: u64) -> Result<Operation, DecodeError> {
        let (new_start, new_length) = pages(self.result.cast_unsigned(), self.extra)?;
        Ok(Operation::Remap {
            old_start,
            old_length,
            new_start,
            new_length,
            keep_old: self.flags & MREMAP_DONTUNMAP != 0,
        })
    }

    /// Huge pages of a private anonymous hugetlb mapping are not charged as anonymous memory, and
    /// `/proc/PID/maps` shows such a mapping as a file.
    fn backing(&self) -> Backing {
        if !matches!(self.flags & MAP_TYPE, MAP_PRIVATE | MAP_DROPPABLE) {
            Backing::Shared
        } else if self.flags & MAP_ANONYMOUS == 0 || self.flags & MAP_HUGETLB != 0 {
            Backing::File
        } else {
            Backing::Anonymous
        }
    }
}

/// Rounds a range out to whole pages, as the kernel does with lengths.
fn pages(start: u64, length: u64) -> Result<(u64, u64), DecodeError> {
    let refused = DecodeError::Range { start, length };
    let end = start.checked_add(length).ok_or(refused)?;
    if end > USER_END {
        return Err(refused);
    }
    let first = start & !(PAGE - 1);
    Ok((first, end.next_multiple_of(PAGE) - first))
}

/// A decoded [`abi::Header`].
struct Header {
    kind: u16,
    operation: u16,
    origin: Origin,
    capture: u32,
}

impl Header {
    fn captured(&self) -> Captured {
        match self.capture {
            0 => Captured::No,
            abi::CAPTURE_LOST => Captured::Lost,
            number => Captured::Yes(number),
        }
    }

    fn unknown(&self) -> DecodeError {
        DecodeError::Unknown {
            kind: self.kind,
            operation: self.operation,
        }
    }
}

/// What is left of a record.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let short = DecodeError::Short {
            got: self.0.len(),
            want: count,
        };
        let (taken, rest) = self.0.split_at_checked(count).ok_or(short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let short = DecodeError::Short {
            got: self.0.len(),
            want: N,
        };
        self.take(N)?.try_into().map_err(|_| short)
    }

    fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    fn header(&mut self) -> Result<Header, DecodeError> {
        let (kind, operation, pid) = (self.u16()?, self.u16()?, self.u32()?);
        let (time, cgroup) = (BootTime(self.u64()?), self.u64()?);
        let (tid, capture) = (self.u32()?, self.u32()?);
        Ok(Header {
            kind,
            operation,
            origin: Origin {
                pid,
                tid,
                time,
                cgroup,
            },
            capture,
        })
    }

    fn socket(&mut self) -> Result<SocketEntry, DecodeError> {
        Ok(SocketEntry {
            opened: self.u64()?,
            received_bytes: self.u64()?,
            received_calls: self.u64()?,
            sent_bytes: self.u64()?,
            sent_calls: self.u64()?,
            cgroup: self.u64()?,
            tgid: self.u32()?,
            flags: self.u32()?,
            network_namespace: self.u32()?,
            receive_queue: self.u32()?,
            send_queue: self.u32()?,
            pass: self.u32()?,
            family: self.u16()?,
            local_port: self.u16()?,
            peer_port: self.u16()?,
            kind: self.u8()?,
            role: self.u8()?,
            protocol: self.u8()?,
            looks: self.u8()?,
            end: self.u8()?,
            padding: self.array()?,
            address: self.array()?,
        })
    }

    fn registers(&mut self) -> Result<abi::Registers, DecodeError> {
        Ok(abi::Registers {
            r15: self.u64()?,
            r14: self.u64()?,
            r13: self.u64()?,
            r12: self.u64()?,
            bp: self.u64()?,
            bx: self.u64()?,
            r11: self.u64()?,
            r10: self.u64()?,
            r9: self.u64()?,
            r8: self.u64()?,
            ax: self.u64()?,
            cx: self.u64()?,
            dx: self.u64()?,
            si: self.u64()?,
            di: self.u64()?,
            orig_ax: self.u64()?,
            ip: self.u64()?,
            cs: self.u64()?,
            flags: self.u64()?,
            sp: self.u64()?,
            ss: self.u64()?,
        })
    }
}

#[cfg(test)]
mod tests;
