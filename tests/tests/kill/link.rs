//! The link between agents and collector: a TCP relay on loopback that can be cut and slowed.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};

/// Bytes a second when nothing is slowed.
const UNLIMITED: u64 = u64::MAX;
/// What is handed on at once.
const PIECE: usize = 16 << 10;

/// A relay; its threads end with the process.
pub(crate) struct Link {
    address: SocketAddr,
    state: Arc<State>,
}

/// Shared with the relay's threads.
struct State {
    /// Bytes a second in each direction of each connection; 0: cut.
    rate: AtomicU64,
}

impl Link {
    /// Hands connections on to `target`.
    pub(crate) fn to(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("bind the relay")?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            rate: AtomicU64::new(UNLIMITED),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for incoming in listener.incoming().flatten() {
                // The collector may just be dead: then the agent sees its connection end.
                if shared.is_cut() {
                    continue;
                }
                if let Ok(outgoing) = TcpStream::connect(target) {
                    relay(&incoming, &outgoing, &shared);
                }
            }
        });
        Ok(Self { address, state })
    }

    /// Where agents connect to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all connections and takes no new ones.
    pub(crate) fn cut(&self) {
        self.state.rate.store(0, Ordering::Relaxed);
    }

    /// Hands on so many bytes a second, by connection and direction.
    pub(crate) fn slow(&self, bytes_per_second: u64) {
        self.state.rate.store(bytes_per_second, Ordering::Relaxed);
    }

    /// As it was at first.
    pub(crate) fn mend(&self) {
        self.state.rate.store(UNLIMITED, Ordering::Relaxed);
    }
}

impl State {
    fn is_cut(&self) -> bool {
        self.rate.load(Ordering::Relaxed) == 0
    }
}

fn relay(one: &TcpStream, other: &TcpStream, state: &Arc<State>) {
    let pairs = [(one, other), (other, one)];
    for (from, to) in pairs {
        let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else {
            return;
        };
        let state = Arc::clone(state);
        thread::spawn(move || hand_on(from, to, &state));
    }
}

/// Until one side ends or the link is cut; then both ends are closed.
fn hand_on(mut from: TcpStream, mut to: TcpStream, state: &State) {
    let mut piece = [0; PIECE];
    // So that a cut is seen on a quiet connection too.
    let tick = Duration::from_millis(50);
    if from.set_read_timeout(Some(tick)).is_ok() {
        while !state.is_cut() {
            match from.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => {
                    if to.write_all(&piece[..read]).is_err() {
                        break;
                    }
                    pause(read, state);
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => break,
            }
        }
    }
    // Closed already, perhaps.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

fn pause(bytes: usize, state: &State) {
    let rate = state.rate.load(Ordering::Relaxed);
    if rate != UNLIMITED && rate != 0 {
        thread::sleep(Duration::from_secs_f64(bytes as f64 / rate as f64));
    }
}
