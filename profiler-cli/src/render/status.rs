//! How the agent or collector is.

use profiler_proto::v1::{Capability, GetStatusResponse};

use crate::{
    render::accounting,
    screen::Look,
    text::{clean, plural},
    time::shown,
    units::{bytes, count, seconds, share},
};

/// The state of an agent, or of a collector: that has no kernel side, and tells no cost.
pub fn status(response: &GetStatusResponse, endpoint: &str, look: Look) -> String {
    let mut lines = vec![
        ("endpoint", clean(endpoint).into_owned()),
        (role(response), version(response)),
    ];
    if is_agent(response) {
        lines.push(("node", node(response)));
    }
    lines.push(("running", running(response)));
    if is_agent(response) {
        lines.push(("cost", cost(response)));
    }
    lines.extend([
        ("observes", observes(response)),
        ("history", history(response)),
        ("tables", tables(response)),
    ]);
    for capability in &response.capabilities {
        lines.push(("served", served(capability)));
        let refused = capability.refused.iter();
        lines.extend(refused.map(|why| ("", format!("refused: {}", clean(why)))));
    }
    lines.extend(
        response
            .notes
            .iter()
            .map(|note| ("note", clean(note).into_owned())),
    );
    let mut text: String = lines
        .iter()
        .map(|(title, line)| format!("{} {line}\n", look.bold(&format!("{title:<10}"))))
        .collect();
    text.push('\n');
    text.push_str(&accounting::footer(response.accounting.as_ref(), look));
    text
}

/// Seconds that the agent has run.
pub fn uptime_seconds(response: &GetStatusResponse) -> f64 {
    let uptime = response.uptime.unwrap_or_default();
    let nanos = u32::try_from(uptime.nanos).unwrap_or(0);
    let whole = u64::try_from(uptime.seconds).unwrap_or(0);
    std::time::Duration::new(whole, nanos).as_secs_f64()
}

/// CPU time as a share of one CPU, over the agent's whole run.
pub fn cpu_share(response: &GetStatusResponse) -> f64 {
    let uptime = uptime_seconds(response);
    if uptime > 0.0 {
        response.agent_cpu_seconds / uptime
    } else {
        0.0
    }
}

/// Whether it is an agent: only those have a kernel to watch.
pub fn is_agent(response: &GetStatusResponse) -> bool {
    !response.kernel.is_empty()
}

/// What it is called.
pub fn role(response: &GetStatusResponse) -> &'static str {
    match is_agent(response) {
        true => "agent",
        false => "collector",
    }
}

fn version(response: &GetStatusResponse) -> String {
    format!("{} (pid {})", clean(&response.version), response.agent_pid)
}

fn node(response: &GetStatusResponse) -> String {
    format!(
        "{}, kernel {}",
        clean(&response.node),
        clean(&response.kernel)
    )
}

fn running(response: &GetStatusResponse) -> String {
    let uptime = seconds(uptime_seconds(response));
    format!("{uptime}, since {}", shown(response.started.as_ref()))
}

fn cost(response: &GetStatusResponse) -> String {
    format!(
        "{} resident, {:.1} s CPU ({} of one CPU)",
        bytes(response.agent_resident_bytes),
        response.agent_cpu_seconds,
        share(cpu_share(response))
    )
}

fn observes(response: &GetStatusResponse) -> String {
    let observed = plural(response.processes_observed.into(), "process", "processes");
    let containers = plural(response.containers.into(), "container", "containers");
    let mut line = format!("{observed} in {containers}");
    for (number, what) in [
        (response.processes_ignored, "left out by filters"),
        (response.processes_unsupported, "unsupported (32-bit)"),
        (response.processes_counting, "storming: counted only"),
    ] {
        if number > 0 {
            line.push_str(&format!(", {} {what}", count(number.into())));
        }
    }
    line
}

fn history(response: &GetStatusResponse) -> String {
    let oldest = match &response.history_oldest {
        Some(oldest) => format!("since {}", shown(Some(oldest))),
        None => "none yet".into(),
    };
    let budget = match response.history_budget_bytes {
        0 => String::new(),
        budget => format!(" of {}", bytes(budget)),
    };
    format!("{oldest}, {}{budget}", bytes(response.history_bytes))
}

fn tables(response: &GetStatusResponse) -> String {
    let stacks = plural(response.stacks.into(), "stack", "stacks");
    match is_agent(response) {
        true => format!(
            "{stacks}, {}",
            plural(response.modules.into(), "module", "modules")
        ),
        false => stacks,
    }
}

fn served(capability: &Capability) -> String {
    let name = clean(&capability.name);
    match capability.chosen.as_str() {
        "" => format!("{name}: not at all"),
        chosen => format!("{name}: {}", clean(chosen)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_has_no_kernel_side() {
        let response = GetStatusResponse {
            version: "0.1.0".into(),
            agent_pid: 12,
            processes_observed: 213,
            containers: 12,
            history_bytes: 3 << 30,
            stacks: 40_000,
            notes: vec!["a collector with sqlite".into()],
            ..GetStatusResponse::default()
        };
        let text = status(&response, "https://c:7751", Look::plain(None));
        let expected = "\
endpoint   https://c:7751
collector  0.1.0 (pid 12)
running    0s, since unknown
observes   213 processes in 12 containers
history    none yet, 3.0 GiB
tables     40,000 stacks
note       a collector with sqlite

accounting";
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn tells_cost_capabilities_and_notes() {
        let response = GetStatusResponse {
            version: "0.1.0".into(),
            node: "n1".into(),
            kernel: "6.18.0".into(),
            uptime: Some(std::time::Duration::from_secs(200).into()),
            agent_cpu_seconds: 3.0,
            agent_resident_bytes: 45 << 20,
            agent_pid: 12,
            processes_observed: 213,
            processes_counting: 1,
            containers: 12,
            capabilities: vec![
                Capability {
                    name: "commit events".into(),
                    chosen: "tracepoint".into(),
                    refused: vec!["fexit: EINVAL".into()],
                },
                Capability {
                    name: "exec".into(),
                    ..Capability::default()
                },
            ],
            notes: vec!["tracefs was mounted".into()],
            ..GetStatusResponse::default()
        };
        let text = status(&response, "http://127.0.0.1:7741", Look::plain(None));
        for part in [
            "agent      0.1.0 (pid 12)\n",
            "node       n1, kernel 6.18.0\n",
            "cost       45.0 MiB resident, 3.0 s CPU (1.5% of one CPU)\n",
            "observes   213 processes in 12 containers, 1 storming: counted only\n",
            "served     commit events: tracepoint\n           refused: fexit: EINVAL\n",
            "served     exec: not at all\n",
            "note       tracefs was mounted\n",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
