//! Pages of an answer: where the next one begins, and at which moments it was begun.

use prost::Message;
use tonic::Status;

use crate::ids::BootTime;

/// Longer ones were not made here.
const TOKEN_BYTES_MAX: usize = 256;

/// What a page token says, once it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    question: u64,
    /// Where the page before ended, as the answer means it; none on the first page.
    place: Option<Vec<u64>>,
    /// The moments that the first page stood for, where they were kept.
    pinned: Vec<BootTime>,
}

impl Page {
    /// `question`: the request without its page token, which is given apart. `fields`: numbers that
    /// name a place in this kind of answer.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`: the token is of another question, or was not made here.
    pub fn new(question: &impl Message, token: &str, fields: usize) -> Result<Self, Status> {
        let question = fnv(&question.encode_to_vec());
        let first = Self {
            question,
            place: None,
            pinned: Vec::new(),
        };
        if token.is_empty() {
            return Ok(first);
        }
        let page = read(token, fields).filter(|(check, numbers)| *check == seal(question, numbers));
        let (_, numbers) = page.ok_or_else(|| {
            Status::invalid_argument(
                "page_token: it is of another question, or was changed. Take it from the answer \
                 before as it is, and ask everything else as then",
            )
        })?;
        Ok(Self {
            place: Some(numbers[..fields].to_vec()),
            pinned: numbers[fields..].iter().copied().map(BootTime).collect(),
            ..first
        })
    }

    /// Where the page before ended; none on the first page.
    pub fn place(&self) -> Option<&[u64]> {
        self.place.as_deref()
    }

    /// The moments that the first page stood for; empty on that one, and where they are not kept.
    pub fn pinned(&self) -> &[BootTime] {
        &self.pinned
    }

    /// Rows before this page, of answers whose place is that number.
    pub fn offset(&self) -> usize {
        let number = self.place().and_then(|place| place.first().copied());
        usize::try_from(number.unwrap_or(0)).unwrap_or(usize::MAX)
    }

    /// The token of the page after this one, which begins behind `place`. `pinned`: the moments that
    /// it shall stand for.
    pub fn token(&self, place: &[u64], pinned: &[BootTime]) -> String {
        let mut numbers = place.to_vec();
        numbers.extend(pinned.iter().map(|time| time.0));
        let texts: Vec<String> = numbers.iter().map(|one| format!("{one:x}")).collect();
        format!("{:x}.{}", seal(self.question, &numbers), texts.join("-"))
    }

    /// The same where places are numbers of rows: `sent` of `total` were sent on this page. Empty if
    /// it was the last.
    pub fn next(&self, sent: usize, total: u32, pinned: &[BootTime]) -> String {
        let offset = self.offset().saturating_add(sent);
        match sent > 0 && offset < total as usize {
            true => self.token(&[offset as u64], pinned),
            false => String::new(),
        }
    }
}

/// At most two moments are pinned.
fn read(token: &str, fields: usize) -> Option<(u64, Vec<u64>)> {
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    let (check, numbers) = token.split_once('.')?;
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let numbers: Option<Vec<u64>> = numbers.split('-').map(number).collect();
    let numbers = numbers.filter(|all| (fields..=fields + 2).contains(&all.len()))?;
    Some((number(check)?, numbers))
}

fn seal(question: u64, numbers: &[u64]) -> u64 {
    let numbers = numbers.iter().chain([&question]);
    let bytes: Vec<u8> = numbers.flat_map(|one| one.to_le_bytes()).collect();
    fnv(&bytes)
}

/// FNV-1a: the same in every build, so that collectors behind one address take each other's tokens.
pub(super) fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use profiler_proto::v1;

    use super::*;

    fn question(limit: u32) -> v1::TopRequest {
        v1::TopRequest {
            limit,
            ..v1::TopRequest::default()
        }
    }

    #[test]
    fn a_token_gives_back_what_it_was_made_of() {
        let first = Page::new(&question(5), "", 1).expect("the first page");
        assert_eq!((first.offset(), first.pinned()), (0, &[][..]));
        let pinned = [BootTime(7), BootTime(9)];
        let token = first.next(5, 12, &pinned);
        let second = Page::new(&question(5), &token, 1).expect("the second page");
        assert_eq!((second.offset(), second.pinned()), (5, &pinned[..]));
        assert_eq!(second.next(7, 12, &pinned), "", "it is the last");
    }

    #[test]
    fn a_token_of_another_question_is_refused() {
        let first = Page::new(&question(5), "", 1).expect("the first page");
        let token = first.next(5, 12, &[]);
        let changed = token.replace(".5", ".6");
        assert_ne!(token, changed);
        for (limit, token) in [
            (6, &*token),
            (5, &*changed),
            (5, "x"),
            (5, "."),
            (5, "1.2-3-4-5-6"),
            (5, &"1".repeat(1000)),
        ] {
            let refused = Page::new(&question(limit), token, 1).expect_err("a refusal");
            assert!(refused.message().starts_with("page_token:"));
        }
    }
}
