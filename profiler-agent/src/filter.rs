//! Which processes are observed.
//!
//! `include` narrows as the client's selectors do: values of one list are alternatives, lists
//! narrow each other, empty lists let everything through. `exclude` leaves out whatever any of its
//! values names, and wins. A container inside another (`<id>@<outer>`) could have chosen its own
//! name, so an exclusion by id has to name the outer container or spell the id up to the `@`.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::container::{ContainerInfo, Kind};

/// Most values in one list.
const VALUES_MAX: usize = 1000;
/// Longest value.
const VALUE_MAX: usize = 4096;
/// Fewest characters of a container id.
const PREFIX_MIN: usize = 4;
/// The kernel keeps this many bytes of a name.
const COMM_MAX: usize = 15;

/// One side of the filter, as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Prefixes of container ids, or `host`.
    pub containers: Vec<String>,
    /// Globs over cgroup paths; a directory takes in what lies below it.
    pub cgroups: Vec<String>,
    /// Globs over process names.
    pub processes: Vec<String>,
    /// Process ids.
    pub pids: Vec<u32>,
}

impl Rules {
    /// No rule at all.
    pub fn is_empty(&self) -> bool {
        self.containers.is_empty()
            && self.cgroups.is_empty()
            && self.processes.is_empty()
            && self.pids.is_empty()
    }
}

/// Both sides, as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterSpec {
    /// What is observed; everything when empty.
    pub include: Rules,
    /// What is left out.
    pub exclude: Rules,
}

/// A value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Not a prefix of an id.
    #[error(
        "{value:?} is no container: at least {PREFIX_MIN} characters of its id are needed, or \"host\""
    )]
    Container {
        /// As given.
        value: String,
    },
    /// Not a glob.
    #[error("{value:?} is no pattern: {reason} (allowed are *, **, ?, [a-z] and {{a,b}})")]
    Glob {
        /// As given.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Cgroup paths begin with a slash.
    #[error("{value:?} is no cgroup path: it has to begin with / or *")]
    Path {
        /// As given.
        value: String,
    },
    /// Longer than any such value.
    #[error("a value of {length} bytes is too long (at most {VALUE_MAX})")]
    Long {
        /// Bytes.
        length: usize,
    },
    /// More values than are looked at.
    #[error("{count} values are too many (at most {VALUES_MAX} in one list)")]
    Many {
        /// Values given.
        count: usize,
    },
}

/// What is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its pid.
    pub pid: u32,
    /// Its name (comm).
    pub name: &'a str,
    /// What it belongs to, where that is known by now.
    pub container: Option<&'a ContainerInfo>,
}

/// What becomes of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Every operation is an event.
    Observe,
    /// Nothing but its life is looked at.
    Ignore,
}

/// The compiled filter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    include: Side,
    exclude: Side,
}

#[derive(Clone, Debug, Default)]
struct Side {
    containers: Vec<String>,
    cgroups: Option<GlobSet>,
    processes: Option<GlobSet>,
    pids: Vec<u32>,
}

impl Filter {
    /// Compiles a filter; the first value that cannot be used is the error.
    pub fn new(spec: &FilterSpec) -> Result<Self, FilterError> {
        Ok(Self {
            include: Side::new(&spec.include)?,
            exclude: Side::new(&spec.exclude)?,
        })
    }

    /// Decides. While the container is not known, rules about it let the process through: what is
    /// observed too long can be dropped, what was missed cannot be made up for.
    pub fn decide(&self, subject: Subject<'_>) -> Decision {
        if self.exclude.names(subject) || !self.include.admits(subject) {
            Decision::Ignore
        } else {
            Decision::Observe
        }
    }
}

impl Side {
    fn new(rules: &Rules) -> Result<Self, FilterError> {
        let pids = rules.pids.len();
        if pids > VALUES_MAX {
            return Err(FilterError::Many { count: pids });
        }
        for values in [&rules.containers, &rules.cgroups, &rules.processes] {
            check_bounds(values)?;
        }
        for value in &rules.containers {
            if value.chars().count() < PREFIX_MIN || value.contains(['/', '*', '?']) {
                return Err(FilterError::Container {
                    value: value.clone(),
                });
            }
        }
        Ok(Self {
            containers: rules.containers.clone(),
            cgroups: cgroup_globs(&rules.cgroups)?,
            processes: name_globs(&rules.processes)?,
            pids: rules.pids.clone(),
        })
    }

