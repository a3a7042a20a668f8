//! What a page shows, from and to its query string: every page can be shared as its address.

use form_urlencoded::Serializer;
use pbjson_types::Timestamp;
use profiler_formats::folded::Value;
use profiler_proto::v1::Selector;

use super::{failure::Failure, moment};

/// Values of one field, at the most.
const MOST_VALUES: usize = 32;
/// Bytes of a query string, at the most.
const LONGEST: usize = 8 * 1024;

/// A field of a selector: its key and where it is kept.
type Field = (
    &'static str,
    fn(&Selector) -> &Vec<String>,
    fn(&mut Selector) -> &mut Vec<String>,
);

/// Fields of a selector but the pids.
const FIELDS: [Field; 9] = [
    ("node", |s| &s.nodes, |s| &mut s.nodes),
    ("namespace", |s| &s.namespaces, |s| &mut s.namespaces),
    ("workload", |s| &s.workloads, |s| &mut s.workloads),
    ("pod", |s| &s.pods, |s| &mut s.pods),
    ("container", |s| &s.containers, |s| &mut s.containers),
    ("image", |s| &s.images, |s| &mut s.images),
    ("label", |s| &s.labels, |s| &mut s.labels),
    ("process", |s| &s.processes, |s| &mut s.processes),
    ("cgroup", |s| &s.cgroups, |s| &mut s.cgroups),
];

/// What stands before the keys of the target that is compared against.
pub(super) const AGAINST: &str = "against.";

const OTHER_KEYS: &str = "pid, from, to, mark, span, by, value, connection, page and token";

/// What the rows of a table stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum By {
    #[default]
    Stack,
    Function,
    Process,
    Container,
    Connection,
    Node,
}

impl By {
    pub(super) const ALL: [Self; 6] = [
        Self::Stack,
        Self::Function,
        Self::Process,
        Self::Container,
        Self::Connection,
        Self::Node,
    ];

    /// As it stands in an address and in a sentence.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Stack => "stack",
            Self::Function => "function",
            Self::Process => "process",
            Self::Container => "container",
            Self::Connection => "connection",
            Self::Node => "node",
        }
    }
}

/// The state of a page.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct View {
    pub(super) selector: Selector,
    /// Compared against; empty: nothing.
    pub(super) against: Selector,
    pub(super) from: Option<Timestamp>,
    pub(super) to: Option<Timestamp>,
    /// The first of two moments that are being chosen on a plot.
    pub(super) mark: Option<Timestamp>,
    /// How far back to look from `to`, in seconds.
    pub(super) span: Option<i64>,
    pub(super) by: By,
    pub(super) value: Value,
    /// A connection's cookie; 0: all growth.
    pub(super) connection: u64,
    /// From 1 on; 0 is the first too.
    pub(super) page: u32,
    /// Of the next page of an answer.
    pub(super) token: String,
}

impl View {
    /// Reads a query string. Empty values are those of fields that a form left empty; unknown keys
    /// are refused, since a filter that is mistyped would widen the answer unseen.
    pub(super) fn parse(query: &str) -> Result<Self, Failure> {
        if query.len() > LONGEST {
            return Err(Failure::too_long());
        }
        let mut view = Self::default();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.trim();
            if value.is_empty() {
                continue;
            }
            match key.strip_prefix(AGAINST) {
                Some(field) => select(&mut view.against, &key, field, value)?,
                None => view.set(&key, value)?,
            }
        }
        Ok(view)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), Failure> {
        match key {
            "from" => self.from = Some(moment::parse(key, value)?),
            "to" => self.to = Some(moment::parse(key, value)?),
            "mark" => self.mark = Some(moment::parse(key, value)?),
            "span" => self.span = Some(moment::parse_span(value)?),
            "by" => self.by = one_of(key, value, &By::ALL, By::name)?,
            "value" => self.value = one_of(key, value, &VALUES, value_name)?,
            "connection" => self.connection = number(key, value)?,
            "page" => self.page = number(key, value)?,
            "token" => value.clone_into(&mut self.token),
            _ => return select(&mut self.selector, key, key, value),
        }
        Ok(())
    }

    /// The address of `path` in this state.
    pub(super) fn link(&self, path: &str) -> String {
        let query = self.query();
        if query.is_empty() {
            return path.to_owned();
        }
        format!("{path}?{query}")
    }

    /// Each key with its value, in the order of an address.
    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        let mut pairs = selected("", &self.selector);
        pairs.extend(selected(AGAINST, &self.against));
        let mut push = |key: &str, value: Option<String>| {
            pairs.extend(value.map(|value| (key.to_owned(), value)));
        };
        push("span", self.span.map(moment::span));
        push("from", self.from.as_ref().map(moment::wire));
        push("to", self.to.as_ref().map(moment::wire));
        push("mark", self.mark.as_ref().map(moment::wire));
        push("by", (self.by != By::Stack).then(|| self.by.name().into()));
        let value = value_name(self.value).to_owned();
        push("value", (self.value != Value::Live).then_some(value));
        let connection = self.connection.to_string();
        push("connection", (self.connection != 0).then_some(connection));
        push("page", (self.page > 1).then(|| self.page.to_string()));
        push(
            "token",
            (!self.token.is_empty()).then(|| self.token.clone()),
        );
        pairs
    }

    fn query(&self) -> String {
        let mut serializer = Serializer::new(String::new());
        serializer.extend_pairs(self.pairs());
        serializer.finish()
    }

    /// The same of the page's beginning: what is shown has changed.
    pub(super) fn afresh(&self) -> Self {
        Self {
            page: 0,
            token: String::new(),
            ..self.clone()
        }
    }

    /// The same of all that one field of a selector chooses.
    pub(super) fn only(&self, field: &str, value: &str) -> Self {
        let mut selector = Selector::default();
        if let Some((_, _, values)) = FIELDS.iter().find(|(name, ..)| *name == field) {
            values(&mut selector).push(value.to_owned());
        }
        Self {
            selector,
            connection: 0,
            mark: None,
            ..self.afresh()
        }
    }

    /// Whether two targets are compared.
    pub(super) fn compares(&self) -> bool {
        self.against != Selector::default()
    }
}

