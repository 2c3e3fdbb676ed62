//! Futures of the application's, none of whose panics ends a connection.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use smtp_proto::reception::guarded;

/// A future on the heap.
pub(super) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Runs a future; completes with nothing if it panics.
pub(super) struct Task<'a, T>(Option<Boxed<'a, T>>);

impl<'a, T> Task<'a, T> {
    pub(super) fn new(future: impl Future<Output = T> + Send + 'a) -> Self {
        Self(Some(Box::pin(future)))
    }

    /// Drops the future.
    fn give_up(&mut self) {
        let future = self.0.take();
        guarded(|| drop(future));
    }
}

impl<T> Future for Task<'_, T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let output = guarded(|| future.as_mut().poll(cx));
        if let Some(Poll::Pending) = output {
            return Poll::Pending;
        }
        self.give_up();
        output.map_or(Poll::Ready(None), |output| output.map(Some))
    }
}

impl<T> Drop for Task<'_, T> {
    fn drop(&mut self) {
        self.give_up();
    }
}
