//! Where probes get their answers from.

/// What a probe is told of one container, or of the worst of a pod's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    /// See [`super`]: true as well where nothing is known.
    pub healthy: bool,
    /// The verdict's stable name, for example "leaking"; "unknown" where there is no fresh one.
    pub state: String,
    /// In plain words.
    pub reason: String,
    /// Of the forecast.
    pub time_to_limit_seconds: Option<f64>,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup {
    /// One thing.
    Found(Health),
    /// Nothing.
    Unknown,
    /// So many things: the prefix is too short, or several claim the same name.
    Ambiguous(usize),
}

impl Lookup {
    /// What a probe of a `kind` ("container", "pod") is told. Whoever is not known is healthy.
    pub fn health(self, kind: &str) -> Health {
        let reason = match self {
            Self::Found(health) => return health,
            Self::Unknown => format!(
                "unknown: this agent has no reading of a {kind} of this name; it may be new, have \
                 ended, or belong to a user or another container"
            ),
            Self::Ambiguous(many) => {
                format!("unknown: the name may mean {many} {kind}s; give all of it")
            }
        };
        Health {
            healthy: true,
            state: "unknown".to_owned(),
            reason,
            time_to_limit_seconds: None,
        }
    }
}

/// The board of verdicts, as probes see it. Called from the runtime's threads: nothing here may wait.
pub trait Verdicts: Send + Sync {
    /// The container whose id begins so.
    fn container(&self, prefix: &str) -> Lookup;
    /// The pod with this uid: the worst of its containers.
    fn pod(&self, uid: &str) -> Lookup;
    /// Attached, and a first reading was taken.
    fn ready(&self) -> bool;
}
