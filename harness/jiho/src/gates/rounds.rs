//! Repetitions that are judged: a round of them, and another one where the first does not settle it. Where two builds are
//! compared they take turns, A B B A, so that whatever the machine does meanwhile it does to both.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::exit::UsageError;
use crate::experiment::Experiment;
use crate::run::{self, Progress, World, series};

/// A series of repetitions that grows, with another build's beside it.
#[derive(Debug)]
pub struct Rounds<'a> {
    experiment: &'a Experiment,
    given: String,
    world: World,
    out: PathBuf,
    run_id: String,
    /// One run it is, in the folder itself.
    alone: bool,
    other: Option<Other>,
    /// Folders of this build's repetitions that can be judged, in order.
    pub here: Vec<PathBuf>,
    /// The same of the other build.
    pub there: Vec<PathBuf>,
    done: u32,
    /// What went wrong in repetitions, in words.
    pub failures: Vec<String>,
    /// Somebody ended it before its time.
    pub interrupted: bool,
}

/// Two builds as programs, and what both of them are given.
#[derive(Debug)]
struct Other {
    this: PathBuf,
    other: PathBuf,
    experiment: PathBuf,
    folder: PathBuf,
}

impl<'a> Rounds<'a> {
    /// A series in `out`, or the single run that it shall be `alone`; `file` is the experiment's file and `given` its text. With `against`, another build's program,
    /// both builds run as programs of their own: alike, but for what they are.
    ///
    /// # Errors
    /// The folder is there already or cannot be made, or there is no such program.
    pub fn begin(
        experiment: &'a Experiment,
        file: &Path,
        given: &str,
        world: World,
        out: &Path,
        against: Option<&Path>,
        alone: bool,
    ) -> anyhow::Result<Self> {
        let other = match against {
            None => None,
            Some(program) if !program.is_file() => {
                return Err(
                    UsageError::say(format!("there is no program {} to compare with", program.display())).into()
                );
            }
            Some(program) => {
                Some(program.canonicalize().with_context(|| format!("cannot find {}", program.display()))?)
            }
        };
        let run_id = if alone { String::new() } else { series::begin(experiment, given, world, out)? };
        let other = match other {
            None => None,
            Some(other) => Some(Other {
                this: std::env::current_exe().context("cannot find this program itself")?,
                other,
                experiment: for_both(experiment, file, given, out)?,
                folder: out.join("other"),
            }),
        };
        Ok(Self {
            experiment,
            given: given.to_owned(),
            world,
            out: out.to_owned(),
            run_id,
            alone,
            other,
            here: Vec::new(),
            there: Vec::new(),
            done: 0,
            failures: Vec::new(),
            interrupted: false,
        })
    }

    /// The name of all its runs.
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// So many repetitions more, of each build. Each is told of when it begins.
    ///
    /// # Errors
    /// A run could not be played, kept or measured; the other build's messages are in the error.
    pub fn round(&mut self, count: u32, progress: &dyn Progress, told: &dyn Fn(u32, &str)) -> anyhow::Result<()> {
        for _ in 0..count {
            if self.interrupted {
                break;
            }
            self.done += 1;
            let rep = self.done;
            let Some(other) = &self.other else {
                told(rep, "");
                let outcome = if self.alone {
                    run::run(self.experiment, &self.given, self.world, &self.out, progress)?
                } else {
                    let (experiment, given) = (self.experiment, &self.given);
                    series::repetition(&self.run_id, rep, experiment, given, self.world, &self.out, progress)?
                };
                self.run_id.clone_from(&outcome.run.run_id);
                self.failures.extend(outcome.run.failures.iter().map(|failure| format!("repetition {rep}: {failure}")));
                if outcome.run.partial {
                    self.interrupted = outcome.run.failures.is_empty();
                } else {
                    self.here.push(outcome.folder.path().to_owned());
                }
                continue;
            };
            let (here, there) = (series::folder_of(&self.out, rep), series::folder_of(&other.folder, rep));
            let mut turns = [(&other.other, &there, "the other build"), (&other.this, &here, "this build")];
            if rep.is_multiple_of(2) {
                turns.reverse();
            }
            for (program, folder, name) in turns {
                told(rep, name);
                let seed = series::seed(self.experiment, rep);
                child(program, &other.experiment, self.world, self.experiment.run.repeat > 1, seed, folder)
                    .with_context(|| format!("{name}, {}, repetition {rep}", program.display()))?;
            }
            self.here.push(here);
            self.there.push(there);
        }
        Ok(())
    }
}

/// The experiment's file as another build can read it: without what only gates need, which it may not know.
fn for_both(experiment: &Experiment, file: &Path, given: &str, out: &Path) -> anyhow::Result<PathBuf> {
    if experiment.gates.is_empty() && experiment.baseline.is_none() {
        return Ok(file.to_owned());
    }
    let mut table: toml::Table = toml::from_str(given).context("cannot read the experiment a second time")?;
    table.retain(|key, _| key != "gate" && key != "baseline");
    table.insert("name".to_owned(), experiment.name.clone().into());
    let path = out.join("compared.toml");
    let text = toml::to_string(&table).context("cannot write the experiment without its gates")?;
    // Files that it names lie beside the original; the effective form has in it what is in them.
    let alike = Experiment::parse(&text, &path).is_ok_and(|mut read| {
        read.run.seed = experiment.run.seed;
        read == experiment.ungated()
    });
    let text = if alike { text } else { experiment.ungated().to_toml() };
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// Has a build run the experiment once.
fn child(program: &Path, experiment: &Path, world: World, repeats: bool, seed: u32, out: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(program);
    command.arg("run").arg(experiment).args(["--on", world.name(), "--seed", &seed.to_string()]).arg("--out").arg(out);
    if repeats {
        command.args(["--repeat", "1"]);
    }
    let ended = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .context("cannot be started")?;
    match ended.status.code() {
        // Measured; inconclusive and nothing heard are findings too.
        Some(0 | 3 | 4) if out.is_dir() => Ok(()),
        Some(0 | 3 | 4) => Err(UsageError::say("made no run: is it a jiho, and as new as this one?").into()),
        code => {
            let said = String::from_utf8_lossy(&ended.stderr);
            let code = code.map_or("a signal".to_owned(), |code| format!("exit code {code}"));
            anyhow::bail!("ended with {code}: {}", said.trim())
        }
    }
}