const VALUES: [Value; 2] = [Value::Live, Value::Allocated];

/// As it stands in an address and in a sentence.
pub(super) fn value_name(value: Value) -> &'static str {
    match value {
        Value::Live => "live",
        Value::Allocated => "allocated",
    }
}

/// Key and values of a selector, each key after `prefix`.
pub(super) fn selected(prefix: &str, selector: &Selector) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for (key, get, _) in FIELDS {
        let values = get(selector).iter();
        pairs.extend(values.map(|value| (format!("{prefix}{key}"), value.clone())));
    }
    let pids = selector.pids.iter();
    pairs.extend(pids.map(|pid| (format!("{prefix}pid"), pid.to_string())));
    pairs
}

fn select(selector: &mut Selector, key: &str, field: &str, value: &str) -> Result<(), Failure> {
    if field == "pid" {
        selector.pids.push(number(key, value)?);
        return enough(key, selector.pids.len());
    }
    let Some((_, _, values)) = FIELDS.iter().find(|(name, ..)| *name == field) else {
        let fields = FIELDS.map(|(name, ..)| name).join(", ");
        return Err(Failure::bad(format!(
            "\"{key}\" is no part of an address here; there are {fields}, {OTHER_KEYS}"
        )));
    };
    values(selector).push(value.to_owned());
    enough(key, values(selector).len())
}

fn enough(key: &str, values: usize) -> Result<(), Failure> {
    if values > MOST_VALUES {
        return Err(Failure::bad(format!(
            "more than {MOST_VALUES} values of \"{key}\""
        )));
    }
    Ok(())
}

fn number<N: std::str::FromStr>(key: &str, value: &str) -> Result<N, Failure> {
    let refused = || Failure::bad(format!("\"{key}\" is a number, and \"{value}\" is none"));
    value.parse().map_err(|_| refused())
}

fn one_of<T: Copy>(
    key: &str,
    value: &str,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<T, Failure> {
    let found = all.iter().copied().find(|one| name(*one) == value);
    found.ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|one| name(*one)).collect();
        Failure::bad(format!("\"{key}\" is one of {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_all_of_a_page() {
        let query = "node=n%201&container=abcd&container=%3Cscript%3E&pid=7&\
                     against.pod=shop%2Fcart-2&span=90m&from=2026-01-31T14%3A05%3A00Z&\
                     to=2026-01-31T15%3A05%3A00Z&by=process&value=allocated&connection=8193&\
                     page=2&token=x";
        let view = View::parse(query).unwrap();
        assert_eq!(view.selector.containers, ["abcd", "<script>"]);
        assert_eq!(view.against.pods, ["shop/cart-2"]);
        let link = view.link("/diff");
        assert!(link.contains("container=%3Cscript%3E"), "{link}");
        let again = View::parse(link.strip_prefix("/diff?").unwrap()).unwrap();
        assert_eq!(again, view);
        assert_eq!(View::default().link("/"), "/");
    }

    #[test]
    fn fields_that_a_form_left_empty_choose_nothing() {
        let view = View::parse("node=&pid=&from=&against.pod=+&by=").unwrap();
        assert_eq!(view, View::default());
    }

    #[test]
    fn what_is_not_understood_is_refused_with_what_would_be() {
        let many = "node=a&".repeat(33);
        let long = format!("node={}", "a".repeat(LONGEST));
        for (query, part) in [
            ("conatiner=abcd", "container"),
            ("against.by=stack", "no part of an address"),
            ("pid=-1", "number"),
            ("pid=99999999999", "number"),
            ("page=x", "number"),
            ("by=leak", "stack, function"),
            ("value=inuse", "live, allocated"),
            ("from=yesterday", "2026-01-31T14:05:00Z"),
            ("span=1000000d", "span"),
            (many.as_str(), "32 values"),
            (long.as_str(), "long"),
        ] {
            let failure = View::parse(query).unwrap_err();
            assert!(failure.message.contains(part), "{query}: {failure:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_survived() {
        let view = View::parse("node=%ff%00&&&=&%zz").map(|view| view.selector.nodes);
        assert!(view.is_err() || view.unwrap() == ["\u{fffd}\0"]);
    }
}
