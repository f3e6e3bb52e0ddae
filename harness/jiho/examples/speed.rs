//! The jobs that `scripts/bench` measures, each in a process of its own, so that its CPU time and its highest memory
//! are those of this job and nothing else.
//!
//!     speed render FILE --seconds 600 --codes 8 [--apart] [--noise]    a recording to be heard
//!     speed templates DIR --codes 8                                    the time signals alone, for other programs
//!     speed read FILE                                                  reads it, and does nothing else
//!     speed transforms forward|inverse FILE --codes 8                  the bare transforms that hearing it is made of
//!     speed hear FILE… --codes 8                                       from files to detections
//!
//! The last prints how many sure detections there are, and the highest resident memory in KiB where Linux tells it.
#![allow(clippy::print_stdout)] // a program for the terminal

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use jiho::hearing::hear_file;
use jiho_analysis::hear::{Detection, Hearing};
use jiho_analysis::signal::{Code, Family, Signal, Waveform};
use jiho_analysis::units::{MediaTime, Nanos, Rate, RunTime, SampleClock};
use jiho_drivers::wav::{Reader, Recorder};
use rayon::prelude::*;
use rustfft::FftPlanner;
use rustfft::num_complex::Complex32;

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    job: Job,
    /// How many codes there are.
    #[arg(long, global = true, default_value_t = 8)]
    codes: u8,
}

#[derive(Subcommand)]
enum Job {
    Render {
        file: PathBuf,
        #[arg(long)]
        seconds: usize,
        /// Everybody sounds at instants of their own, not at the same ones.
        #[arg(long)]
        apart: bool,
        /// Nobody sounds: there is noise, in which nothing is to be found.
        #[arg(long)]
        noise: bool,
    },
    Templates {
        dir: PathBuf,
    },
    Read {
        file: PathBuf,
    },
    Transforms {
        direction: Direction,
        file: PathBuf,
    },
    Hear {
        files: Vec<PathBuf>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Direction {
    Forward,
    Inverse,
}

/// A minute is rendered, and repeated: beeps keep within their second, so that the seams are silent.
const TILE_SECONDS: usize = 60;

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let codes: Vec<Code> = Code::all().take(usize::from(args.codes)).collect();
    match args.job {
        Job::Render { file, seconds, apart, noise } => {
            let tile = if noise { noise_tile() } else { tile_of_beeps(&codes, !apart) };
            write(&file, tile.iter().cycle().take(seconds * Rate::OPUS.0 as usize))
        }
        Job::Templates { dir } => codes.iter().try_for_each(|code| {
            let mut template = vec![0.0; 9600];
            Waveform::new(Family::Voiced, *code).add(0.0, Rate::OPUS, &mut template);
            write(&dir.join(format!("code-{:02}.wav", code.number())), template.iter())
        }),
        Job::Read { file } => {
            let mut reader = Reader::open(&file)?;
            let mut block = Vec::new();
            while reader.next_block(&mut block)? > 0 {}
            Ok(())
        }
        Job::Transforms { direction, file } => transform(direction, Reader::open(&file)?.frames() as usize, &codes),
        Job::Hear { files } => {
            let found: Result<Vec<usize>, _> = files.par_iter().map(|file| sure(file, &codes)).collect();
            println!("{} {}", found?.iter().sum::<usize>(), peak_kib().unwrap_or_default());
            Ok(())
        }
    }
}

fn sure(file: &Path, codes: &[Code]) -> anyhow::Result<usize> {
    let heard = hear_file(file, Family::Voiced, codes, &|_| ())?;
    Ok(heard.iter().flat_map(|channel| &channel.detections).filter(|&detection| Detection::is_sure(detection)).count())
}

/// What the system tells a parent includes the parent's own memory before the program began.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Every code sounds once a second, at a quarter of full level.
fn tile_of_beeps(codes: &[Code], together: bool) -> Vec<f32> {
    let clock = SampleClock::new(RunTime::START, Rate::OPUS);
    let signal = Signal { together, ..Signal::VOICED };
    let mut tile = vec![0.0f32; TILE_SECONDS * Rate::OPUS.0 as usize];
    let level = 0.25 / (codes.len() as f32 / 8.0).max(1.0).sqrt();
    for programme in signal.programmes(codes, RunTime::START, Nanos::from_secs(TILE_SECONDS as i64)) {
        let mut own = vec![0.0; 4800];
        for (first, mix) in (0..).step_by(own.len()).zip(tile.chunks_mut(own.len())) {
            programme.render(&clock, MediaTime(first), &mut own);
            mix.iter_mut().zip(&own).for_each(|(mix, own)| *mix += level * own);
        }
    }
    tile
}

/// Uniform noise from a 64-bit linear congruential generator (Knuth's MMIX constants).
fn noise_tile() -> Vec<f32> {
    let mut state = 1u64;
    let mut sample = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    (0..TILE_SECONDS * Rate::OPUS.0 as usize).map(|_| 0.2 * sample()).collect()
}

fn write<'a>(file: &Path, samples: impl Iterator<Item = &'a f32>) -> anyhow::Result<()> {
    let mut recorder = Recorder::create(file, Rate::OPUS)?;
    let mut samples = samples.copied().peekable();
    while samples.peek().is_some() {
        recorder.write(&samples.by_ref().take(1 << 16).collect::<Vec<f32>>())?;
    }
    recorder.finish().context("cannot end the file")?;
    Ok(())
}

/// As many transforms of the same lengths as hearing `samples` takes, of numbers that do not matter.
fn transform(direction: Direction, samples: usize, codes: &[Code]) -> anyhow::Result<()> {
    let shape = Hearing::new(Rate::OPUS, Family::Voiced, codes).transforms();
    let mut planner = FftPlanner::new();
    let (fft, each) = match direction {
        Direction::Forward => (planner.plan_fft_forward(shape.forward), 1),
        Direction::Inverse => (planner.plan_fft_inverse(shape.inverse), shape.inverses),
    };
    let mut buffer = vec![Complex32::default(); fft.len()];
    let mut scratch = vec![Complex32::default(); fft.get_inplace_scratch_len()];
    for _ in 0..samples.div_ceil(shape.samples) * each {
        fft.process_with_scratch(&mut buffer, &mut scratch);
    }
    Ok(())
}
