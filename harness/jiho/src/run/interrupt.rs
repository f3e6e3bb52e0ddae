//! Ctrl-C: once means finish and report what there is; twice means leave at once.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::processes::Group;

/// Whether somebody wants the run to end.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    wanted: watch::Sender<bool>,
    /// Ended with us, if we leave at once.
    along: Arc<Mutex<Vec<Group>>>,
}

impl Interrupt {
    /// Listens for Ctrl-C (and on Unix for SIGTERM) from this moment on, in a task of the current runtime; `told` is
    /// called at the first.
    pub fn listen(told: impl Fn() + Send + 'static) -> Self {
        let interrupt = Self::default();
        let heard = interrupt.clone();
        // Here and not in the task: a signal that comes before the task runs must not end the process.
        let mut signals = Signals::listen();
        tokio::spawn(async move {
            signals.next().await;
            heard.want();
            told();
            signals.next().await;
            heard.others().drain(..).for_each(Group::kill);
            // The code of a process that Ctrl-C ended, as shells have it.
            std::process::exit(130);
        });
        interrupt
    }

    /// As if Ctrl-C had come.
    pub fn want(&self) {
        self.wanted.send_replace(true);
    }

    /// Whether Ctrl-C came.
    pub fn wanted(&self) -> bool {
        *self.wanted.borrow()
    }

    /// From now on whoever leaves at once kills these as well.
    pub fn takes_along(&self, group: Group) {
        self.others().push(group);
    }

    /// They have ended.
    pub fn leaves_behind(&self, group: Group) {
        self.others().retain(|other| *other != group);
    }

    fn others(&self) -> std::sync::MutexGuard<'_, Vec<Group>> {
        self.along.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for Ctrl-C.
    pub async fn comes(&self) {
        // It cannot fail: we hold a sender ourselves.
        let _ = self.wanted.subscribe().wait_for(|wanted| *wanted).await;
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
