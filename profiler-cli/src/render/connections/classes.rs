//! What becomes of the memory that connections of one class demand: the answer in one line, then
//! why, then the figures behind it.

use profiler_proto::v1::{ConnectionClass, ConnectionRole, Pattern, ReleaseBasis};

use crate::{
    render::connection::{kind, process, protocol, role, spaced},
    screen::Look,
    text::{clean, plural, short_container, wrapped},
    units::{bytes, count, mean_bytes, share},
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
    let shown = sorted.iter().take(MOST);
    let mut text: String = shown.map(|class| block(class, look)).collect();
    if sorted.len() > MOST {
        let more = plural((sorted.len() - MOST) as u64, "more class", "more classes");
        text.push_str(&look.dim(&format!("… {more}; --format json has all")));
        text.push('\n');
    }
    text.push('\n');
    text
}

fn block(class: &ConnectionClass, look: Look) -> String {
    let headline = format!(
        "{}: {} - {}",
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

/// "node (412) server :8080 HTTP/2"
fn subject(class: &ConnectionClass) -> String {
    let process = match process(&class.process_name, class.pid) {
        unknown if unknown.is_empty() => "unknown process".into(),
        process => process,
    };
    let endpoint = clean(&class.endpoint);
    let towards = class.role() == ConnectionRole::Client && !endpoint.is_empty();
    spaced(&[
        &process,
        role(class.role()),
        kind(class.kind(), !endpoint.is_empty()),
        if towards { "to" } else { "" },
        &endpoint,
        protocol(class.protocol()),
    ])
}

fn outcome(pattern: Pattern) -> &'static str {
    match pattern {
        Pattern::RetainedWhileOpen => "retained while the socket is open",
        Pattern::BoundedPerConnection => "bounded per connection",
        Pattern::RetainedAfterClose => "retained after close",
        Pattern::PerRequest => "per request, whatever the connection",
        Pattern::NoGrowth => "no growth",
        Pattern::Undetermined => "undetermined",
        Pattern::Unspecified => "unknown",
    }
}

/// The figures that the pattern is about.
fn answer(class: &ConnectionClass) -> String {
    let connections = plural(class.connections, "connection", "connections");
    let figure = match class.pattern() {
        Pattern::RetainedWhileOpen | Pattern::PerRequest => {
            format!("{} per call", mean_bytes(class.bytes_per_call))
        }
        Pattern::BoundedPerConnection | Pattern::RetainedAfterClose => {
            let size = mean_bytes(class.bytes_per_connection);
            format!("{size} per connection")
        }
        Pattern::NoGrowth | Pattern::Undetermined | Pattern::Unspecified => {
            format!("live {}", bytes(class.committed_live_bytes))
        }
    };
    let mut parts = vec![connections, figure];
    parts.extend(release(class));
    parts.join(", ")
}

/// What the answer about release rests on, in numbers.
fn release(class: &ConnectionClass) -> Option<String> {
    match class.basis() {
        ReleaseBasis::Committed => class.released_share.map(|released| {
            let released = share(released);
            format!("{released} released within 30 s of close (committed bytes)")
        }),
        ReleaseBasis::Refill => class.refill_ratio.map(|ratio| {
            let ratio = share(ratio);
            format!(
                "later connections grew the process by {ratio} of what earlier ones did (refill)"
            )
        }),
        ReleaseBasis::Unspecified => None,
    }
}

/// Everything else that was counted.
fn figures(class: &ConnectionClass) -> String {
    let mut parts = vec![format!(
        "allocated {}, live {}, after close {}; {}, {} per call, {} per connection; {} closed, {} \
         of them 30 s ago or longer",
        bytes(class.committed_allocated_bytes),
        bytes(class.committed_live_bytes),
        bytes(class.live_after_close_bytes),
        plural(class.received_calls, "call", "calls"),
        mean_bytes(class.bytes_per_call),
        mean_bytes(class.bytes_per_connection),
        count(class.closed),
        count(class.judged),
    )];
    if let Some(late) = class.late_growth {
        let bounds = match (class.late_growth_low, class.late_growth_high) {
            (Some(low), Some(high)) => format!(" ({low:.2} to {high:.2})"),
            _ => String::new(),
        };
        parts.push(format!(
            "late growth {late:.2}{bounds} of steady growth's 1"
        ));
    }
    if !class.container_id.is_empty() {
        parts.push(format!(
            "container {}",
            short_container(&class.container_id)
        ));
    }
    parts.join("; ")
}
