//! Flame graphs by inferno.

use inferno::{differential, flamegraph};

use crate::{
    failure::Failure,
    folded::{Folded, lines},
};

/// What stands above and below the picture.
#[derive(Clone, Debug)]
pub struct Caption {
    /// The first line.
    pub title: String,
    /// How far it can be trusted.
    pub facts: String,
}

/// The picture of folded stacks, with one figure a line or, differential, two.
pub fn svg(folded: &str, caption: &Caption) -> Result<Vec<u8>, Failure> {
    if folded.is_empty() {
        return Err(Failure::with_hint(
            "nothing to draw: no growth matches",
            "`profiler targets` lists what is observed",
        ));
    }
    let mut options = flamegraph::Options::default();
    options.title = caption.title.clone();
    options.subtitle = Some(caption.facts.clone());
    options.count_name = "bytes".into();
    options.deterministic = true;
    let mut picture = Vec::new();
    flamegraph::from_lines(&mut options, folded.lines(), &mut picture)
        .map_err(|error| Failure::new(format!("cannot draw: {error}")))?;
    Ok(picture)
}

/// Both moments as lines with two figures: before and after.
pub fn merged(before: &Folded, after: &Folded) -> Result<String, Failure> {
    let mut merged = Vec::new();
    let (before, after) = (lines(before), lines(after));
    differential::from_readers(
        differential::Options::default(),
        before.as_bytes(),
        after.as_bytes(),
        &mut merged,
    )
    .map_err(|error| Failure::new(format!("cannot compare: {error}")))?;
    let text = String::from_utf8_lossy(&merged);
    let mut sorted: Vec<&str> = text.lines().collect();
    sorted.sort_unstable();
    Ok(sorted.iter().map(|line| format!("{line}\n")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caption() -> Caption {
        Caption {
            title: "10 B committed".into(),
            facts: "tier C".into(),
        }
    }

    fn folded(entries: &[(&str, u64)]) -> Folded {
        entries.iter().map(|(s, b)| ((*s).to_owned(), *b)).collect()
    }

    fn drawn(text: &str) -> String {
        String::from_utf8(svg(text, &caption()).unwrap()).unwrap()
    }

    #[test]
    fn draws_every_frame_with_its_bytes() {
        let picture = drawn("node;main;a<b> 300\nnode;main 700\n");
        assert!(picture.starts_with("<?xml"));
        for part in [
            "node (1,000 bytes, 100.00%)",
            "a&lt;b&gt; (300 bytes",
            "tier C",
        ] {
            assert!(picture.contains(part), "{part} in {picture}");
        }
    }

    #[test]
    fn a_difference_has_both_moments() {
        let before = folded(&[("n;a", 10), ("n;gone", 5)]);
        let after = folded(&[("n;a", 30), ("n;new 7x", 5)]);
        let lines = merged(&before, &after).unwrap();
        assert_eq!(lines, "n;a 10 30\nn;gone 5 0\nn;new 7x 0 5\n");
        let picture = drawn(&lines);
        assert!(
            picture.contains("a (30 bytes, 85.71%; +57.14%)"),
            "{picture}"
        );
    }

    #[test]
    fn nothing_to_draw_is_told() {
        let error = svg("", &caption()).unwrap_err().to_string();
        assert!(error.contains("no growth matches"));
    }
}