    /// Every list that has values has one that fits.
    fn admits(&self, subject: Subject<'_>) -> bool {
        let containers = self.containers.is_empty()
            || subject
                .container
                .is_none_or(|info| self.includes_container(info));
        let cgroups = self.cgroups.as_ref().is_none_or(|globs| {
            subject
                .container
                .is_none_or(|info| globs.is_match(&info.cgroup))
        });
        let processes = self
            .processes
            .as_ref()
            .is_none_or(|globs| globs.is_match(subject.name));
        let pids = self.pids.is_empty() || self.pids.contains(&subject.pid);
        containers && cgroups && processes && pids
    }

    /// Some list has a value that fits.
    fn names(&self, subject: Subject<'_>) -> bool {
        let by_container = subject.container.is_some_and(|info| {
            self.excludes_container(info)
                || self
                    .cgroups
                    .as_ref()
                    .is_some_and(|globs| globs.is_match(&info.cgroup))
        });
        let by_name = self
            .processes
            .as_ref()
            .is_some_and(|globs| globs.is_match(subject.name));
        by_container || by_name || self.pids.contains(&subject.pid)
    }

    fn includes_container(&self, info: &ContainerInfo) -> bool {
        self.containers.iter().any(|prefix| {
            names_container(prefix, &info.id, info.kind)
                || info
                    .outer_id
                    .as_ref()
                    .is_some_and(|outer| outer.starts_with(prefix.as_str()))
        })
    }

    fn excludes_container(&self, info: &ContainerInfo) -> bool {
        self.containers.iter().any(|prefix| match &info.outer_id {
            None => names_container(prefix, &info.id, info.kind),
            Some(outer) => {
                outer.starts_with(prefix.as_str())
                    || (prefix.contains('@') && info.id.starts_with(prefix.as_str()))
            }
        })
    }
}

/// `host` names the host alone, not a unit whose name begins with it.
fn names_container(prefix: &str, id: &str, kind: Kind) -> bool {
    if prefix == "host" {
        kind == Kind::Host
    } else {
        kind != Kind::Host && id.starts_with(prefix)
    }
}

fn check_bounds(values: &[String]) -> Result<(), FilterError> {
    if values.len() > VALUES_MAX {
        return Err(FilterError::Many {
            count: values.len(),
        });
    }
    match values.iter().find(|value| value.len() > VALUE_MAX) {
        Some(value) => Err(FilterError::Long {
            length: value.len(),
        }),
        None => Ok(()),
    }
}

fn cgroup_globs(values: &[String]) -> Result<Option<GlobSet>, FilterError> {
    let mut patterns = Vec::with_capacity(values.len() * 2);
    for value in values {
        if !value.starts_with(['/', '*']) {
            return Err(FilterError::Path {
                value: value.clone(),
            });
        }
        let path = value.trim_end_matches('/');
        patterns.push((value, path.to_owned()));
        patterns.push((value, format!("{path}/**")));
    }
    build(&patterns, true)
}

fn name_globs(values: &[String]) -> Result<Option<GlobSet>, FilterError> {
    let pattern = |value: &String| {
        let literal = !value.contains(['*', '?', '[', '{', '\\']);
        match value.get(..COMM_MAX) {
            // A longer name never occurs: the kernel has cut it here.
            Some(cut) if literal => cut.to_owned(),
            _ => value.clone(),
        }
    };
    let patterns: Vec<_> = values.iter().map(|value| (value, pattern(value))).collect();
    build(&patterns, false)
}

fn build(
    patterns: &[(&String, String)],
    separate_levels: bool,
) -> Result<Option<GlobSet>, FilterError> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let refuse = |value: &str, error: &globset::Error| FilterError::Glob {
        value: value.to_owned(),
        reason: error.kind().to_string(),
    };
    let mut set = GlobSetBuilder::new();
    for (value, pattern) in patterns {
        let glob = GlobBuilder::new(pattern)
            .literal_separator(separate_levels)
            .build()
            .map_err(|error| refuse(value, &error))?;
        set.add(glob);
    }
    let set = set
        .build()
        .map_err(|error| refuse(error.glob().unwrap_or("these together"), &error))?;
    Ok(Some(set))
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
