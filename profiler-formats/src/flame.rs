//! Flame graphs by inferno.

use inferno::{differential, flamegraph};

use crate::{
    Error,
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

/// Whether a picture can be zoomed and searched, which takes a script in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// With inferno's script.
    Interactive,
    /// Without any script, for pages that allow none; dark where its reader prefers that.
    Still,
}

/// The picture of folded stacks, with one figure a line or, differential, two.
pub fn svg(folded: &str, caption: &Caption, kind: Kind) -> Result<Vec<u8>, Error> {
    if folded.is_empty() {
        return Err(Error::NoGrowth);
    }
    let mut options = flamegraph::Options::default();
    options.title = caption.title.clone();
    options.subtitle = Some(caption.facts.clone());
    options.count_name = "bytes".into();
    options.deterministic = true;
    if kind == Kind::Still {
        options.no_javascript = true;
        options.image_width = Some(WIDTH);
        options.font_width = FONT_WIDTH;
    }
    let mut picture = Vec::new();
    flamegraph::from_lines(&mut options, folded.lines(), &mut picture).map_err(Error::Draw)?;
    Ok(match kind {
        Kind::Interactive => picture,
        Kind::Still => stilled(&String::from_utf8_lossy(&picture)).into_bytes(),
    })
}

/// Without a script nothing fits texts to the window.
const WIDTH: usize = 1200;
/// Of the widest monospaced fonts that browsers come with, as a share of the size.
const FONT_WIDTH: f64 = 0.62;

const STILL_STYLE: &str = "
#search, #unzoom { display:none; }
#background stop { stop-color:#ffffff; }
#frames > g > rect { stroke:#c3c9d0; stroke-width:0.5; }
#frames > *:hover { cursor:default; }
@media (prefers-color-scheme: dark) {
#background stop { stop-color:#14181d; }
#title, #subtitle { fill:#d7dde4; }
#frames > g > rect { filter:brightness(0.82); }
}
</style>";

/// Takes out what inferno leaves of its script; all of it stands before the first name.
fn stilled(picture: &str) -> String {
    let quiet = picture.replacen(" onload=\"init(evt)\"", "", 1);
    let styled = quiet.replacen("</style>", STILL_STYLE, 1);
    match (styled.find("<script"), styled.find("</script>")) {
        (Some(start), Some(end)) if start < end => {
            let (before, after) = (&styled[..start], &styled[end + "</script>".len()..]);
            format!("{before}{after}")
        }
        _ => styled,
    }
}

/// Both moments as lines with two figures: before and after.
pub fn merged(before: &Folded, after: &Folded) -> Result<String, Error> {
    let mut merged = Vec::new();
    let (before, after) = (lines(before), lines(after));
    differential::from_readers(
        differential::Options::default(),
        before.as_bytes(),
        after.as_bytes(),
        &mut merged,
    )
    .map_err(Error::Compare)?;
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
        let picture = svg(text, &caption(), Kind::Interactive).unwrap();
        String::from_utf8(picture).unwrap()
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
    fn a_still_picture_has_no_script_whatever_the_names() {
        let hostile = "node;<script>alert(1)</script>;x onload=\"init(evt)\" 300\n";
        let interactive = drawn(hostile);
        assert!(interactive.contains("<script"));
        let picture = svg(hostile, &caption(), Kind::Still).unwrap();
        let picture = String::from_utf8(picture).unwrap();
        assert!(!picture.contains("<script"), "{picture}");
        assert!(!picture.contains("onload=\""), "{picture}");
        assert!(picture.contains("&lt;script&gt;alert(1)"), "{picture}");
        assert!(picture.ends_with("</svg>"), "{picture}");
    }

    #[test]
    fn nothing_to_draw_is_told() {
        let error = svg("", &caption(), Kind::Still).unwrap_err();
        assert!(error.to_string().contains("no growth matches"));
    }
}
