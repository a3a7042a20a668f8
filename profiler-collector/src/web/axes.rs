//! What plots over a window have in common: their size, their axes, and marks at moments.

use maud::{Markup, html};
use profiler_formats::units::bytes;

use super::{moment, scale, window::Window};

pub(super) const WIDTH: f64 = 960.0;
pub(super) const HEIGHT: f64 = 260.0;
pub(super) const LEFT: f64 = 76.0;
pub(super) const RIGHT: f64 = 12.0;
pub(super) const TOP: f64 = 12.0;
pub(super) const BOTTOM: f64 = 28.0;

/// Where a moment (seconds since 1970) lies.
pub(super) fn x(window: &Window, seconds: f64) -> f64 {
    let share = (seconds - moment::seconds(&window.from)) / window.length();
    LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
}

/// Where a figure lies, if the largest that fits is `top`.
pub(super) fn y(top: u64, value: u64) -> f64 {
    TOP + (1.0 - value as f64 / top as f64) * (HEIGHT - TOP - BOTTOM)
}

/// The axis of time.
pub(super) fn of_time(window: &Window) -> Markup {
    let (from, to) = (&window.from, &window.to);
    let (ticks, format) = scale::times(moment::seconds(from), moment::seconds(to));
    html! {
        g.axis {
            @for tick in ticks {
                @let (x, anchor) = (x(window, tick), anchor(x(window, tick)));
                @let x = format!("{x:.1}");
                line x1=(x) x2=(x) y1=(TOP) y2=(HEIGHT - BOTTOM) {}
                text x=(x) y=(HEIGHT - 8.0) text-anchor=(anchor) {
                    (moment::formatted(tick, format))
                }
            }
        }
    }
}

/// Keeps the last title of the axis inside the drawing.
fn anchor(x: f64) -> &'static str {
    if x > WIDTH - 30.0 { "end" } else { "middle" }
}

/// The axis of bytes.
pub(super) fn of_bytes(top: u64, step: u64) -> Markup {
    let ticks = (0..=5_u64).map(|index| index.saturating_mul(step));
    html! {
        g.axis {
            @for tick in ticks.take_while(|tick| *tick <= top) {
                @let y = y(top, tick);
                line x1=(LEFT) x2=(WIDTH - RIGHT) y1=(format!("{y:.1}")) y2=(format!("{y:.1}")) {}
                text x=(LEFT - 8.0) y=(format!("{:.1}", y + 4.0)) text-anchor="end" {
                    (bytes(tick))
                }
            }
        }
    }
}

/// A line at a moment with its words.
pub(super) fn mark(window: &Window, seconds: f64, words: &str) -> Markup {
    let x = x(window, seconds);
    let (anchor, text) = if x > WIDTH - 160.0 {
        ("end", x - 5.0)
    } else {
        ("start", x + 5.0)
    };
    html! {
        g.mark {
            line x1=(format!("{x:.1}")) x2=(format!("{x:.1}")) y1=(TOP) y2=(HEIGHT - BOTTOM) {}
            text x=(format!("{text:.1}")) y=(TOP + 10.0) text-anchor=(anchor) { (words) }
        }
    }
}
