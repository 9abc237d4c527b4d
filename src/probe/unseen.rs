//! TLS with servers that take a handshake which is broken off amiss: they log it, or count it against the host until they
//! block it. The certificate is taken unseen, and judged when the handshake is over and nothing has been said yet.

use super::attempt::Attempt;
use super::report::Fault;
use super::stream::Stream;
use super::target::{Host, Tls};
use super::tls;

/// A secured connection, and what is to be thought of it: with a fault it is only good for a farewell.
pub(super) async fn secure(
    attempt: &mut Attempt,
    stream: Stream,
    host: &Host,
    wanted: &Tls,
) -> Result<(Stream, Result<(), Fault>), Fault> {
    // That the other end has the key of its certificate is proved in the handshake all the same.
    let unseen = Tls { insecure_skip_verify: true, ..wanted.clone() };
    let (authorities, name) = (tls::authorities(wanted, attempt).await?, tls::server_name(host, wanted)?);
    let stream = attempt.secure(stream, host, &unseen, &[]).await?;
    let judged = match &stream {
        Stream::Secure(secured) if !wanted.insecure_skip_verify => {
            let chain = secured.get_ref().1.peer_certificates().unwrap_or_default();
            tls::judge(chain, &name, authorities, attempt.wall())
        }
        _ => Ok(()),
    };
    Ok((stream, judged))
}
