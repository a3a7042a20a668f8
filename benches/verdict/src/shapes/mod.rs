//! How memory goes over time. The truth of a series is its shape's: a leaking one would grow without
//! bound, a benign one has a bound.

mod cache;
mod collector;
mod creep;
mod jobs;
mod leak;
mod load;
mod step;

use crate::{
    random::Random,
    traffic::{Asked, DAY, HOUR, Moment, Traffic},
};

/// A curve, step by step, above what the process needs to be there at all.
pub(crate) trait Shape: Send {
    /// Bytes above the base at the end of the step.
    fn step(&mut self, moment: Moment, asked: Asked, random: &mut Random) -> f64;

    /// The same with all its state.
    fn copy(&self) -> Box<dyn Shape>;
}

impl Clone for Box<dyn Shape> {
    fn clone(&self) -> Self {
        self.copy()
    }
}

/// Lives that end without an OOM kill, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lives {
    pub(crate) shortest: f64,
    pub(crate) longest: f64,
    /// Between one and the next, at most.
    pub(crate) pause: f64,
}

/// A series before it begins.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) shape: Box<dyn Shape>,
    pub(crate) traffic: Traffic,
    /// Bytes above the base that are never exceeded; none: it leaks.
    pub(crate) most: Option<f64>,
    /// From when on it leaks, in seconds of its life.
    pub(crate) onset: f64,
    pub(crate) lives: Option<Lives>,
    /// It may have run for this long before anyone looked, in seconds.
    pub(crate) age: f64,
}

impl Plan {
    fn benign(shape: impl Shape + 'static, traffic: Traffic, most: f64) -> Self {
        Self {
            shape: Box::new(shape),
            traffic,
            most: Some(most),
            onset: 0.0,
            lives: None,
            age: 0.0,
        }
    }

    fn leaking(shape: impl Shape + 'static, traffic: Traffic) -> Self {
        Self {
            shape: Box::new(shape),
            traffic,
            most: None,
            onset: 0.0,
            lives: None,
            age: 0.0,
        }
    }

    fn aged(self, age: f64) -> Self {
        Self { age, ..self }
    }
}

/// What a shape is drawn for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Bytes that the process needs to be there at all.
    pub(crate) base: f64,
    /// Bytes from the base to the limit, or to what would be one.
    pub(crate) headroom: f64,
}

/// All shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    CachePlateau,
    LruFilling,
    GcSawtooth,
    HeapExpansion,
    OneStep,
    Diurnal,
    ConnectionRamp,
    Fragmentation,
    HugePages,
    PageCacheScan,
    Deploys,
    BatchLives,
    BatchInProcess,
    LinearLeak,
    SlowLeak,
    StaircaseLeak,
    SawtoothLeak,
    LoadLeak,
    LateLeak,
    RestartMaskedLeak,
}

impl Kind {
    pub(crate) const ALL: [Self; 20] = [
        Self::CachePlateau,
        Self::LruFilling,
        Self::GcSawtooth,
        Self::HeapExpansion,
        Self::OneStep,
        Self::Diurnal,
        Self::ConnectionRamp,
        Self::Fragmentation,
        Self::HugePages,
        Self::PageCacheScan,
        Self::Deploys,
        Self::BatchLives,
        Self::BatchInProcess,
        Self::LinearLeak,
        Self::SlowLeak,
        Self::StaircaseLeak,
        Self::SawtoothLeak,
        Self::LoadLeak,
        Self::LateLeak,
        Self::RestartMaskedLeak,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CachePlateau => "cache-plateau",
            Self::LruFilling => "lru-filling",
            Self::GcSawtooth => "gc-sawtooth",
            Self::HeapExpansion => "heap-expansion",
            Self::OneStep => "one-step",
            Self::Diurnal => "diurnal",
            Self::ConnectionRamp => "connection-ramp",
            Self::Fragmentation => "fragmentation",
            Self::HugePages => "huge-pages",
            Self::PageCacheScan => "page-cache-scan",
            Self::Deploys => "deploys",
            Self::BatchLives => "batch-lives",
            Self::BatchInProcess => "batch-in-process",
            Self::LinearLeak => "linear-leak",
            Self::SlowLeak => "slow-leak",
            Self::StaircaseLeak => "staircase-leak",
            Self::SawtoothLeak => "sawtooth-leak",
            Self::LoadLeak => "load-leak",
            Self::LateLeak => "late-leak",
            Self::RestartMaskedLeak => "restart-masked-leak",
        }
    }

    pub(crate) fn leaks(self) -> bool {
        self >= Self::LinearLeak
    }

    /// Draws a series of this kind.
    pub(crate) fn plan(self, size: Size, random: &mut Random) -> Plan {
        match self {
            Self::CachePlateau => cache::plateau(size, random),
            Self::LruFilling => cache::lru(size, random),
            Self::GcSawtooth => collector::sawtooth(size, random),
            Self::HeapExpansion => collector::expansion(size, random),
            Self::OneStep => step::once(size, random),
            Self::Diurnal => load::diurnal(size, random),
            Self::ConnectionRamp => load::connection_ramp(size, random),
            Self::Fragmentation => creep::fragmentation(size, random),
            Self::HugePages => step::huge_pages(size, random),
            Self::PageCacheScan => creep::page_cache_scan(size, random),
            Self::Deploys => jobs::deploys(size, random),
            Self::BatchLives => jobs::batch_lives(size, random),
            Self::BatchInProcess => jobs::batch_in_process(size, random),
            Self::LinearLeak => leak::steady(size, (3.0 * HOUR, 2.0 * DAY), random),
            Self::SlowLeak => leak::steady(size, (2.0 * DAY, 5.0 * DAY), random),
            Self::StaircaseLeak => leak::staircase(size, random),
            Self::SawtoothLeak => collector::leak(size, random),
            Self::LoadLeak => leak::by_load(size, random),
            Self::LateLeak => leak::late(size, random),
            Self::RestartMaskedLeak => leak::restart_masked(size, random),
        }
    }
}
