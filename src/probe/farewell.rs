//! The polite end of a connection: the last words of the protocol, and then it is the other end that hangs up.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// How long the other end is waited for. What was asked is known by now: a server that is slow to hang up is not down.
const PATIENCE: Duration = Duration::from_millis(500);

/// The most that is read of what still comes: an answer to the last words is short.
const MOST: u64 = 4096;

/// Says the last words and waits until the other end has hung up, but not for long, and never until the probe's time, of
/// which this much is `left`, is over.
///
/// What fails here is nobody's fault: whoever is on the other side may have gone already.
pub(super) async fn farewell<S>(stream: &mut S, last_words: &[u8], left: Duration)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let end = async {
        stream.write_all(last_words).await?;
        stream.flush().await?;
        tokio::io::copy(&mut (&mut *stream).take(MOST), &mut tokio::io::sink()).await?;
        // With TLS this says that nothing was cut off.
        stream.shutdown().await
    };
    let _ = timeout(PATIENCE.min(left / 2), end).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_end_that_never_hangs_up_is_left_behind() {
        let (mut own, mut other) = tokio::io::duplex(64);
        let end = timeout(Duration::from_mins(1), farewell(&mut own, b"QUIT\r\n", Duration::from_millis(2)));
        assert!(end.await.is_ok());
        let mut heard = [0; 6];
        other.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, *b"QUIT\r\n");
    }

    #[tokio::test]
    async fn an_end_that_has_gone_is_nobodys_fault() {
        let (mut own, other) = tokio::io::duplex(64);
        drop(other);
        farewell(&mut own, b"QUIT\r\n", PATIENCE).await;
    }
}
