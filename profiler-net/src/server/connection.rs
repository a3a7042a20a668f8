//! A connection that may be served, and who is at its other end.

use std::{
    future::Future as _,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::places::Place;
use crate::{certificate::Certificate, stream::Stream};

/// Who is at the other end. Tonic puts it into the extensions of each request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Where the connection comes from.
    pub address: SocketAddr,
    /// It is encrypted.
    pub tls: bool,
    /// The client's certificate, verified against the client CA.
    pub certificate: Option<Arc<Certificate>>,
}

/// A connection after its handshake.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    peer: Peer,
    /// Until the first byte came.
    silence: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

impl Connection {
    pub(super) fn plain(
        stream: TcpStream,
        address: SocketAddr,
        place: Place,
        silence: Duration,
    ) -> Self {
        let peer = Peer {
            address,
            tls: false,
            certificate: None,
        };
        Self {
            stream: Stream::Plain(stream),
            peer,
            silence: Some(Box::pin(sleep(silence))),
            _place: place,
        }
    }

    pub(super) fn tls(
        stream: TlsStream<TcpStream>,
        address: SocketAddr,
        place: Place,
        silence: Duration,
    ) -> Result<Self, String> {
        let chain = stream.get_ref().1.peer_certificates();
        let certificate = chain.and_then(<[_]>::first).map(Certificate::parse);
        let peer = Peer {
            address,
            tls: true,
            certificate: certificate.transpose()?.map(Arc::new),
        };
        Ok(Self {
            stream: Stream::Tls(Box::new(stream.into())),
            peer,
            silence: Some(Box::pin(sleep(silence))),
            _place: place,
        })
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        match &mut self.silence {
            Some(silence) if read.is_pending() => {
                ready!(silence.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            _ => {
                self.silence = None;
                read
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
