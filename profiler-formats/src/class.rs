//! What is said of connections that are alike.

use profiler_proto::v1::{ConnectionClass, ConnectionRole, Pattern, ReleaseBasis};

use crate::{
    connection::{kind, process, protocol, role, spaced},
    text::{clean, plural, short_container},
    units::{bytes, count, mean_bytes, share},
};

/// "node (412) server :8080 HTTP/2"
pub fn subject(class: &ConnectionClass) -> String {
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

/// What becomes of the memory, in words.
pub fn outcome(pattern: Pattern) -> &'static str {
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
pub fn answer(class: &ConnectionClass) -> String {
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
pub fn figures(class: &ConnectionClass) -> String {
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
