//! Whether a relay is ready, by the sign that the experiment names.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::experiment::Ready;

/// A relay that takes longer to answer is not ready yet.
const ANSWER: Duration = Duration::from_millis(500);

/// What is still lacking, in words; `None`: the sign is there.
pub(crate) async fn lacking(sign: &Ready, log: &Path) -> Option<String> {
    match sign {
        Ready::Line(words) => (!has_line(log, words)).then(|| format!("it has written no line with {words:?}")),
        Ready::Tcp(address) => {
            let error = within(TcpStream::connect(address)).await.err()?;
            Some(format!("nobody takes connections at {address} ({error})"))
        }
        Ready::Http(address) => {
            let what = match within(status(address)).await {
                Ok(200..=299) => return None,
                Ok(status) => format!("answered with status {status}"),
                Err(error) => format!("did not answer ({error})"),
            };
            Some(format!("{address} {what}"))
        }
    }
}

async fn within<T>(answer: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(ANSWER, answer).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Whether a line with these words has been written to its end.
fn has_line(log: &Path, words: &str) -> bool {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.split_inclusive('\n').any(|line| line.ends_with('\n') && line.contains(words))
}

/// The status with which a GET is answered: the first line says it (RFC 9112, section 4).
async fn status(address: &str) -> io::Result<u16> {
    let (authority, path) = Ready::http_parts(address).ok_or(io::ErrorKind::InvalidInput)?;
    let mut stream = TcpStream::connect(&authority).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await?;
    let status = line.strip_prefix("HTTP/").and_then(|rest| rest.split_ascii_whitespace().nth(1)?.parse().ok());
    status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no HTTP"))
}
