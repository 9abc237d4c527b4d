//! The body of an answer: whole, or made part by part as fast as its reader takes it.
//!
//! A part is made only when the one before it was taken, on the task of the connection: a slow reader holds one part, and
//! the work ends with its connection.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::Full;
use hyper::body::{self, Bytes, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::guests::Busy;

/// What follows the head of an answer.
pub(super) struct Body {
    source: Source,
    held: Held,
}

/// What is given back when the answer is out, or its reader gone.
#[derive(Default)]
struct Held {
    busy: Option<Busy>,
    place: Option<OwnedSemaphorePermit>,
}

enum Source {
    Whole(Full<Bytes>),
    Made(Made),
}

struct Made {
    /// None: it is through.
    maker: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    parts: mpsc::Receiver<Bytes>,
}

/// Takes the parts.
pub(super) struct Out(mpsc::Sender<Bytes>);

impl Out {
    /// Hands over the next part, when its reader has taken the one before.
    pub(super) async fn put(&self, part: impl Into<Bytes>) {
        // The other end goes together with whoever waits here.
        let _ = self.0.send(part.into()).await;
    }
}

impl Body {
    /// One that is there already.
    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self { source: Source::Whole(Full::new(bytes.into())), held: Held::default() }
    }

    /// One that `maker` makes.
    pub(super) fn made<M>(maker: impl FnOnce(Out) -> M) -> Self
    where
        M: Future<Output = ()> + Send + 'static,
    {
        let (out, parts) = mpsc::channel(1);
        let maker = Some(Box::pin(maker(Out(out))) as _);
        Self { source: Source::Made(Made { maker, parts }), held: Held::default() }
    }

    /// Its reader takes this place until it is out.
    pub(super) fn holding(mut self, place: Option<OwnedSemaphorePermit>) -> Self {
        self.held.place = place;
        self
    }

    /// The guest is busy with it until it is out.
    pub(super) fn keeping(mut self, busy: Busy) -> Self {
        self.held.busy = Some(busy);
        self
    }
}

impl body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.source {
            Source::Whole(whole) => Pin::new(whole).poll_frame(context),
            Source::Made(made) => made.poll_part(context).map(|part| part.map(|part| Ok(Frame::data(part)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Whole(whole) => whole.is_end_stream(),
            Source::Made(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(whole) => whole.size_hint(),
            Source::Made(_) => SizeHint::default(),
        }
    }
}

impl Made {
    fn poll_part(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Poll::Ready(part) = self.parts.poll_recv(context) {
            return Poll::Ready(part);
        }
        if self.maker.as_mut().is_some_and(|maker| maker.as_mut().poll(context).is_ready()) {
            self.maker = None;
        }
        self.parts.poll_recv(context)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http_body_util::BodyExt;

    use super::*;

    fn counting(made: &Arc<AtomicUsize>) -> Body {
        let made = Arc::clone(made);
        Body::made(|out| async move {
            for part in 0..100 {
                made.store(part + 1, Ordering::Relaxed);
                out.put(format!("{part} ")).await;
            }
        })
    }

    #[test]
    fn what_is_made_arrives_whole_and_in_order() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let body = counting(&Arc::default());
        let bytes = runtime.block_on(body.collect()).unwrap().to_bytes();
        let expected: Vec<String> = (0..100).map(|part| format!("{part} ")).collect();
        assert_eq!(bytes, expected.concat());
    }

    #[test]
    fn nothing_is_made_that_nobody_takes() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let made = Arc::new(AtomicUsize::new(0));
        let mut body = counting(&made);
        runtime.block_on(async {
            for _ in 0..5 {
                body.frame().await.unwrap().unwrap();
            }
        });
        assert!((5..=7).contains(&made.load(Ordering::Relaxed)), "{made:?}");
    }
}
