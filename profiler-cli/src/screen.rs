//! Where answers go: a terminal, a pipe or a file.

use std::{
    env,
    io::{self, IsTerminal as _, Write},
    path::Path,
};

use ratatui::crossterm::terminal;

use crate::failure::Failure;

/// Columns when there is no terminal to ask.
const DEFAULT_WIDTH: u16 = 100;

/// How text may look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Columns to fit into; none: whatever it takes.
    pub width: Option<usize>,
    /// Whether escape sequences for colour are welcome.
    pub colour: bool,
}

impl Look {
    /// Without colour.
    pub fn plain(width: Option<usize>) -> Self {
        Self {
            width,
            colour: false,
        }
    }

    /// A heading.
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// Less important.
    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// Something to worry about: losses, growth.
    pub fn warn(self, text: &str) -> String {
        self.wrap("31", text)
    }

    /// The opposite: what shrank.
    pub fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// The standard output and what is known of it.
pub struct Screen {
    out: Box<dyn Write>,
    look: Look,
    terminal: bool,
}

impl Screen {
    /// The process's own standard output.
    pub fn stdout() -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let width = match terminal::size() {
            Ok((width, _)) if is_terminal && width > 0 => width,
            _ => DEFAULT_WIDTH,
        };
        // NO_COLOR counts when it is set to anything but nothing (no-color.org).
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self {
            out: Box::new(io::BufWriter::new(stdout)),
            look: Look {
                width: Some(width.into()),
                colour: is_terminal && !refused,
            },
            terminal: is_terminal,
        }
    }

    /// Whether a person looks at it.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// How text may look, with lines as long as they are if `whole`.
    pub fn look(&self, whole: bool) -> Look {
        Look {
            width: self.look.width.filter(|_| !whole),
            ..self.look
        }
    }

    /// Puts text out.
    pub fn print(&mut self, text: &str) -> Result<(), Failure> {
        self.write(text.as_bytes())
    }

    /// Puts bytes out.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let done = self.out.write_all(bytes);
        done.map_err(|error| Failure::write("the output", &error))
    }

    /// Makes sure that everything is out.
    pub fn flush(&mut self) -> Result<(), Failure> {
        let done = self.out.flush();
        done.map_err(|error| Failure::write("the output", &error))
    }

    /// Puts bytes into a file, or out where no file (or `-`) is named. Says whether it was a file.
    pub fn save(&mut self, file: Option<&Path>, bytes: &[u8]) -> Result<bool, Failure> {
        match named(file) {
            Some(path) => {
                let done = std::fs::write(path, bytes);
                done.map_err(|error| Failure::write(&path.display().to_string(), &error))?;
                Ok(true)
            }
            None => self.write(bytes).map(|()| false),
        }
    }

    /// Refuses to fill a terminal with `what`, which is for programs to read.
    pub fn refuse_terminal(&self, file: Option<&Path>, what: &str) -> Result<(), Failure> {
        if self.terminal && named(file).is_none() {
            return Err(Failure::with_hint(
                format!("{what} is not for a terminal to show"),
                "name a file with -o FILE, or redirect the output",
            ));
        }
        Ok(())
    }
}

fn named(file: Option<&Path>) -> Option<&Path> {
    file.filter(|path| path.as_os_str() != "-")
}
