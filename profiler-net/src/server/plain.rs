//! An answer for clients that speak plain HTTP to a port that wants TLS.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// First byte of every TLS connection: a record of the handshake.
const TLS_HANDSHAKE: u8 = 0x16;
/// How HTTP/2 begins, and what is enough to know it.
const HTTP2: &[u8] = b"PRI * HTTP/2";
const EXPLAIN: &str = "this port speaks TLS: use https://";
/// What the client may still have to say before it reads the answer.
const LISTEN_MAX: Duration = Duration::from_secs(1);
const LISTEN_BYTES_MAX: usize = 64 << 10;

/// Whether a connection that begins with this byte may be TLS.
pub(super) fn is_tls(first: u8) -> bool {
    first == TLS_HANDSHAKE
}

/// Says what the port speaks, in what the client speaks, and hangs up.
pub(super) async fn turn_away(mut stream: TcpStream) {
    let mut first = [0; 1024];
    let Ok(length) = stream.read(&mut first).await else {
        return;
    };
    let answer = if first[..length].starts_with(HTTP2) {
        go_away()
    } else {
        format!(
            "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{EXPLAIN}\n",
            EXPLAIN.len() + 1
        )
        .into_bytes()
    };
    if stream.write_all(&answer).await.is_err() || stream.shutdown().await.is_err() {
        return;
    }
    // Closing with unread bytes resets the connection, and the answer would be lost with it.
    let _ = tokio::time::timeout(LISTEN_MAX, listen(&mut stream)).await;
}

async fn listen(stream: &mut TcpStream) {
    let mut bytes = [0; 4096];
    let mut heard = 0;
    while heard < LISTEN_BYTES_MAX {
        match stream.read(&mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(length) => heard += length,
        }
    }
}

/// An empty SETTINGS frame and a GOAWAY with the reason (RFC 9113, 6.5 and 6.8).
fn go_away() -> Vec<u8> {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const INADEQUATE_SECURITY: u32 = 0xc;
    let length = u8::try_from(8 + EXPLAIN.len()).unwrap_or(u8::MAX);
    let mut bytes = SETTINGS.to_vec();
    bytes.extend([0, 0, length, 7, 0, 0, 0, 0, 0]);
    bytes.extend([0; 4]);
    bytes.extend(INADEQUATE_SECURITY.to_be_bytes());
    bytes.extend(EXPLAIN.as_bytes());
    bytes
}
