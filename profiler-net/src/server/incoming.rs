//! From a listener to connections that may be served.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::{AbortHandle, JoinError, JoinSet},
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};
use tokio_stream::Stream;

use super::{
    Connection, Tls,
    places::{Place, Places},
    plain,
};
use crate::files::LOOK;

/// Connections that wait to be taken from the stream; more wait in the kernel.
const READY_MAX: usize = 64;
/// After the system refused a connection (out of descriptors, mostly).
const PAUSE: Duration = Duration::from_millis(100);

/// What a listener takes on at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections, those in handshake included. What comes above is closed.
    pub connections: usize,
    /// Of those, from one address (or 64 bits of IPv6). Loopback has no bound of its own.
    pub per_address: usize,
    /// Connections in handshake. Above, the oldest gives way: honest ones take milliseconds.
    pub handshakes: usize,
    /// Time for a handshake.
    pub handshake_time: Duration,
    /// Time for the first byte after it. Who has nothing to say takes no place.
    pub silence: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            per_address: 256,
            handshakes: 512,
            handshake_time: Duration::from_secs(10),
            silence: Duration::from_secs(30),
        }
    }
}

/// What became of connections, since the start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Given out to be served.
    pub served: AtomicU64,
    /// Closed because too many were open, in all or from one address.
    pub full: AtomicU64,
    /// Handshakes that failed: no certificate, the wrong one, no TLS.
    pub failed: AtomicU64,
    /// Handshakes that took too long.
    pub late: AtomicU64,
    /// Handshakes that gave way to newer ones.
    pub displaced: AtomicU64,
    /// Clients that spoke plain HTTP where TLS is wanted.
    pub plain: AtomicU64,
    /// Connections that the system could not give: out of descriptors or memory.
    pub not_accepted: AtomicU64,
}

/// Connections that have passed their handshake, as they come. For
/// `tonic::transport::Server::serve_with_incoming`, or to be taken one by one. Never yields an
/// error; dropping it closes the listener.
#[derive(Debug)]
pub struct Incoming {
    ready: mpsc::Receiver<io::Result<Connection>>,
    counts: Arc<Counts>,
}

impl Incoming {
    /// What became of connections.
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }
}

impl Stream for Incoming {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.ready.poll_recv(cx)
    }
}

/// Accepts connections and shakes hands with them, each on its own, so that a slow one holds up
/// no other. Looks for changed certificates every 10 s. Needs a tokio runtime.
pub fn incoming(listener: TcpListener, tls: Option<Tls>, limits: Limits) -> Incoming {
    let (sender, ready) = mpsc::channel(READY_MAX);
    let counts = Arc::<Counts>::default();
    let door = Door {
        listener,
        tls,
        limits,
        places: Places::new(limits.connections, limits.per_address),
        handshakes: JoinSet::new(),
        oldest_first: VecDeque::new(),
        counts: Arc::clone(&counts),
        untold: None,
    };
    tokio::spawn(door.keep(sender));
    Incoming { ready, counts }
}

/// Why a connection is not served.
enum Refused {
    /// The other side has gone without a word, as probes of ports do.
    Gone,
    Plain,
    Late,
    Failed(String),
}

struct Door {
    listener: TcpListener,
    tls: Option<Tls>,
    limits: Limits,
    places: Places,
    handshakes: JoinSet<(SocketAddr, Result<Connection, Refused>)>,
    oldest_first: VecDeque<AbortHandle>,
    counts: Arc<Counts>,
    /// The last refusal since the last line of the log, and their number.
    untold: Option<(u64, String)>,
}

