//! Helper threads of runtimes: garbage collection, compilation, thread pools. What they demand is
//! nobody's request, and whose it is cannot be told from the thread.

/// How the helper threads of a program are told from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelperThreads {
    /// It is not known to have any.
    None,
    /// Every thread but the first that never receives from a socket nor waits for events: V8's and
    /// libuv's workers wait for locks, JavaScript's threads for events.
    Silent,
    /// Those whose names begin with one of these.
    Named(&'static [&'static str]),
}

/// Names that HotSpot gives its own threads (`os::set_native_thread_name`), cut to 15 bytes by the
/// kernel.
const HOTSPOT: &[&str] = &[
    "GC Thread#",
    "G1 ",
    "C1 CompilerThre",
    "C2 CompilerThre",
    "VM Thread",
    "VM Periodic Tas",
    "Sweeper thread",
    "Monitor Deflati",
    "ZWorker",
    "ZDriver",
    "ZDirector",
    "ZStat",
    "Shenandoah",
];

/// Names of the threads of .NET's runtime.
const DOTNET: &[&str] = &[
    ".NET Server GC",
    ".NET BGC",
    ".NET Tiered Com",
    ".NET Finalizer",
];

impl HelperThreads {
    /// By the program that a process runs.
    pub fn of(executable: &str) -> Self {
        let name = executable.rsplit('/').next().unwrap_or_default();
        match name.trim_end_matches(" (deleted)") {
            "node" | "nodejs" | "bun" | "deno" | "electron" => Self::Silent,
            "java" => Self::Named(HOTSPOT),
            "dotnet" => Self::Named(DOTNET),
            _ => Self::None,
        }
    }

    /// Whether a thread is one, that has never received from a socket nor waited for events.
    pub fn has(self, is_first: bool, name: impl FnOnce() -> Option<String>) -> bool {
        match self {
            Self::None => false,
            Self::Silent => !is_first,
            Self::Named(names) => {
                name().is_some_and(|name| names.iter().any(|known| name.starts_with(known)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_runtime_has_its_own_rule() {
        let node = HelperThreads::of("/usr/bin/node (deleted)");
        assert!(node.has(false, || None) && !node.has(true, || None));
        let java = HelperThreads::of("/usr/lib/jvm/bin/java");
        assert!(java.has(false, || Some("GC Thread#3".to_owned())));
        assert!(!java.has(false, || Some("http-nio-8080-e".to_owned())));
        assert!(!java.has(false, || None));
        assert!(!HelperThreads::of("/usr/sbin/nginx").has(false, || None));
    }
}
