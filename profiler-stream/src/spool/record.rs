//! Records, one after the other in a file: `[u32 length][u32 CRC-32][u8 kind][payload]`, integers
//! little-endian. The length is that of the payload, the checksum that of kind and payload. Before
//! the first record stands what the file is and the version of its format.

use std::io::{self, Read};

const MAGIC: [u8; 8] = *b"memspool";
const VERSION: u32 = 1;

/// Bytes of a payload. A larger one is never written.
pub(super) const PAYLOAD_BYTES_MAX: usize = 32 << 20;
/// Bytes of a record besides its payload.
const FRAMING: u64 = 9;

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A `Run` message: what follows is of it.
    Run = 1,
    /// A compressed `Definitions` message.
    Definitions = 2,
    /// A `Batch` message.
    Batch = 3,
    /// The journal's state as a whole.
    State = 4,
    /// A change to it.
    Event = 5,
}

/// A record that is sound.
pub(super) struct Record {
    pub(super) kind: Kind,
    pub(super) payload: Vec<u8>,
    /// Where it begins and ends in its file.
    pub(super) start: u64,
    pub(super) end: u64,
}

/// What a new file begins with.
pub(super) fn header() -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes
}

/// Appends a record to what is to be written.
pub(super) fn push(bytes: &mut Vec<u8>, kind: Kind, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&checksum(kind as u8, payload).to_le_bytes());
    bytes.push(kind as u8);
    bytes.extend_from_slice(payload);
}

/// Reads records up to the end, or to the first that is not sound.
pub(super) struct Records<R> {
    input: R,
    offset: u64,
    end: u64,
}

impl<R: Read> Records<R> {
    /// Of a file of `end` bytes, from its beginning. None when it is no such file, or one of a
    /// format that this version does not know.
    pub(super) fn open(mut input: R, end: u64) -> io::Result<Option<Self>> {
        let expected = header();
        let offset = expected.len() as u64;
        if end < offset {
            return Ok(None);
        }
        let mut bytes = vec![0; expected.len()];
        input.read_exact(&mut bytes)?;
        Ok((bytes == expected).then_some(Self { input, offset, end }))
    }

    /// Of the same file, when `input` stands at `offset`, where a record begins.
    pub(super) fn at(input: R, offset: u64, end: u64) -> Self {
        Self { input, offset, end }
    }

    /// The next record; none at the end, and where what follows is not sound.
    pub(super) fn next(&mut self) -> io::Result<Option<Record>> {
        let rest = self.end - self.offset;
        if rest < FRAMING {
            return Ok(None);
        }
        let mut framing = [0; FRAMING as usize];
        self.input.read_exact(&mut framing)?;
        let [a, b, c, d, e, f, g, h, kind] = framing;
        let length = u32::from_le_bytes([a, b, c, d]);
        if u64::from(length) > rest - FRAMING || length as usize > PAYLOAD_BYTES_MAX {
            return Ok(None);
        }
        let mut payload = vec![0; length as usize];
        self.input.read_exact(&mut payload)?;
        let sound = u32::from_le_bytes([e, f, g, h]) == checksum(kind, &payload);
        let Some(kind) = Kind::from_byte(kind).filter(|_| sound) else {
            return Ok(None);
        };
        let start = self.offset;
        self.offset += FRAMING + u64::from(length);
        Ok(Some(Record {
            kind,
            payload,
            start,
            end: self.offset,
        }))
    }

    /// Where the last sound record ended.
    pub(super) fn sound_bytes(&self) -> u64 {
        self.offset
    }

    /// There is something that is not sound.
    pub(super) fn is_broken(&self) -> bool {
        self.offset < self.end
    }
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        [
            Self::Run,
            Self::Definitions,
            Self::Batch,
            Self::State,
            Self::Event,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == byte)
    }
}

fn checksum(kind: u8, payload: &[u8]) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&[kind]);
    checksum.update(payload);
    checksum.finalize()
}