impl Door {
    async fn keep(mut self, ready: mpsc::Sender<io::Result<Connection>>) {
        let mut look = interval_at(Instant::now() + LOOK, LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let served = tokio::select! {
                () = ready.closed() => return,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, address)) => self.admit(stream, address),
                    Err(error) => {
                        self.counts.not_accepted.fetch_add(1, Relaxed);
                        self.note(format!("cannot accept connections: {error}"));
                        tokio::time::sleep(PAUSE).await;
                        None
                    }
                },
                Some(ended) = self.handshakes.join_next() => self.shaken(ended),
                _ = look.tick() => {
                    self.look();
                    None
                }
            };
            if let Some(connection) = served {
                self.counts.served.fetch_add(1, Relaxed);
                // An error means that the stream is gone, which the next turn sees.
                let _ = ready.send(Ok(connection)).await;
            }
        }
    }

    /// Gives out a plain connection, or begins its handshake.
    fn admit(&mut self, stream: TcpStream, address: SocketAddr) -> Option<Connection> {
        let place = match self.places.take(address.ip()) {
            Ok(place) => place,
            Err(reason) => {
                self.counts.full.fetch_add(1, Relaxed);
                self.note(format!("{address}: {reason}"));
                return None;
            }
        };
        // Answers are written whole; waiting for more to send only delays them.
        let _ = stream.set_nodelay(true);
        let silence = self.limits.silence;
        let Some(tls) = self.tls.clone() else {
            return Some(Connection::plain(stream, address, place, silence));
        };
        self.make_room();
        let time = self.limits.handshake_time;
        let handle = self.handshakes.spawn(async move {
            let shaking = timeout(time, shake(stream, address, tls, place, silence));
            (address, shaking.await.unwrap_or(Err(Refused::Late)))
        });
        self.oldest_first.push_back(handle);
        None
    }

    /// Ends the oldest handshakes while there are too many.
    fn make_room(&mut self) {
        self.oldest_first.retain(|handle| !handle.is_finished());
        while self.oldest_first.len() >= self.limits.handshakes.max(1) {
            if let Some(oldest) = self.oldest_first.pop_front() {
                oldest.abort();
                self.counts.displaced.fetch_add(1, Relaxed);
            }
        }
    }

    fn shaken(
        &mut self,
        ended: Result<(SocketAddr, Result<Connection, Refused>), JoinError>,
    ) -> Option<Connection> {
        // An error: it had to give way, and is counted.
        let (address, outcome) = ended.ok()?;
        let (count, reason) = match outcome {
            Ok(connection) => return Some(connection),
            Err(Refused::Gone) => return None,
            Err(Refused::Plain) => (&self.counts.plain, "plain HTTP instead of TLS".to_owned()),
            Err(Refused::Late) => (&self.counts.late, "no handshake in time".to_owned()),
            Err(Refused::Failed(reason)) => (&self.counts.failed, reason),
        };
        count.fetch_add(1, Relaxed);
        self.note(format!("{address}: {reason}"));
        None
    }

    fn note(&mut self, refusal: String) {
        tracing::debug!("connection refused: {refusal}");
        let number = self.untold.take().map_or(0, |(number, _)| number);
        self.untold = Some((number + 1, refusal));
    }

    /// One line for all refusals since the last, so that hostile clients cannot fill the log.
    fn look(&mut self) {
        if let Some((number, last)) = self.untold.take() {
            tracing::warn!(number, last, "connections refused");
        }
        if let Some(tls) = self.tls.clone() {
            // Failures are logged, and what was loaded before serves on.
            tokio::task::spawn_blocking(move || tls.reload());
        }
    }
}

async fn shake(
    stream: TcpStream,
    address: SocketAddr,
    tls: Tls,
    place: Place,
    silence: Duration,
) -> Result<Connection, Refused> {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(0) | Err(_) => return Err(Refused::Gone),
        Ok(_) if !plain::is_tls(first[0]) => {
            plain::turn_away(stream).await;
            return Err(Refused::Plain);
        }
        Ok(_) => {}
    }
    let failed = |error: io::Error| Refused::Failed(format!("TLS handshake: {error}"));
    let stream = tls.acceptor().accept(stream).await.map_err(failed)?;
    Connection::tls(stream, address, place, silence).map_err(Refused::Failed)
}
