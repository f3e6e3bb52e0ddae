//! Ctrl-C: once means finish and report what there is; twice means leave at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether somebody wants the run to end.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens for Ctrl-C (and on Unix for SIGTERM) from this moment on, in a task of the current runtime; `told` is
    /// called at the first.
    pub fn listen(told: impl Fn() + Send + 'static) -> Self {
        let interrupt = Self::default();
        let wanted = interrupt.0.clone();
        // Here and not in the task: a signal that comes before the task runs must not end the process.
        let mut signals = Signals::listen();
        tokio::spawn(async move {
            signals.next().await;
            wanted.store(true, Ordering::Relaxed);
            told();
            signals.next().await;
            // The code of a process that Ctrl-C ended, as shells have it.
            std::process::exit(130);
        });
        interrupt
    }

    /// As if Ctrl-C had come.
    pub fn want(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether Ctrl-C came.
    pub fn wanted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Where a handler cannot be had, the system's own answer to the signal stays.
#[cfg(unix)]
struct Signals([Option<tokio::signal::unix::Signal>; 2]);

#[cfg(unix)]
impl Signals {
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self([SignalKind::interrupt(), SignalKind::terminate()].map(|kind| signal(kind).ok()))
    }

    async fn next(&mut self) {
        async fn one(signal: &mut Option<tokio::signal::unix::Signal>) {
            match signal {
                Some(signal) => drop(signal.recv().await),
                None => std::future::pending().await,
            }
        }
        let [interrupt, terminate] = &mut self.0;
        tokio::select! {
            () = one(interrupt) => {}
            () = one(terminate) => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Self {
        Self
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
