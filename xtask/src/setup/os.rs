//! Which distribution this is.

use std::fs;

/// What `/etc/os-release` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Release {
    id: String,
    pretty_name: String,
}

impl Release {
    /// Reads it from where the system keeps it; a system without one is called by no name.
    pub(crate) fn read() -> Self {
        let text = fs::read_to_string("/etc/os-release")
            .or_else(|_| fs::read_to_string("/usr/lib/os-release"))
            .unwrap_or_default();
        Self::parse(&text)
    }

    fn parse(text: &str) -> Self {
        let value = |key: &str| {
            text.lines()
                .filter_map(|line| line.trim().split_once('='))
                .find(|(name, _)| *name == key)
                .map(|(_, value)| value.trim_matches(['"', '\'']).to_owned())
                .unwrap_or_default()
        };
        Self {
            id: value("ID"),
            pretty_name: value("PRETTY_NAME"),
        }
    }

    /// A name for people.
    pub(crate) fn name(&self) -> &str {
        if !self.pretty_name.is_empty() {
            &self.pretty_name
        } else if !self.id.is_empty() {
            &self.id
        } else {
            "this system"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_not_part_of_a_value() {
        let release = Release::parse("PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n");
        assert_eq!(release.id, "debian");
        assert_eq!(release.name(), "Debian GNU/Linux 12 (bookworm)");
    }

    #[test]
    fn a_key_is_matched_whole() {
        assert_eq!(Release::parse("VERSION_ID=12\nID='alpine'").id, "alpine");
    }

    #[test]
    fn nothing_known_still_has_a_name() {
        assert_eq!(Release::parse("").name(), "this system");
    }
}
