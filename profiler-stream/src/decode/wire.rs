//! Messages counted before they are decoded: an empty message is two bytes on the wire and some
//! hundred in memory.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::DecodeError;

/// A field whose contents are bounded. Fields that are not named are as large in memory as on the
/// wire.
pub(crate) struct Field {
    tag: u32,
    what: &'static str,
    /// In one message.
    most: usize,
    /// In all messages of its kind.
    left: usize,
    holds: Holds,
}

enum Holds {
    Messages(Vec<Field>),
    /// At most so many bytes.
    Text(usize),
    Numbers,
}

impl Field {
    /// At most `most` messages, with bounds on what is in them.
    pub(crate) fn messages(tag: u32, what: &'static str, most: usize, inside: Vec<Self>) -> Self {
        Self::new(tag, what, most, Holds::Messages(inside))
    }

    /// At most `most` texts of so many bytes each.
    pub(crate) fn texts(tag: u32, what: &'static str, most: usize, bytes: usize) -> Self {
        Self::new(tag, what, most, Holds::Text(bytes))
    }

    /// At most `most` integers, packed or not.
    pub(crate) fn numbers(tag: u32, what: &'static str, most: usize) -> Self {
        Self::new(tag, what, most, Holds::Numbers)
    }

    /// At most `all` in all messages together.
    pub(crate) fn in_all(self, all: usize) -> Self {
        Self { left: all, ..self }
    }

    fn new(tag: u32, what: &'static str, most: usize, holds: Holds) -> Self {
        Self {
            tag,
            what,
            most,
            left: usize::MAX,
            holds,
        }
    }

    /// Counts what one occurrence holds; `there` is what was in the same message before.
    fn count(&mut self, content: &[u8], there: &mut usize) -> Result<(), DecodeError> {
        let more = match &mut self.holds {
            Holds::Messages(inside) => {
                bounded(content, inside)?;
                1
            }
            Holds::Text(bytes) => {
                within(self.what, content.len(), *bytes)?;
                1
            }
            // The last byte of each has its highest bit clear.
            Holds::Numbers => content.iter().filter(|byte| **byte < 0x80).count(),
        };
        *there += more;
        within(self.what, *there, self.most)?;
        let left = self.left.checked_sub(more);
        self.left = left.ok_or(DecodeError::TooLarge {
            what: self.what,
            size: self.most,
            limit: self.left,
        })?;
        Ok(())
    }
}

/// Whether a message has no more in its `fields` than they may hold. Allocates nothing but a count
/// for each.
///
/// # Errors
/// It has, or is no message.
pub(crate) fn bounded(mut bytes: &[u8], fields: &mut [Field]) -> Result<(), DecodeError> {
    let mut there = vec![0; fields.len()];
    while !bytes.is_empty() {
        let (tag, wire_type) = decode_key(&mut bytes)?;
        let from = bytes;
        let found = fields.iter().position(|field| field.tag == tag);
        let content = match wire_type {
            WireType::LengthDelimited => delimited(&mut bytes)?,
            _ => {
                skip_field(wire_type, tag, &mut bytes, DecodeContext::default())?;
                &from[..from.len() - bytes.len()]
            }
        };
        if let Some(at) = found {
            fields[at].count(content, &mut there[at])?;
        }
    }
    Ok(())
}

fn delimited<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let length = usize::try_from(decode_varint(bytes)?).unwrap_or(usize::MAX);
    let (content, rest) = bytes
        .split_at_checked(length)
        .ok_or(DecodeError::Damaged("a length in a message"))?;
    *bytes = rest;
    Ok(content)
}

pub(crate) fn within(what: &'static str, size: usize, limit: usize) -> Result<(), DecodeError> {
    if size <= limit {
        Ok(())
    } else {
        Err(DecodeError::TooLarge { what, size, limit })
    }
}
