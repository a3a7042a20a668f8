//! The lists of the filter.

use toml::Spanned;

use super::file::RawRules;
use super::{ConfigError, Layers, Options, Setting};
use crate::filter::{Filter, FilterError, FilterSpec, Rules};

pub(super) fn filter(layers: &Layers, options: &Options) -> Result<FilterSpec, ConfigError> {
    let o = options.clone();
    let raw = layers.document.raw.filter.clone();
    let include = RulesFlags {
        containers: (
            "include_container",
            "filter.include.containers",
            o.include_container,
        ),
        cgroups: (
            "include_cgroup",
            "filter.include.cgroups",
            patterns(&o.include_cgroup),
        ),
        processes: (
            "include_process",
            "filter.include.processes",
            patterns(&o.include_process),
        ),
        pids: ("include_pid", "filter.include.pids", o.include_pid),
    };
    let exclude = RulesFlags {
        containers: (
            "exclude_container",
            "filter.exclude.containers",
            o.exclude_container,
        ),
        cgroups: (
            "exclude_cgroup",
            "filter.exclude.cgroups",
            patterns(&o.exclude_cgroup),
        ),
        processes: (
            "exclude_process",
            "filter.exclude.processes",
            patterns(&o.exclude_process),
        ),
        pids: ("exclude_pid", "filter.exclude.pids", o.exclude_pid),
    };
    Ok(FilterSpec {
        include: rules(layers, include, raw.include)?,
        exclude: rules(layers, exclude, raw.exclude)?,
    })
}

/// The lists of one side, as given on the command line.
struct RulesFlags {
    containers: ListFlag<String>,
    cgroups: ListFlag<String>,
    processes: ListFlag<String>,
    pids: ListFlag<u32>,
}

/// The patterns of a flag or variable: apart by commas, but for those within braces, which are
/// part of a pattern.
fn patterns(given: &[String]) -> Vec<String> {
    given.iter().flat_map(|text| split(text)).collect()
}

fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_usize;
    for character in text.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(character);
        }
    }
    parts
}

/// The flag's name, the key in the file, and what the flag gave.
pub(super) type ListFlag<T> = (&'static str, &'static str, Vec<T>);

/// A list given by flags takes the place of the file's.
pub(super) fn list<T>(
    layers: &Layers,
    (flag, key, given): ListFlag<T>,
    file: Option<Spanned<Vec<T>>>,
) -> Setting<Vec<T>> {
    if given.is_empty() {
        layers.pick(key, None, file, Vec::new())
    } else {
        layers.pick(flag, Some(given), None, Vec::new())
    }
}

fn rules(layers: &Layers, flags: RulesFlags, raw: RawRules) -> Result<Rules, ConfigError> {
    let containers = list(layers, flags.containers, raw.containers);
    let cgroups = list(layers, flags.cgroups, raw.cgroups);
    let processes = list(layers, flags.processes, raw.processes);
    let pids = list(layers, flags.pids, raw.pids);
    let mut rules = Rules::default();
    check(&mut rules, &containers, |rules, value| {
        rules.containers = value;
    })?;
    check(&mut rules, &cgroups, |rules, value| rules.cgroups = value)?;
    check(&mut rules, &processes, |rules, value| {
        rules.processes = value;
    })?;
    check(&mut rules, &pids, |rules, value| rules.pids = value)?;
    Ok(rules)
}

/// Adds one list to the rules and compiles them, so that an error names the list at fault.
fn check<T: Clone>(
    rules: &mut Rules,
    setting: &Setting<T>,
    add: impl FnOnce(&mut Rules, T),
) -> Result<(), ConfigError> {
    add(rules, setting.value.clone());
    let spec = FilterSpec {
        include: rules.clone(),
        exclude: Rules::default(),
    };
    match Filter::new(&spec) {
        Ok(_) => Ok(()),
        Err(error) => Err(refuse_filter(setting, &error)),
    }
}

fn refuse_filter<T>(setting: &Setting<T>, error: &FilterError) -> ConfigError {
    setting.refuse(error.to_string())
}
