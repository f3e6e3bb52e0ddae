//! Ctrl-C: once means finish and report what there is; twice means leave at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether somebody wants the run to end.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens for Ctrl-C (and on Unix for SIGTERM) in a task of the current runtime; `told` is called at the first.
    pub fn listen(told: impl Fn() + Send + 'static) -> Self {
        let interrupt = Self::default();
        let wanted = interrupt.0.clone();
        tokio::spawn(async move {
            asked().await;
            wanted.store(true, Ordering::Relaxed);
            told();
            asked().await;
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

#[cfg(unix)]
async fn asked() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return interrupted().await };
    tokio::select! {
        () = interrupted() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn asked() {
    interrupted().await;
}

async fn interrupted() {
    // Without a handler there is nothing to wait for: the system's own answer to Ctrl-C stays.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
