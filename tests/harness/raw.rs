//! HTTP by hand, for requests that no library would send.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer, taken apart by hand.
#[derive(Debug)]
pub struct RawAnswer {
    pub status: u16,
    /// The status line and the headers.
    pub head: String,
    pub body: String,
}

/// Sends `request` (which asks for the connection to be closed) and reads to the end.
pub async fn exchange(authority: &str, request: &[u8]) -> RawAnswer {
    let talk = async {
        let stream = TcpStream::connect(authority).await.expect("the server listens");
        let (mut reader, mut writer) = stream.into_split();
        let mut answer = Vec::new();
        // The server may answer and close before it read everything.
        let (_, read) = tokio::join!(writer.write_all(request), reader.read_to_end(&mut answer));
        read.expect("the answer is read");
        answer
    };
    let answer = tokio::time::timeout(Duration::from_secs(20), talk).await.expect("the server answers in time");
    let answer = String::from_utf8(answer).expect("the answer is UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.unwrap_or_else(|| panic!("a status line: {answer:?}"));
    RawAnswer { status, head: head.to_owned(), body: body.to_owned() }
}
