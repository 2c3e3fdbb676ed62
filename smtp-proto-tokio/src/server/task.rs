//! Calls of the application's, none of whose panics ends a connection.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

/// A future on the heap.
pub(super) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Runs a future; completes with nothing if it panics.
pub(super) struct Task<T>(Option<Boxed<T>>);

impl<T> Task<T> {
    pub(super) fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self(Some(Box::pin(future)))
    }

    /// Drops the future.
    fn give_up(&mut self) {
        let future = self.0.take();
        guarded(|| drop(future));
    }
}

impl<T> Future for Task<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = &mut self.0 else {
            return Poll::Ready(None);
        };
        match guarded(|| future.as_mut().poll(cx)) {
            Some(Poll::Pending) => Poll::Pending,
            Some(Poll::Ready(output)) => {
                self.give_up();
                Poll::Ready(Some(output))
            }
            None => {
                self.give_up();
                Poll::Ready(None)
            }
        }
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// Returns what a call of the application's returns; nothing if it panics.
pub(super) fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    // What a panic leaves broken is the application's own.
    catch_unwind(AssertUnwindSafe(call)).ok()
}
