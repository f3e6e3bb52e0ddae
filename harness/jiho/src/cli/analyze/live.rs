//! Sound that is still coming: a file that grows, or a pipe.

use std::io::{self, Read, StdinLock, stdin};
use std::path::Path;

use jiho_analysis::hear::Detection;
use jiho_analysis::signal::Family;
use jiho_analysis::units::{RunTime, SampleClock};
use jiho_drivers::sidecar::Sidecar;
use jiho_drivers::wav::{Growing, ReadError, Reader};

use super::{Args, files};
use crate::cli::{Format, print};
use crate::exit::{Exit, UsageError};
use crate::hearing::BlockHeard;
use crate::report::arrivals::ArrivalRow;
use crate::report::differences;
use crate::report::table::Table;
use crate::run::block_on;
use crate::run::folder::Folder;
use crate::run::interrupt::Interrupt;
use crate::takes;

/// What a pipe is called.
const STDIN: &str = "stdin";

pub(super) fn analyze(args: &Args) -> anyhow::Result<Exit> {
    let [path] = args.paths.as_slice() else {
        return Err(UsageError::say("one recording can be followed at a time: start jiho once for each").into());
    };
    if args.against.is_some() {
        return Err(UsageError::say("--against compares files: what is still coming has nothing beside it").into());
    }
    block_on(async {
        // Whoever stops the writer by Ctrl-C stops this end of the pipe too, and wants its report.
        let interrupt = Interrupt::listen(|| {});
        tokio::task::block_in_place(|| {
            if path == Path::new("-") {
                let pipe = UntilInterrupted { stdin: stdin().lock(), interrupt };
                return hear(args, Path::new(STDIN), Reader::piped(pipe, Path::new(STDIN)));
            }
            let sidecar = Sidecar::path_beside(path);
            let is_complete = || interrupt.wanted() || Sidecar::read(&sidecar).is_ok_and(|sidecar| sidecar.complete);
            let file = Growing::open(path, args.patience, is_complete);
            let file = file.map_err(|error| UsageError::say(format!("{}: cannot be read: {error}", path.display())))?;
            hear(args, path, Reader::growing(file, path))
        })
    })
}

struct UntilInterrupted {
    stdin: StdinLock<'static>,
    interrupt: Interrupt,
}

impl Read for UntilInterrupted {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.interrupt.wanted() { Ok(0) } else { self.stdin.read(bytes) }
    }
}

fn hear(args: &Args, path: &Path, reader: Result<Reader<impl Read>, ReadError>) -> anyhow::Result<Exit> {
    let mut reader = reader.map_err(UsageError::new)?;
    let folder = args.out.as_deref().map(Folder::create).transpose()?;
    let table = folder.as_ref().map(|folder| Table::create(&folder.arrivals())).transpose()?;
    let clock = SampleClock::new(RunTime::START, reader.rate());
    let mut live = Live { args, path, clock, table, outcome: Ok(()) };
    let takes = takes::live(path, &mut reader, args.family.into(), &args.codes.0, &mut |heard| live.heard(heard))?;
    live.outcome?;
    let found = files::differences_of(&takes);
    if let Some(folder) = &folder {
        files::write_tables(folder, &takes, &found)?;
    }
    match args.format {
        Format::Text => print(&format!("\n{}", files::text(&takes, &found)))?,
        Format::Json => {
            let rows: Vec<_> = differences::rows(&takes, &found).collect();
            print(&format!("{}\n", serde_json::json!({ "differences": rows })))?;
        }
    }
    Ok(files::verdict(&takes))
}

/// Says what is heard while sound goes on, and keeps it.
struct Live<'a> {
    args: &'a Args,
    path: &'a Path,
    clock: SampleClock,
    table: Option<Table<ArrivalRow>>,
    outcome: anyhow::Result<()>,
}

impl Live<'_> {
    fn heard(&mut self, block: &BlockHeard) {
        if self.outcome.is_ok() {
            self.outcome = self.say(block);
        }
    }

    fn say(&mut self, block: &BlockHeard) -> anyhow::Result<()> {
        for (channel, detections) in (1..).zip(&block.detections) {
            let recorder = takes::name(self.path, channel);
            for detection in detections.iter().filter(|detection| detection.is_possible()) {
                let at = self.clock.time_at(detection.position);
                let code = Family::from(self.args.family).is_coded().then_some(detection.code);
                let row = ArrivalRow::found(recorder.clone(), detection, at, code);
                print(&match self.args.format {
                    Format::Text => line(&recorder, detection, at),
                    Format::Json => format!("{}\n", serde_json::json!({ "arrival": row })),
                })?;
                if let Some(table) = &mut self.table {
                    table.row(&row)?;
                }
            }
        }
        if let Some(table) = &mut self.table {
            table.flush()?;
        }
        Ok(())
    }
}

fn line(recorder: &str, detection: &Detection, at: RunTime) -> String {
    format!(
        "{recorder} {:12.6} s  code {:2}  score {:.2}  SNR {:+.0} dB{}\n",
        at.since_start().as_secs_f64(),
        detection.code.number(),
        detection.score,
        detection.snr_db,
        if detection.is_sure() { "" } else { "  not sure by itself" }
    )
}
