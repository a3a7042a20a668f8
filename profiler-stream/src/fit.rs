//! Facts that any process can make as long as it likes, cut so that those of all processes fit into
//! a part.

use std::collections::BTreeMap;

use profiler_query::model::{ContainerFacts, ProcessEntry, TargetInfo};

/// Bytes of one text, as long as there is room.
const TEXT_BYTES: usize = 512;
/// With the fullest table there still is room for so many.
const TEXT_BYTES_LEAST: usize = 16;
/// Bytes of all facts of one part: less than a collector takes of a batch, even if they cannot be
/// compressed.
const FACTS_BYTES: usize = 12 << 20;
/// Bytes of one process's numbers, and of what stands around a text.
const NUMBERS_BYTES: usize = 64;
const FRAMING_BYTES: usize = 6;
const LABELS_MAX: usize = 64;
const ELLIPSIS: &str = "…";

/// How long texts may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fit(usize);

impl Default for Fit {
    fn default() -> Self {
        Self(TEXT_BYTES)
    }
}

impl Fit {
    /// So that the facts of all these processes fit into one part.
    pub(crate) fn of(processes: &[ProcessEntry]) -> Self {
        let mut fit = Self::default();
        while fit.0 > TEXT_BYTES_LEAST && fit.bytes(processes) > FACTS_BYTES {
            fit.0 /= 2;
        }
        fit
    }

    /// The text, without its middle if it is too long.
    pub(crate) fn text(self, text: &str) -> String {
        let Some(room) = self.excess(text) else {
            return text.to_owned();
        };
        let room = room - ELLIPSIS.len();
        let (head, tail) = (room / 2, room - room / 2);
        [prefix(text, head), ELLIPSIS, suffix(text, tail)].concat()
    }

    /// The same for a text by which processes are told apart: what is cut stays in a hash.
    pub(crate) fn identity(self, text: &str) -> String {
        let Some(room) = self.excess(text) else {
            return text.to_owned();
        };
        let hash = blake3::hash(text.as_bytes()).to_hex();
        let hash = &hash[..room.min(16) - ELLIPSIS.len()];
        let head = prefix(text, room - ELLIPSIS.len() - hash.len());
        [head, ELLIPSIS, hash].concat()
    }

    /// Fewer of them where texts are short.
    pub(crate) fn labels(self, labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let labels = labels.iter().take(self.labels_most());
        labels
            .map(|(key, value)| (self.identity(key), self.text(value)))
            .collect()
    }

    fn labels_most(self) -> usize {
        LABELS_MAX * self.0 / TEXT_BYTES
    }

    /// How much room there is for a text that is too long.
    fn excess(self, text: &str) -> Option<usize> {
        (text.len() > self.0).then_some(self.0)
    }

    fn bytes(self, processes: &[ProcessEntry]) -> usize {
        let processes = processes.iter().map(|entry| {
            let texts = texts(&entry.info).map(|text| self.text_bytes(text));
            let labels = entry.info.container.labels.iter().take(self.labels_most());
            let labels = labels.map(|(key, value)| self.text_bytes(key) + self.text_bytes(value));
            NUMBERS_BYTES + texts.iter().sum::<usize>() + labels.sum::<usize>()
        });
        processes.sum()
    }

    fn text_bytes(self, text: &str) -> usize {
        match text.len() {
            0 => 0,
            bytes => FRAMING_BYTES + bytes.min(self.0),
        }
    }
}

/// The first characters of a text that take at most so many bytes.
pub(crate) fn prefix(text: &str, most: usize) -> &str {
    let mut ends = (0..=most.min(text.len())).rev();
    let end = ends.find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// The last ones.
fn suffix(text: &str, most: usize) -> &str {
    let mut starts = text.len().saturating_sub(most)..=text.len();
    let start = starts.find(|start| text.is_char_boundary(*start));
    &text[start.unwrap_or(text.len())..]
}

fn texts(info: &TargetInfo) -> [&str; 13] {
    let ContainerFacts {
        id,
        name,
        kind,
        root,
        cgroup,
        unit,
        pod_uid,
        namespace,
        pod,
        workload,
        image,
        labels: _,
    } = &*info.container;
    [
        &info.name,
        &info.executable,
        id,
        name,
        kind,
        root,
        cgroup,
        unit,
        pod_uid,
        namespace,
        pod,
        workload,
        image,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_cut_keeps_its_beginning_and_its_end() {
        let cut = Fit(16).text("/usr/lib/größe/größe/server");
        assert_eq!(cut, "/usr/l…/server");
        assert_eq!(Fit(16).text("0123456789abcdef"), "0123456789abcdef");
        let cut = Fit(512).text(&"é".repeat(2_000));
        assert!(cut.len() <= 512 && cut.len() > 500);
    }

    #[test]
    fn identities_that_are_cut_stay_different() {
        let long = |end: &str| "/kubepods".repeat(100) + end;
        for fit in [16, 64, 512].map(Fit) {
            let (one, other) = (fit.identity(&long("a")), fit.identity(&long("b")));
            assert_ne!(one, other);
            assert!(one.len() <= fit.0, "{one}");
            assert_eq!(one, fit.identity(&long("a")));
        }
        assert!(
            Fit(512)
                .identity(&long("a"))
                .starts_with("/kubepods/kubepods")
        );
    }
}
