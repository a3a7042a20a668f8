//! Reads what test programs print, line by line, while it is shown.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader, Read},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

use super::report::{Outcome, Skip};

/// Collects the lines of one or several test programs in the format of Rust's harness.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    passed: usize,
    failed_count: usize,
    ignored_count: usize,
    failed: BTreeSet<String>,
    ignored: Vec<Skip>,
    skipped: Vec<Skip>,
    /// A test whose result is still to come: what it prints itself may stand in between.
    running: Option<String>,
}

impl Reader {
    /// Takes one line.
    pub(crate) fn line(&mut self, line: &str) {
        let line = without_colours(line);
        let line = line.trim_end();
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.passed += count_before(counts, " passed");
            self.failed_count += count_before(counts, " failed");
            self.ignored_count += count_before(counts, " ignored");
        } else if let Some(rest) = line.strip_prefix("skipped: ") {
            let (name, reason) = rest.split_once(": ").unwrap_or((rest, "no reason given"));
            self.skipped.push(skip(name, reason));
        } else if let Some((name, result)) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.split_once(" ..."))
        {
            self.running = Some(name.trim().to_owned());
            self.result(result.trim());
        } else {
            self.result(line);
        }
    }

    /// Takes what follows the name of a test; most lines are something else.
    fn result(&mut self, result: &str) {
        if result == "FAILED" {
            self.failed.extend(self.running.take());
        } else if result == "ignored" || result.starts_with("ignored, ") {
            let reason = result.strip_prefix("ignored, ").unwrap_or("ignored");
            self.ignored
                .extend(self.running.take().map(|name| skip(&name, reason)));
        } else if result == "ok" {
            self.running = None;
        }
    }

    /// What the lines come to. A test that printed `skipped:` counts as skipped and not as passed,
    /// whether its harness called it passed or ignored.
    pub(crate) fn outcome(self) -> Outcome {
        let mut skipped = self.skipped;
        let said = skipped.len();
        let also_ignored =
            |other: &Skip| skipped[..said].iter().any(|skip| skip.name == other.name);
        let more: Vec<Skip> = self
            .ignored
            .into_iter()
            .filter(|other| !also_ignored(other))
            .collect();
        let called_passed = (said + more.len()).saturating_sub(self.ignored_count);
        skipped.extend(more);
        let mut failed: Vec<String> = self.failed.into_iter().collect();
        for number in failed.len()..self.failed_count {
            failed.push(format!("test without a name {}", number + 1));
        }
        Outcome {
            passed: self.passed.saturating_sub(called_passed),
            failed,
            skipped,
        }
    }
}

fn skip(name: &str, reason: &str) -> Skip {
    Skip {
        name: name.to_owned(),
        reason: reason.to_owned(),
    }
}

/// The line without the sequences that colour it on a terminal.
fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, sequence)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        let end = sequence.find(|c: char| c.is_ascii_alphabetic());
        rest = end.map_or("", |end| &sequence[end + 1..]);
    }
    plain.push_str(rest);
    plain
}

/// The number before a word: `3` of `ok. 3 passed; 0 failed`.
fn count_before(text: &str, word: &str) -> usize {
    text.split(word)
        .next()
        .filter(|before| before.len() < text.len())
        .and_then(|before| before.rsplit([' ', ';']).next())
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

/// Runs a command that runs tests, shows its output and reads it.
pub(crate) fn run(command: &mut Command) -> Result<Outcome> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("start the tests")?;
    let stdout = child.stdout.take().context("the tests have no output")?;
    let reader = read(stdout)?;
    let status = child.wait().context("wait for the tests")?;
    let mut outcome = reader.outcome();
    if !status.success() && outcome.failed.is_empty() {
        outcome
            .failed
            .push(format!("the tests ended with {status}"));
    }
    Ok(outcome)
}

fn read(stdout: impl Read) -> Result<Reader> {
    let mut reader = Reader::default();
    let mut stdout = BufReader::new(stdout);
    let mut line = Vec::new();
    while stdout.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        print!("{text}");
        reader.line(&text);
        line.clear();
    }
    Ok(reader)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(text: &str) -> Outcome {
        let mut reader = Reader::default();
        text.lines().for_each(|line| reader.line(line));
        reader.outcome()
    }

    #[test]
    fn several_programs_are_summed() {
        let outcome = outcome(
            "running 2 tests\ntest a::b ... ok\ntest a::c ... FAILED\n\n\
             test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n\
             test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out\n",
        );
        assert_eq!(outcome.passed, 13);
        assert_eq!(outcome.failed, ["a::c"]);
    }

    #[test]
    fn a_test_that_skipped_itself_is_not_passed() {
        let outcome = outcome(
            "skipped: fexit: this kernel refuses it\ntest fexit ... ok\ntest other ... ok\n\
             test result: ok. 2 passed; 0 failed; 0 ignored\n",
        );
        assert_eq!(outcome.passed, 1);
        assert_eq!(outcome.skipped, [skip("fexit", "this kernel refuses it")]);
    }

    #[test]
    fn a_test_that_is_ignored_and_skipped_counts_once() {
        let outcome = outcome(
            "skipped: fexit: refused\ntest fexit ... ignored\ntest slow ... ignored, takes hours\n\
             test ok ... ok\ntest result: ok. 1 passed; 0 failed; 2 ignored\n",
        );
        assert_eq!(outcome.passed, 1);
        assert_eq!(
            outcome.skipped,
            [skip("fexit", "refused"), skip("slow", "takes hours")]
        );
    }

    #[test]
    fn a_result_may_follow_what_the_test_prints_and_be_coloured() {
        let outcome = outcome(
            "test quiet ... \x1b[32mok\x1b[0m\ntest loud   ...\nsome words\n\x1b[31mFAILED\x1b[0m\n\
             test python ...\nskipped: python: not installed\n\x1b[33mignored (not installed)\x1b[0m\n\
             test result: FAILED. 1 passed; 1 failed; 1 ignored\n",
        );
        assert_eq!(outcome.passed, 1);
        assert_eq!(outcome.failed, ["loud"]);
        assert_eq!(outcome.skipped, [skip("python", "not installed")]);
    }

    #[test]
    fn a_failure_without_a_name_is_not_lost() {
        let outcome = outcome("test result: FAILED. 0 passed; 2 failed; 0 ignored\n");
        assert_eq!(outcome.failed.len(), 2);
    }
}
