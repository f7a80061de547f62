//! A client's connection: what hyper does not do for it.
//!
//! - A peer that says nothing is hung up on. hyper's header timeout begins only when it knows the protocol, which takes the
//!   first bytes.
//! - So is one that takes nothing of what it is sent: an answer that it does not read would hold the connection for ever.
//! - Closing waits for the peer, for a while, reading and dropping what still comes. Closing with unread bytes makes the
//!   kernel reset the connection, and a client that is still sending a too large body would never see its 413.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// The length of the connection preface of HTTP/2 (RFC 9113 section 3.4), by which the protocols are told apart.
const PREFACE: usize = 24;
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 * 1024 * 1024;

/// A connection with a deadline for its first bytes and for each write, and a patient end.
pub struct Socket {
    stream: TcpStream,
    patience: Duration,
    write_deadline: Option<Pin<Box<Sleep>>>,
    preface_deadline: Option<Pin<Box<Sleep>>>,
    unread_preface: usize,
    closing: Option<Closing>,
}

struct Closing {
    deadline: Pin<Box<Sleep>>,
    dropped: usize,
}

impl Socket {
    /// Takes an accepted connection, whose peer may be silent at first, or deaf, for as long as `patience`.
    pub fn new(stream: TcpStream, patience: Duration) -> Self {
        let preface_deadline = Some(Box::pin(sleep(patience)));
        Self { stream, patience, write_deadline: None, preface_deadline, unread_preface: PREFACE, closing: None }
    }

    /// Gives a peer that has said enough for TLS the same time again, to say something in it.
    pub fn wait_anew(&mut self) {
        self.preface_deadline = Some(Box::pin(sleep(self.patience)));
        self.unread_preface = 1;
    }

    /// The result of a write, unless the peer has taken nothing for too long.
    fn in_time(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.write_deadline = None;
            return written;
        }
        let patience = self.patience;
        let deadline = self.write_deadline.get_or_insert_with(|| Box::pin(sleep(patience)));
        deadline.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Reads and drops until the peer closes too, its time is over or it sent too much.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(closing) = &mut self.closing else { return Poll::Ready(()) };
        let mut scrap = [0_u8; 8 * 1024];
        while closing.dropped < LINGER_BYTES && closing.deadline.as_mut().poll(cx).is_pending() {
            let mut buffer = ReadBuf::new(&mut scrap);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => closing.dropped += buffer.filled().len(),
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if let Some(deadline) = &mut self.preface_deadline {
            if read.is_pending() && deadline.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.unread_preface = self.unread_preface.saturating_sub(buffer.filled().len() - before);
            if self.unread_preface == 0 {
                self.preface_deadline = None;
            }
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.in_time(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closing.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.closing = Some(Closing { deadline: Box::pin(sleep(LINGER)), dropped: 0 });
        }
        self.poll_linger(cx).map(Ok)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.in_time(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn pair(preface_timeout: Duration) -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        (Socket::new(accepted.unwrap().0, preface_timeout), client.unwrap())
    }

    #[tokio::test]
    async fn a_peer_that_says_nothing_or_little_is_hung_up_on() {
        let (mut socket, mut client) = pair(Duration::from_millis(20)).await;
        client.write_all(b"PRI * HTTP").await.unwrap();
        let mut bytes = Vec::new();
        let error = socket.read_to_end(&mut bytes).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(bytes, b"PRI * HTTP");
    }

    #[tokio::test]
    async fn a_connection_that_began_may_be_idle() {
        let (mut socket, mut client) = pair(Duration::from_millis(20)).await;
        client.write_all(b"GET / HTTP/1.1\r\nHost: example\r\n\r\n").await.unwrap();
        let mut bytes = [0; 33];
        socket.read_exact(&mut bytes).await.unwrap();
        let idle = tokio::time::timeout(Duration::from_millis(60), socket.read_u8()).await;
        assert!(idle.is_err(), "it waits: {idle:?}");
    }

    #[tokio::test]
    async fn what_was_written_arrives_although_the_peer_still_sends() {
        let (mut socket, mut client) = pair(Duration::from_secs(5)).await;
        let server = tokio::spawn(async move {
            socket.write_all(b"413").await.unwrap();
            socket.shutdown().await.unwrap();
        });
        for _ in 0..64 {
            client.write_all(&[b'a'; 16 * 1024]).await.unwrap();
        }
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "413");
        drop(client);
        server.await.unwrap();
    }

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_hung_up_on() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let deaf = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut socket = Socket::new(listener.accept().await.unwrap().0, Duration::from_millis(50));
        // More than the buffers of both sides hold.
        let error = socket.write_all(&vec![0; 64 * 1024 * 1024]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(deaf);
    }
}
