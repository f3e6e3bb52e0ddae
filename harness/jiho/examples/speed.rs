//! How fast recordings are heard, as a multiple of real time, and against `scipy.signal.oaconvolve` doing the same
//! matched filters on the same file in the same run. Run it by `scripts/bench`, which provides scipy.
//!
//!     speed [--minutes 10] [--codes 8] [--rounds 5] [--python PYTHON --script SCRIPT]
//!
//! One thread each. The two take turns, and the ratio is of medians, so that a busy machine disturbs both alike.
#![allow(clippy::print_stdout)] // a program for the terminal

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Parser;
use jiho::hearing::hear_file;
use jiho_analysis::signal::{Code, Family, Signal, Waveform};
use jiho_analysis::stats::median;
use jiho_analysis::units::{MediaTime, Nanos, Rate, RunTime, SampleClock};
use jiho_drivers::wav::Recorder;

#[derive(Parser)]
struct Args {
    /// Length of the recording.
    #[arg(long, default_value_t = 10)]
    minutes: i64,
    /// How many codes sound in it and are listened for.
    #[arg(long, default_value_t = 8)]
    codes: u8,
    /// How often each side is timed.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// A Python that has numpy and scipy.
    #[arg(long)]
    python: Option<PathBuf>,
    /// The other side's program.
    #[arg(long, default_value = "scripts/oaconvolve.py")]
    script: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let dir = std::env::temp_dir().join(format!("jiho-speed-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let done = compare(&args, &dir);
    std::fs::remove_dir_all(&dir)?;
    done
}

fn compare(args: &Args, dir: &Path) -> anyhow::Result<()> {
    let codes: Vec<Code> = Code::all().take(usize::from(args.codes)).collect();
    let recording = dir.join("recording.wav");
    let beeps = render(&recording, &codes, Nanos::from_secs(60 * args.minutes))?;
    for code in &codes {
        let mut template = vec![0.0; 9600];
        Waveform::new(Family::Voiced, *code).add(0.0, Rate::OPUS, &mut template);
        let mut recorder = Recorder::create(&dir.join(format!("code-{}.wav", code.number())), Rate::OPUS)?;
        recorder.write(&template)?;
        recorder.finish()?;
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        let begun = Instant::now();
        let heard = hear_file(&recording, Family::Voiced, &codes, &|_| ())?.swap_remove(0);
        ours.push(begun.elapsed().as_secs_f64());
        let sure = heard.detections.iter().filter(|d| d.is_sure()).count();
        if sure != beeps {
            bail!("heard {sure} of {beeps} beeps");
        }
        if let Some(python) = &args.python {
            theirs.push(oaconvolve(python, &args.script, dir, beeps)?);
        }
    }
    let seconds = 60.0 * args.minutes as f64;
    let ours = median(&ours).context("no rounds")?;
    println!(
        "{} minutes at 48 kHz, {} codes, {beeps} beeps, one thread, medians of {}",
        args.minutes, args.codes, args.rounds
    );
    println!("jiho, from the file to refined arrivals:   {ours:8.3} s, {:6.0} × real time", seconds / ours);
    match median(&theirs) {
        Some(theirs) => {
            println!("scipy.signal.oaconvolve and argmax:        {theirs:8.3} s, {:6.0} × real time", seconds / theirs);
            println!("ratio: {:.1} × faster than scipy.signal.oaconvolve", theirs / ours);
        }
        None => println!("scipy: not compared; scripts/bench does"),
    }
    Ok(())
}

/// All codes sound at the same instants, once a second.
fn render(path: &Path, codes: &[Code], duration: Nanos) -> anyhow::Result<usize> {
    let clock = SampleClock { start: RunTime::START, rate: Rate::OPUS };
    let programmes = Signal::VOICED.programmes(codes, RunTime::START, duration);
    let mut recorder = Recorder::create(path, Rate::OPUS)?;
    let (mut mix, mut own) = (vec![0.0f32; 4800], vec![0.0f32; 4800]);
    for block in 0..Rate::OPUS.samples(duration) as i64 / 4800 {
        mix.fill(0.0);
        for programme in &programmes {
            programme.render(&clock, MediaTime(block * 4800), &mut own);
            mix.iter_mut().zip(&own).for_each(|(mix, own)| *mix += 0.25 * own);
        }
        recorder.write(&mix)?;
    }
    recorder.finish()?;
    Ok(programmes.iter().map(|programme| programme.emissions().len()).sum())
}

/// Seconds that the other side took, by its own clock, without starting and importing.
fn oaconvolve(python: &Path, script: &Path, dir: &Path, beeps: usize) -> anyhow::Result<f64> {
    let output = Command::new(python)
        .arg(script)
        .arg(dir)
        .env("OMP_NUM_THREADS", "1")
        .env("OPENBLAS_NUM_THREADS", "1")
        .output()
        .with_context(|| format!("cannot start {}", python.display()))?;
    if !output.status.success() {
        bail!("{}: {}", script.display(), String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8(output.stdout)?;
    let mut words = text.split_whitespace();
    let seconds = words.next().context("no time")?.parse()?;
    let found: usize = words.next().context("no count")?.parse()?;
    if found != beeps {
        bail!("{} found {found} of {beeps} beeps", script.display());
    }
    Ok(seconds)
}
