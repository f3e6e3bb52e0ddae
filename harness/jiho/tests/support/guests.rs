//! Guests of a room, as processes of their own, and what their folders hold while they are there.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use jiho::run::folder::Folder;

use crate::support::{PATIENCE, Process};

/// A relay on free ports.
pub(crate) struct Room {
    pub(crate) relay: Process,
    /// Its control address.
    pub(crate) control: String,
    /// Its media address.
    pub(crate) media: String,
}

impl Room {
    pub(crate) fn open_with(folder: &Path, arguments: &str) -> Self {
        let relay = format!("relay --control 127.0.0.1:0 --media 127.0.0.1:0 {arguments}");
        let mut relay = Process::jiho(folder, &relay);
        let ready = relay.wait_for("relay ready: ");
        let (_, addresses) = ready.split_once("relay ready: control ").unwrap();
        let (control, media) = addresses.split_once(", media ").unwrap();
        Self { control: control.to_owned(), media: media.to_owned(), relay }
    }

    pub(crate) fn open(folder: &Path) -> Self {
        Self::open_with(folder, "")
    }

    /// Somebody who takes part, once they are in the room. `arguments` begin with the verb; `name` is also the folder.
    pub(crate) fn enter(&self, folder: &Path, name: &str, arguments: &str) -> Process {
        let part = format!("{arguments} --relay {} --name {name} --out {name}", self.control);
        let mut process = Process::jiho(folder, &part);
        process.wait_for(&format!("{name} is in the room"));
        process
    }
}

pub(crate) fn folder(of: &Path, name: &str) -> Folder {
    Folder::open(&of.join(name)).unwrap()
}

/// How much sound somebody's recording holds by now, in seconds.
pub(crate) fn seconds_of_sound(of: &Path, name: &str) -> f64 {
    let recording = of.join(name).join(format!("ear-{name}.wav"));
    // 16 bits at 48 kHz, and a header that does not count.
    fs::metadata(recording).map_or(0.0, |file| file.len() as f64 / 96_000.0)
}

/// Waits until it holds so many.
pub(crate) fn wait_for_sound(of: &Path, name: &str, seconds: f64) {
    let deadline = Instant::now() + PATIENCE;
    while seconds_of_sound(of, name) < seconds {
        assert!(Instant::now() < deadline, "{name} records no {seconds} s");
        thread::sleep(Duration::from_millis(20));
    }
}
