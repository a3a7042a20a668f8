//! The time that a page is about.

use pbjson_types::Timestamp;

use super::{address::View, failure::Failure, moment};

/// Looked back on where an address does not say how far.
const SPAN: i64 = 6 * 3_600;

/// The spans that are offered.
pub(super) const SPANS: [i64; 5] = [3_600, 6 * 3_600, 86_400, 7 * 86_400, 30 * 86_400];

/// From one moment to a later one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    /// The end is the present, and moves.
    pub(super) now: bool,
}

impl Window {
    /// The time of a view.
    pub(super) fn of(view: &View) -> Result<Self, Failure> {
        let to = view.to.unwrap_or_else(moment::now);
        let span = view.span.unwrap_or(SPAN);
        let from = view.from.unwrap_or_else(|| moment::later(&to, -span));
        // Two targets may be of any two moments.
        if !view.compares() && !moment::before(&from, &to) {
            return Err(Failure::bad(format!(
                "\"from\" ({}) has to be before \"to\" ({})",
                moment::shown(Some(&from)),
                moment::shown(Some(&to)),
            )));
        }
        Ok(Self {
            from,
            to,
            now: view.to.is_none(),
        })
    }

    /// For requests that take no moment for the present.
    pub(super) fn at(&self) -> Option<Timestamp> {
        (!self.now).then_some(self.to)
    }

    /// Seconds.
    pub(super) fn length(&self) -> f64 {
        moment::seconds(&self.to) - moment::seconds(&self.from)
    }

    /// The view with this time, and no longer that of the present.
    pub(super) fn fix(&self, view: &View) -> View {
        // Two targets at the same moment have no beginning.
        let without = view.compares() && view.from.is_none();
        View {
            from: (!without).then_some(self.from),
            to: Some(self.to),
            span: None,
            ..view.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(query: &str) -> Result<Window, Failure> {
        Window::of(&View::parse(query).unwrap())
    }

    #[test]
    fn the_present_is_looked_back_on_from_now() {
        let window = window("span=1h").unwrap();
        assert!(window.now && window.at().is_none());
        assert!((window.length() - 3_600.0).abs() < 1e-3);
        let fixed = window.fix(&View::parse("span=1h&node=a").unwrap());
        assert_eq!((fixed.from, fixed.to), (Some(window.from), Some(window.to)));
        assert_eq!(fixed.span, None);
    }

    #[test]
    fn two_targets_may_be_of_one_moment() {
        let same = "against.pod=a&from=2026-01-31T14:05:00Z&to=2026-01-31T14:05:00Z";
        assert!(window(same).is_ok());
        let view = View::parse("against.pod=a").unwrap();
        let fixed = Window::of(&view).unwrap().fix(&view);
        assert!(fixed.from.is_none() && fixed.to.is_some());
    }

    #[test]
    fn a_fixed_time_stays() {
        let window = window("from=2026-01-31T14:05:00Z&to=2026-01-31T15:05:00Z").unwrap();
        assert_eq!(window.at(), Some(window.to));
    }

    #[test]
    fn time_runs_forward() {
        let failure = window("from=2026-01-31T14:05:00Z&to=2026-01-31T14:05:00Z").unwrap_err();
        assert!(failure.message.contains("before"), "{failure:?}");
        assert!(window("from=2200-01-01T00:00:00Z").is_err());
    }
}
