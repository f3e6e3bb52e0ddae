//! The queue between what keeps a run and what listens to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use jiho_analysis::hear::Detection;
use jiho_analysis::roles::Step;
use jiho_analysis::signal::Emission;
use jiho_analysis::units::{MediaTime, Nanos, RunTime, SampleClock};
use jiho_proto::event::{Event, StepTaken};

use super::listener::Listener;
use super::{Begun, News, Watcher};

/// How many updates may wait. The sound of an ear gives 100 in a second, of 2 KB each …
const QUEUE: usize = 8192;
/// … and leaves room for what is rarer and tells more.
const SOUND: usize = QUEUE / 2;
/// What is drawn is drawn so often.
const DRAW_EVERY: Duration = Duration::from_millis(200);
/// Passed time is told in steps of this.
const REACHED_EVERY: Nanos = Nanos::from_millis(100);

/// Something to listen to.
enum Update {
    /// An ear plays from here on.
    EarOpened(usize, SampleClock),
    /// What it plays.
    Sound(usize, MediaTime, Vec<f32>),
    /// What was found at an ear whose sound is not kept, up to a position.
    Detected(usize, Vec<Detection>, f64),
    /// A beep left a mouth.
    Sent(usize, Emission),
    News(News),
}

/// Where a run's keeper puts what is to be watched.
pub(in crate::run) struct Feed {
    updates: SyncSender<Update>,
    waiting: Arc<AtomicUsize>,
    left_out: Arc<AtomicU64>,
    /// Waiting costs nothing.
    in_virtual_time: bool,
    reached: RunTime,
}

/// The thread that listens.
#[derive(Debug)]
pub struct Watch(JoinHandle<()>);

impl Watch {
    /// Begins to listen to a run.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(in crate::run) fn start(
        begun: &Begun,
        in_virtual_time: bool,
        watcher: Box<dyn Watcher>,
    ) -> anyhow::Result<(Self, Feed)> {
        let (updates, inbox) = sync_channel(QUEUE);
        let (waiting, left_out) = (Arc::<AtomicUsize>::default(), Arc::<AtomicU64>::default());
        let listener = Listener::new(begun);
        let (told, seen) = (Arc::clone(&left_out), Arc::clone(&waiting));
        let thread = thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || watch(listener, &inbox, &seen, &told, watcher))
            .context("cannot start the thread that listens while the run goes on")?;
        let reached = RunTime::START;
        Ok((Self(thread), Feed { updates, waiting, left_out, in_virtual_time, reached }))
    }

    /// Waits until all is told, once the feed is gone.
    pub(in crate::run) fn finish(self) {
        // Whoever only watched and panicked has done no harm: what it said is on standard error.
        let _ = self.0.join();
    }
}

impl Feed {
    pub(in crate::run) fn ear_opened(&self, ear: usize, clock: SampleClock) {
        self.update(Update::EarOpened(ear, clock), QUEUE);
    }

    pub(in crate::run) fn sound(&self, ear: usize, first: MediaTime, samples: Vec<f32>) {
        self.update(Update::Sound(ear, first, samples), SOUND);
    }

    pub(in crate::run) fn detected(&self, ear: usize, detections: Vec<Detection>, settled: f64) {
        self.update(Update::Detected(ear, detections, settled), QUEUE);
    }

    pub(in crate::run) fn sent(&self, speaker: usize, emission: Emission) {
        self.update(Update::Sent(speaker, emission), QUEUE);
    }

    /// An event at a node, if it is one of those that are told.
    pub(in crate::run) fn event(&mut self, node: &str, at: RunTime, event: &Event) {
        if at - self.reached >= REACHED_EVERY {
            self.reached = at;
            self.update(Update::News(News::Reached(at)), SOUND);
        }
        let news = match event {
            Event::Joined => News::Joined { at, name: node.to_owned() },
            Event::Failed { reason } => News::Failed { at, node: node.to_owned(), reason: reason.clone() },
            Event::Step(StepTaken { change, subject, step: Step::Failed, detail, .. }) => {
                let reason = format!("{} {subject}: {detail}", change.name());
                News::Failed { at, node: node.to_owned(), reason }
            }
            Event::Step(StepTaken { change, subject, step, detail, .. }) => News::Step {
                at,
                node: node.to_owned(),
                change: *change,
                subject: subject.clone(),
                step: *step,
                detail: detail.clone(),
            },
            _ => return,
        };
        self.update(Update::News(news), QUEUE);
    }

    /// What is left out never holds up whoever keeps the run.
    fn update(&self, update: Update, most: usize) {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let sent = if self.in_virtual_time {
            self.updates.send(update).is_ok()
        } else {
            before < most && self.updates.try_send(update).is_ok()
        };
        if !sent {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn watch(
    mut listener: Listener,
    inbox: &Receiver<Update>,
    waiting: &AtomicUsize,
    left_out: &AtomicU64,
    mut watcher: Box<dyn Watcher>,
) {
    let mut drawn = Instant::now();
    loop {
        let update = inbox.recv_timeout(DRAW_EVERY.saturating_sub(drawn.elapsed()));
        let mut told = |news: News| watcher.told(&news);
        match update {
            Ok(update) => {
                waiting.fetch_sub(1, Ordering::Relaxed);
                match update {
                    Update::EarOpened(ear, clock) => listener.ear_opened(ear, clock),
                    Update::Sound(ear, first, samples) => listener.sound(ear, first, &samples, &mut told),
                    Update::Detected(ear, found, settled) => listener.detected(ear, &found, settled, &mut told),
                    Update::Sent(speaker, emission) => listener.sent(speaker, emission),
                    Update::News(news) => told(news),
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if drawn.elapsed() >= DRAW_EVERY {
            watcher.draw();
            drawn = Instant::now();
        }
    }
    listener.finish(&mut |news| watcher.told(&news));
    watcher.told(&News::Ended { left_out: left_out.load(Ordering::Relaxed) });
    watcher.draw();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(in_virtual_time: bool) -> (Feed, Receiver<Update>) {
        let (updates, inbox) = sync_channel(QUEUE);
        let (waiting, left_out) = (Arc::default(), Arc::default());
        (Feed { updates, waiting, left_out, in_virtual_time, reached: RunTime::START }, inbox)
    }

    #[test]
    fn in_real_time_nobody_waits_what_is_left_out_is_counted_and_sound_leaves_room_for_events() {
        let (mut feed, inbox) = feed(false);
        for n in 0..QUEUE as i64 {
            feed.sound(0, MediaTime(480 * n), vec![0.0; 480]);
        }
        assert_eq!(feed.left_out.load(Ordering::Relaxed), (QUEUE - SOUND) as u64);
        feed.event("ana", RunTime::START, &Event::Joined);
        assert_eq!(inbox.try_iter().filter(|update| matches!(update, Update::News(_))).count(), 1);
        assert_eq!(feed.left_out.load(Ordering::Relaxed), (QUEUE - SOUND) as u64);
    }

    #[test]
    fn in_virtual_time_nothing_is_left_out() {
        let (feed, inbox) = feed(true);
        let seen = thread::spawn(move || inbox.iter().count());
        for n in 0..2 * QUEUE as i64 {
            feed.sound(0, MediaTime(480 * n), Vec::new());
        }
        assert_eq!(feed.left_out.load(Ordering::Relaxed), 0);
        drop(feed);
        assert_eq!(seen.join().unwrap(), 2 * QUEUE);
    }
}
