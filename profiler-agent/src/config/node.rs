//! What the operator says of this node.

use std::collections::BTreeMap;

use profiler_stream::TEXT_MAX;

use super::{ConfigError, Label, Layers, Options, Setting};

const LABELS_MAX: usize = 64;

pub(super) fn name(layers: &Layers, options: &Options) -> Result<Option<String>, ConfigError> {
    let file = layers.document.raw.node.clone();
    let setting = layers.pick("node", options.node.clone(), file, String::new());
    match setting.value.as_str() {
        "" => Ok(None),
        name if name.len() <= TEXT_MAX && is_printable(name) => Ok(Some(name.to_owned())),
        name => Err(setting.refuse(format!(
            "{name:?} cannot be a node's name: at most {TEXT_MAX} bytes without control \
             characters are allowed, or \"\" for the host's"
        ))),
    }
}

/// Labels given by flags take the place of the file's.
pub(super) fn labels(
    layers: &Layers,
    options: &Options,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let given = options.label.iter().cloned();
    let given: BTreeMap<_, _> = given.map(|Label { key, value }| (key, value)).collect();
    let setting = if given.is_empty() {
        let file = layers.document.raw.labels.clone();
        layers.pick("labels", None, file, BTreeMap::new())
    } else {
        layers.pick("label", Some(given), None, BTreeMap::new())
    };
    check_labels(&setting)?;
    Ok(setting.value)
}

fn check_labels(setting: &Setting<BTreeMap<String, String>>) -> Result<(), ConfigError> {
    if setting.value.len() > LABELS_MAX {
        return Err(setting.refuse(format!(
            "{} labels are too many: {LABELS_MAX} are allowed",
            setting.value.len()
        )));
    }
    for (key, value) in &setting.value {
        if key.is_empty() || key.len() > TEXT_MAX || !is_printable(key) {
            return Err(setting.refuse(format!(
                "{key:?} cannot be a label's key: 1 to {TEXT_MAX} bytes without control characters \
                 are allowed"
            )));
        }
        if value.len() > TEXT_MAX || !is_printable(value) {
            return Err(setting.refuse(format!(
                "the value of {key:?} cannot be used: at most {TEXT_MAX} bytes without control \
                 characters are allowed"
            )));
        }
    }
    Ok(())
}

fn is_printable(text: &str) -> bool {
    !text.chars().any(char::is_control)
}
