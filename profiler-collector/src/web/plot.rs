//! Memory over time as SVG, drawn by the server; a moment can be chosen on it without a script.

use maud::{Markup, html};
use pbjson_types::Timestamp;
use profiler_formats::units::bytes;
use profiler_proto::v1::{Series, SeriesPoint};

use super::{
    axes::{self, BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH},
    moment, scale,
    window::Window,
};

/// Stripes that a moment can be chosen by.
const STRIPES: u32 = 80;
/// Colours that the stylesheet has.
pub(super) const COLOURS: usize = 6;

/// Lines over a window, and marks in it.
pub(super) struct Plot<'a> {
    pub(super) series: &'a [Series],
    pub(super) window: Window,
    pub(super) marks: Vec<Timestamp>,
    /// What it shows, for those who don't see it.
    pub(super) told: String,
}

impl Plot<'_> {
    /// The drawing; `choose` gives the address that a click at a moment leads to, and what it does.
    pub(super) fn draw(&self, choose: impl Fn(Timestamp) -> (String, String)) -> Markup {
        let (top, step) = scale::bytes(self.largest());
        let at = |value: u64| axes::y(top, value);
        html! {
            div.scroll tabindex="0" role="region" aria-label="Plot" {
                svg.plot viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img"
                    aria-label=(self.told) {
                    (axes::of_bytes(top, step))
                    (axes::of_time(&self.window))
                    @for (index, series) in self.series.iter().enumerate() {
                        (self.life(index, series, at))
                    }
                    @for mark in &self.marks {
                        @let words = moment::formatted(moment::seconds(mark), "%m-%d %H:%M:%S");
                        (axes::mark(&self.window, moment::seconds(mark), &words))
                    }
                    g aria-hidden="true" {
                        @for index in 0..STRIPES { (self.stripe(index, &choose)) }
                    }
                }
            }
        }
    }

    /// What its lines stand for.
    pub(super) fn legend(&self) -> &'static str {
        if self.overlap() {
            "Thick line: live. Thin line: committed. A dot ends a life. "
        } else {
            "Area: live. Thin line: committed. A dot ends a life. "
        }
    }

    /// Whether some were there at the same time: areas would then hide each other.
    fn overlap(&self) -> bool {
        let mut spans: Vec<_> = self
            .series
            .iter()
            .filter_map(|one| one.first.zip(one.last))
            .collect();
        spans.sort_by_key(|(first, _)| (first.seconds, first.nanos));
        spans
            .windows(2)
            .any(|pair| moment::before(&pair[1].0, &pair[0].1))
    }

    fn largest(&self) -> u64 {
        let points = self.series.iter().flat_map(|series| &series.points);
        let sizes = points.map(|point| point.committed_bytes.max(point.committed_live_bytes));
        sizes.max().unwrap_or(0)
    }

    /// One life: live bytes as an area, committed bytes as a thin line, and its end if it had one.
    fn life(&self, index: usize, series: &Series, at: impl Fn(u64) -> f64) -> Markup {
        let place = |point: &SeriesPoint, value: u64| {
            let x = axes::x(
                &self.window,
                point.time.as_ref().map_or(0.0, moment::seconds),
            );
            format!("{x:.1},{:.1}", at(value))
        };
        let (Some(first), Some(last)) = (series.points.first(), series.points.last()) else {
            return html! {};
        };
        let joined = |value: fn(&SeriesPoint) -> u64| {
            let points = series.points.iter();
            let places: Vec<_> = points.map(|point| place(point, value(point))).collect();
            places.join(" ")
        };
        let live = joined(|point| point.committed_live_bytes);
        let area = format!("{} {live} {}", place(first, 0), place(last, 0));
        let end = axes::x(
            &self.window,
            last.time.as_ref().map_or(0.0, moment::seconds),
        );
        html! {
            g class=(format!("life c{}", index % COLOURS)) {
                @if !self.overlap() { polygon.area points=(area) {} }
                polyline.committed points=(joined(|point| point.committed_bytes)) {}
                polyline.live points=(live) {}
                @if !series.alive {
                    line.end x1=(format!("{end:.1}")) x2=(format!("{end:.1}"))
                        y1=(format!("{:.1}", at(last.committed_live_bytes)))
                        y2=(HEIGHT - BOTTOM) {}
                    circle cx=(format!("{end:.1}"))
                        cy=(format!("{:.1}", at(last.committed_live_bytes))) r="3.5" {}
                }
            }
        }
    }

    fn stripe(&self, index: u32, choose: impl Fn(Timestamp) -> (String, String)) -> Markup {
        let share = (f64::from(index) + 0.5) / f64::from(STRIPES);
        let middle = moment::seconds(&self.window.from) + share * self.window.length();
        let (link, told) = choose(moment::at(middle));
        let width = (WIDTH - LEFT - RIGHT) / f64::from(STRIPES);
        html! {
            // The form below the plot does the same for the keyboard.
            a href=(link) tabindex="-1" {
                rect.stripe x=(format!("{:.2}", LEFT + f64::from(index) * width)) y=(TOP)
                    width=(format!("{width:.2}")) height=(HEIGHT - TOP - BOTTOM) {
                    title { (told) }
                }
            }
        }
    }
}

const SPARK_WIDTH: f64 = 120.0;
const SPARK_HEIGHT: f64 = 24.0;

/// Live bytes over the window, as large as a word.
pub(super) fn sparkline(series: &Series, window: &Window) -> Markup {
    let sizes = || series.points.iter().map(|point| point.committed_live_bytes);
    let (Some(first), Some(last)) = (sizes().next(), sizes().next_back()) else {
        return html! { span.note { "no points" } };
    };
    let largest = sizes().max().unwrap_or(0);
    let from = moment::seconds(&window.from);
    let places = series.points.iter().map(|point| {
        let time = point.time.as_ref().map_or(from, moment::seconds);
        let x = ((time - from) / window.length()).clamp(0.0, 1.0) * SPARK_WIDTH;
        let share = point.committed_live_bytes as f64 / (largest as f64).max(1.0);
        format!(
            "{x:.1},{:.1}",
            SPARK_HEIGHT - 1.5 - share * (SPARK_HEIGHT - 3.0)
        )
    });
    let told = format!(
        "live memory from {} to {}, at most {}",
        bytes(first),
        bytes(last),
        bytes(largest)
    );
    html! {
        svg.spark viewBox=(format!("0 0 {SPARK_WIDTH} {SPARK_HEIGHT}")) role="img"
            aria-label=(told) {
            title { (told) }
            polyline points=(places.collect::<Vec<_>>().join(" ")) {}
        }
    }
}

/// A share of 1 as a bar beside its figure.
pub(super) fn bar(share: f64) -> Markup {
    let percent = if share.is_finite() {
        share.clamp(0.0, 1.0) * 100.0
    } else {
        0.0
    };
    html! {
        svg.share aria-hidden="true" {
            rect width="100%" height="100%" {}
            rect.part width=(format!("{percent:.1}%")) height="100%" {}
        }
    }
}
