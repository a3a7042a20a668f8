//! What to say of a process that is not known.

use std::path::Path;

use profiler_query::answer::NotChosen;
use tonic::Status;

pub(super) fn refusal(reason: NotChosen) -> Status {
    match reason {
        NotChosen::Pid(pid) => unknown_pid(pid),
        other => other.into(),
    }
}

pub(super) fn unknown_pid(pid: u32) -> Status {
    let why = if pid == std::process::id() {
        "it is this agent, which leaves itself out"
    } else if Path::new(&format!("/proc/{pid}")).exists() {
        "it runs, but it is a kernel thread, a thread of another process, or left out by a filter"
    } else {
        "there is no such process; pids are those of the host, not of a container"
    };
    Status::not_found(format!(
        "process {pid} is not observed: {why}. List the targets to see those that are"
    ))
}
