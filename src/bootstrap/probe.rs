//! `ostiary health`: asks the server on this machine whether it is ready, for a container that has no other program to ask
//! with.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A server that does not answer in that time is not well.
const PATIENCE: Duration = Duration::from_secs(5);

/// The status line and headers of an answer are shorter.
const MOST_BYTES: u64 = 8 * 1024;

/// Succeeds if the server that listens on `bind` says that it is ready.
pub async fn probe(bind: SocketAddr) -> anyhow::Result<()> {
    let answer = tokio::time::timeout(PATIENCE, ask(reachable(bind)));
    let answer = answer.await.context("the server did not answer in time")??;
    let status = answer.split_ascii_whitespace().nth(1).unwrap_or_default();
    if status == "200" { Ok(()) } else { bail!("the server is not ready: it answered {status}") }
}

/// An address for every interface is no address to call.
fn reachable(bind: SocketAddr) -> SocketAddr {
    let ip = match bind.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bind.port())
}

async fn ask(address: SocketAddr) -> anyhow::Result<String> {
    let stream = TcpStream::connect(address).await;
    let mut stream = stream.with_context(|| format!("nothing listens on {address}"))?;
    let request = format!("GET /ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MOST_BYTES).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_for_every_interface_is_called_on_the_loopback() {
        let table = [("0.0.0.0:8000", "127.0.0.1:8000"), ("[::]:8000", "[::1]:8000"), ("10.0.0.7:80", "10.0.0.7:80")];
        for (bind, called) in table {
            assert_eq!(reachable(bind.parse().unwrap()), called.parse().unwrap());
        }
    }
}
