//! Whether two answers are the same, and if not, where they differ.

use anyhow::{Result, bail};
use pbjson_types::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

/// Times and ages may differ by so many seconds: the agent's clocks are read for each answer.
const TOLERANCE: f64 = 0.001;
/// The stream is set up shortly before observation begins.
const BEGIN_TOLERANCE: f64 = 0.1;
/// Differences that are shown.
const SHOWN: usize = 20;

/// What answers about one moment may have apart from each other, in any message of them:
/// - losses are counted on the agent until now, and on a collector until the last whole batch;
/// - the interval between captures is that of the same moments;
/// - the kernel's own figure is of now;
/// - numbers of stacks are each one's own.
const OWN: [&str; 4] = [
    "losses",
    "captureIntervalBytes",
    "kernelCommittedBytes",
    "stackId",
];
/// What an answer about everything counts as it counts losses.
pub(crate) const COUNTED: [&str; 4] = [
    "eventsSeen",
    "capturesSeen",
    "stacksComplete",
    "stacksTruncated",
];

/// Fails unless the two say the same, field by field and in the same order. `also`: fields that are
/// left out besides.
pub(crate) fn same<T: Serialize>(what: &str, one: &T, other: &T, also: &[&str]) -> Result<()> {
    let mut differences = Vec::new();
    let (one, other) = (serde_json::to_value(one)?, serde_json::to_value(other)?);
    compare("", &one, &other, also, &mut differences);
    if differences.is_empty() {
        return Ok(());
    }
    bail!(
        "{what}: {} differences:\n{}",
        differences.len(),
        differences[..differences.len().min(SHOWN)].join("\n")
    );
}

fn compare(at: &str, one: &Value, other: &Value, also: &[&str], into: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => objects(at, one, other, also, into),
        (Value::Array(one), Value::Array(other)) => {
            if one.len() != other.len() {
                into.push(format!("{at}: {} and {} of them", one.len(), other.len()));
            }
            for (place, (one, other)) in one.iter().zip(other).enumerate() {
                compare(&format!("{at}[{place}]"), one, other, also, into);
            }
        }
        _ if one == other || near(at, one, other) => {}
        _ => into.push(format!("{at}: {one} and {other}")),
    }
}

fn objects(
    at: &str,
    one: &Map<String, Value>,
    other: &Map<String, Value>,
    also: &[&str],
    into: &mut Vec<String>,
) {
    let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        if OWN.contains(&name.as_str()) || also.contains(&name.as_str()) {
            continue;
        }
        let missing = Value::Null;
        let one = one.get(name).unwrap_or(&missing);
        let other = other.get(name).unwrap_or(&missing);
        compare(&format!("{at}.{name}"), one, other, also, into);
    }
}

/// Times and ages.
fn near(at: &str, one: &Value, other: &Value) -> bool {
    let seconds = |value: &Value| match value {
        Value::String(_) => {
            let time: Timestamp = serde_json::from_value(value.clone()).ok()?;
            Some(time.seconds as f64 + f64::from(time.nanos) / 1e9)
        }
        // proto3 leaves zero out.
        Value::Null if at.ends_with("AgeSeconds") => Some(0.0),
        value if at.ends_with("AgeSeconds") => value.as_f64(),
        _ => None,
    };
    let tolerance = match at.ends_with(".since") {
        true => BEGIN_TOLERANCE,
        false => TOLERANCE,
    };
    let both = seconds(one).zip(seconds(other));
    both.is_some_and(|(one, other)| (one - other).abs() <= tolerance)
}
