//! What the agent and its symbolizer say to each other: JSON behind a length. Neither trusts the
//! other's numbers.

use std::fmt;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::de::{DeserializeOwned, Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// Longest name that is passed on.
pub(super) const NAME_MAX: usize = 1_024;
/// Most addresses of one request.
pub(super) const ADDRESSES_MAX: usize = 1_000;
/// Most functions that are inlined at one place.
pub(super) const INLINED_MAX: usize = 64;
const ROWS_MAX: usize = INLINED_MAX + 1;
/// Each row names a function and a file.
const STRINGS_MAX: usize = ADDRESSES_MAX * ROWS_MAX * 2;
const MESSAGE_MAX: u32 = 64 << 20;

/// Names for addresses in one file. The file follows as an open descriptor, so that neither
/// deletion nor a mount namespace hides it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    /// As the file states them.
    pub(super) addresses: Vec<u64>,
}

/// One function: places in the table of strings, line, inlined into the next.
pub(super) type Row = (u32, u32, u32, bool);

/// For each address its functions, innermost first; none where there is no name.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Reply {
    #[serde(deserialize_with = "strings")]
    pub(super) strings: Vec<String>,
    #[serde(deserialize_with = "frames")]
    pub(super) frames: Vec<Vec<Row>>,
    /// Why the file gives no names at all.
    pub(super) error: Option<String>,
    /// The process could not be shut in, and reads no debug information.
    #[serde(default)]
    pub(super) open: bool,
}

/// Writes a message.
pub(super) fn send(socket: &mut UnixStream, message: &impl Serialize) -> io::Result<()> {
    let body = serde_json::to_vec(message)?;
    let length = u32::try_from(body.len())
        .ok()
        .filter(|length| *length <= MESSAGE_MAX)
        .ok_or_else(|| io::Error::other("the message is too long"))?;
    socket.write_all(&length.to_le_bytes())?;
    socket.write_all(&body)
}

/// Hands over an open file.
pub(super) fn send_file(socket: &UnixStream, file: &File) -> io::Result<()> {
    let files = [file.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(io::Error::other("no room for a descriptor"));
    }
    sendmsg(
        socket,
        &[IoSlice::new(&[0])],
        &mut control,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}

/// Takes the file that follows a request.
pub(super) fn receive_file(socket: &UnixStream) -> io::Result<File> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut buffers = [IoSliceMut::new(&mut byte)];
    recvmsg(socket, &mut buffers, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut files = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    let file = files.next().map(File::from);
    file.ok_or_else(|| io::Error::other("no file came with the request"))
}

/// Reads a message that has to be complete within `limit`.
pub(super) fn receive<T: DeserializeOwned>(
    socket: &mut UnixStream,
    limit: Duration,
) -> io::Result<T> {
    let deadline = Instant::now() + limit;
    let mut head = [0; 4];
    fill(socket, &mut head, deadline)?;
    let length = u32::from_le_bytes(head);
    if length > MESSAGE_MAX {
        return Err(io::Error::other("the message is too long"));
    }
    let mut body = vec![0; length as usize];
    fill(socket, &mut body, deadline)?;
    Ok(serde_json::from_slice(&body)?)
}

fn fill(socket: &mut UnixStream, mut rest: &mut [u8], deadline: Instant) -> io::Result<()> {
    while !rest.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        socket.set_read_timeout(Some(left))?;
        match socket.read(rest) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => rest = &mut rest[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Two bytes of JSON can make an element of many: what a symbolizer that a file has taken over
/// sends must not grow out of proportion.
struct AtMost<T, const LIMIT: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const LIMIT: usize> Visitor<'de> for AtMost<T, LIMIT> {
    type Value = Vec<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "at most {LIMIT} elements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
        let mut taken = Vec::new();
        while let Some(element) = elements.next_element()? {
            if taken.len() >= LIMIT {
                return Err(A::Error::invalid_length(LIMIT + 1, &self));
            }
            taken.push(element);
        }
        Ok(taken)
    }
}

/// The functions at one address.
#[derive(Deserialize)]
struct Rows(#[serde(deserialize_with = "rows")] Vec<Row>);

fn rows<'de, D: Deserializer<'de>>(rows: D) -> Result<Vec<Row>, D::Error> {
    rows.deserialize_seq(AtMost::<Row, ROWS_MAX>(PhantomData))
}

fn strings<'de, D: Deserializer<'de>>(strings: D) -> Result<Vec<String>, D::Error> {
    strings.deserialize_seq(AtMost::<String, STRINGS_MAX>(PhantomData))
}

fn frames<'de, D: Deserializer<'de>>(frames: D) -> Result<Vec<Vec<Row>>, D::Error> {
    let frames = frames.deserialize_seq(AtMost::<Rows, ADDRESSES_MAX>(PhantomData))?;
    Ok(frames.into_iter().map(|rows| rows.0).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> Result<Reply, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn an_answer_comes_back_as_it_was_given() {
        let given = Reply {
            strings: vec!["main".to_owned(), "main.c".to_owned()],
            frames: vec![vec![(0, 1, 7, false)], Vec::new()],
            error: None,
            open: false,
        };
        let text = serde_json::to_string(&given).expect("plain values");
        let taken = reply(&text).expect("within bounds");
        assert_eq!((taken.strings, taken.frames), (given.strings, given.frames));
    }

    #[test]
    fn an_answer_with_more_than_was_asked_for_is_refused() {
        let list = |element: &str, count: usize| format!("[{}]", vec![element; count].join(","));
        let with = |strings: &str, frames: &str| {
            reply(&format!(r#"{{"strings":{strings},"frames":{frames}}}"#))
        };
        let rows = |count| format!("[{}]", list("[0,0,0,true]", count));
        assert!(with("[]", &list("[]", ADDRESSES_MAX)).is_ok());
        assert!(with("[]", &list("[]", ADDRESSES_MAX + 1)).is_err());
        assert!(with("[]", &rows(ROWS_MAX)).is_ok());
        assert!(with("[]", &rows(ROWS_MAX + 1)).is_err());
        assert!(with(&list(r#""""#, STRINGS_MAX + 1), "[]").is_err());
    }
}
