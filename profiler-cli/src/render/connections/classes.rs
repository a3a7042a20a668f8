//! What becomes of the memory that connections of one class demand: the answer in one line, then
//! why, then the figures behind it.

use profiler_formats::class::{answer, figures, outcome, subject};
use profiler_proto::v1::{ConnectionClass, Pattern};

use crate::{
    render::target::several_nodes,
    screen::Look,
    text::{clean, plural, wrapped},
};

/// Classes shown; JSON has all.
const MOST: usize = 12;
const INDENT: usize = 4;

/// Classes by live bytes, largest first, those without growth last.
pub(super) fn lines(classes: &[ConnectionClass], look: Look) -> String {
    if classes.is_empty() {
        return String::new();
    }
    let mut sorted: Vec<_> = classes.iter().collect();
    sorted.sort_by_key(|class| {
        let quiet = class.pattern() == Pattern::NoGrowth;
        (quiet, std::cmp::Reverse(class.committed_live_bytes))
    });
    let with_node = several_nodes(classes.iter().map(|class| class.node.as_str()));
    let shown = sorted.iter().take(MOST);
    let mut text: String = shown.map(|class| block(class, with_node, look)).collect();
    if sorted.len() > MOST {
        let more = plural((sorted.len() - MOST) as u64, "more class", "more classes");
        text.push_str(&look.dim(&format!("… {more}; --format json has all")));
        text.push('\n');
    }
    text.push('\n');
    text
}

fn block(class: &ConnectionClass, with_node: bool, look: Look) -> String {
    let node = match with_node {
        true => format!(" on {}", clean(&class.node)),
        false => String::new(),
    };
    let headline = format!(
        "{}{node}: {} - {}",
        subject(class),
        outcome(class.pattern()),
        answer(class)
    );
    let stays = matches!(
        class.pattern(),
        Pattern::RetainedWhileOpen | Pattern::RetainedAfterClose | Pattern::PerRequest
    );
    let mut text = String::new();
    for line in wrapped(&headline, look.width) {
        let line = if stays {
            look.warn(&line)
        } else {
            look.bold(&line)
        };
        text.push_str(&line);
        text.push('\n');
    }
    let room = look.width.map(|width| width.saturating_sub(INDENT));
    for line in wrapped(&clean(&class.reason), room) {
        text.push_str(&format!("{:INDENT$}{line}\n", ""));
    }
    for line in wrapped(&figures(class), room) {
        text.push_str(&look.dim(&format!("{:INDENT$}{line}", "")));
        text.push('\n');
    }
    text
}
