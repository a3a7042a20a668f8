//! Where functions of the kernel lie, as far as it tells the agent.

use std::{
    fs::File,
    io::{self, Read as _},
};

use profiler_common::config::Code;

const KALLSYMS: &str = "/proc/kallsyms";
/// Most bytes that are read of it: some five times what a large kernel has.
const TEXT_MAX: u64 = 64 << 20;

/// Where these functions lie. Zeros for one that is not to be found or is there more than once, and
/// for all where addresses are hidden from the agent (`kernel.kptr_restrict`).
pub(super) fn locate<const N: usize>(names: [&str; N]) -> [Code; N] {
    let text = read().unwrap_or_else(|error| {
        tracing::warn!(%error, "{KALLSYMS} cannot be read: causes of OOM kills are not told");
        String::new()
    });
    names.map(|name| function(&text, name).unwrap_or_default())
}

fn read() -> io::Result<String> {
    let mut text = String::new();
    File::open(KALLSYMS)?
        .take(TEXT_MAX)
        .read_to_string(&mut text)?;
    Ok(text)
}

/// Lines are sorted by address, those of modules behind. A function ends where the next begins.
fn function(text: &str, name: &str) -> Option<Code> {
    let mut symbols = text.lines().filter_map(symbol);
    let (start, _) = symbols.by_ref().find(|(_, found)| is(found, name))?;
    let (end, next) = symbols.by_ref().find(|(address, _)| *address > start)?;
    // A compiler may have made several of one: a caller has either.
    let again = is(next, name) || symbols.any(|(_, found)| is(found, name));
    (start > 0 && !again).then_some(Code { start, end })
}

/// Address and name of a line such as `ffffffff8168dc30 t mem_cgroup_out_of_memory`.
fn symbol(line: &str) -> Option<(u64, &str)> {
    let mut words = line.split_ascii_whitespace();
    let address = u64::from_str_radix(words.next()?, 16).ok()?;
    Some((address, words.nth(1)?))
}

/// Compilers add what they did to a function (`.constprop.0`), and take out what is hardly ever run
/// (`.cold`), which lies elsewhere.
fn is(symbol: &str, name: &str) -> bool {
    symbol
        .strip_prefix(name)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.') && !rest.contains("cold"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "ffffffff81000100 t kill.cold\n\
        ffffffff81000200 T kill.isra.0\n\
        ffffffff81000200 T __pfx\n\
        ffffffff81000280 t kill_all\n\
        ffffffff81000300 t twice.constprop.0\n\
        ffffffff81000400 t twice\n\
        ffffffffc0000000 t last\t[module]\n";

    #[test]
    fn a_function_reaches_to_the_next() {
        let code = function(TEXT, "kill").unwrap();
        assert_eq!(
            (code.start, code.end),
            (0xffff_ffff_8100_0200, 0xffff_ffff_8100_0280)
        );
    }

    #[test]
    fn what_is_not_told_for_sure_is_not_told() {
        for name in ["twice", "last", "none"] {
            assert_eq!(function(TEXT, name), None, "{name}");
        }
        let hidden = "0000000000000000 T kill\n0000000000000000 t kill_all\n";
        assert_eq!(function(hidden, "kill"), None);
        assert_eq!(function("nonsense\nx y z\n", "kill"), None);
    }
}
