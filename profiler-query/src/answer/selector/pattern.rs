//! Texts that a selector compares with.

use globset::{GlobBuilder, GlobMatcher};
use tonic::Status;

use crate::model::TargetInfo;

/// An exact text, or a glob with `*` and `?`.
#[derive(Debug)]
pub(super) enum Pattern {
    Exact(String),
    Glob(GlobMatcher),
}

impl Pattern {
    pub(super) fn new(field: &str, text: &str) -> Result<Self, Status> {
        if text.is_empty() {
            return Err(Status::invalid_argument(format!(
                "an empty text in the selector's {field} chooses nothing; leave it out"
            )));
        }
        if !text.contains(['*', '?']) {
            return Ok(Self::Exact(text.to_owned()));
        }
        // Only `*` and `?` are special here.
        let mut glob = String::with_capacity(text.len() + 8);
        for character in text.chars() {
            if matches!(character, '[' | ']' | '{' | '}' | '\\') {
                glob.push('\\');
            }
            glob.push(character);
        }
        let glob = GlobBuilder::new(&glob)
            .literal_separator(false)
            .backslash_escape(true)
            .build()
            .map_err(|error| {
                Status::invalid_argument(format!("the selector's {field}: {text:?}: {error}"))
            })?;
        Ok(Self::Glob(glob.compile_matcher()))
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == text,
            Self::Glob(glob) => glob.is_match(text),
        }
    }

    pub(super) fn exact(&self) -> Option<&str> {
        match self {
            Self::Exact(exact) => Some(exact),
            Self::Glob(_) => None,
        }
    }
}

/// A label that has to be there, with this value if one is given.
#[derive(Debug)]
pub(super) struct Label {
    key: String,
    value: Option<Pattern>,
}

impl Label {
    pub(super) fn new(text: &str) -> Result<Self, Status> {
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (text, None),
        };
        if key.is_empty() {
            return Err(Status::invalid_argument(format!(
                "label {text:?}: give \"key=value\", or \"key\" for any value"
            )));
        }
        let value = match value {
            Some("") => Some(Pattern::Exact(String::new())),
            Some(value) => Some(Pattern::new("labels", value)?),
            None => None,
        };
        Ok(Self {
            key: key.to_owned(),
            value,
        })
    }

    /// The container's own labels hide those of its node.
    pub(super) fn fits(&self, info: &TargetInfo) -> bool {
        let own = info.container.labels.get(&self.key);
        let Some(text) = own.or_else(|| info.node.labels.get(&self.key)) else {
            return false;
        };
        let value = self.value.as_ref();
        value.is_none_or(|value| value.matches(text))
    }
}

/// A pod, by either of its names.
#[derive(Debug)]
pub(super) enum Pod {
    Uid(String),
    Named { namespace: String, name: String },
}

impl Pod {
    pub(super) fn new(text: &str) -> Result<Self, Status> {
        match text.split_once('/') {
            None if !text.is_empty() => Ok(Self::Uid(text.replace('_', "-"))),
            Some((namespace, name))
                if !namespace.is_empty() && !name.is_empty() && !name.contains('/') =>
            {
                Ok(Self::Named {
                    namespace: namespace.to_owned(),
                    name: name.to_owned(),
                })
            }
            _ => Err(Status::invalid_argument(format!(
                "pod {text:?}: give its uid, or its namespace and name as \"namespace/name\""
            ))),
        }
    }

    pub(super) fn fits(&self, info: &TargetInfo) -> bool {
        let container = &info.container;
        match self {
            Self::Uid(uid) => *uid == container.pod_uid,
            Self::Named { namespace, name } => {
                *namespace == container.namespace && *name == container.pod
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::new("processes", pattern)
            .expect("a pattern")
            .matches(text)
    }

    #[test]
    fn globs_know_only_star_and_question_mark() {
        assert!(matches("node", "node") && !matches("node", "node2"));
        assert!(matches("no*", "node") && matches("n?de", "node"));
        assert!(matches("/kubepods*", "/kubepods/burstable/podx/y"));
        assert!(matches("[a]*", "[a]b") && !matches("[a]*", "ab"));
        assert!(matches("{x,y}?", "{x,y}1") && !matches("{x,y}?", "x1"));
        assert!(matches("a\\*", "a\\b"));
        assert!(Pattern::new("processes", "").is_err());
    }

    #[test]
    fn half_names_are_refused() {
        for text in ["", "/", "default/", "/web", "a/b/c"] {
            assert!(Pod::new(text).is_err(), "{text:?}");
        }
        for text in ["", "=", "=x"] {
            assert!(Label::new(text).is_err(), "{text:?}");
        }
    }
}
