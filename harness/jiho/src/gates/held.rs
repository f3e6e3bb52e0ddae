//! All gates of a run, held against what there is to hold them against.

use super::history::History;
use super::judge::Against;
use super::measured::LEAST_PARTS;
use super::{Comparison, Gate, Judge, Measured, host_class};
use crate::exit::UsageError;
use crate::report::gates::{GateRow, Verdict};
use crate::report::run_json::RunJson;
use crate::report::table::TableError;
use crate::report::tables::Tables;
use crate::run::World;

/// What comparisons are made with.
#[derive(Debug)]
pub enum Reference {
    /// With nothing: there are limits alone.
    Nothing,
    /// A run that was, by its repetitions.
    Baseline(Vec<Tables>),
    /// Another build's repetitions.
    OtherBuild(Vec<Tables>),
    /// The same experiment's figures on the same host class.
    History(History),
}

/// What was measured, and how much of it to confirm what the first round seemed to show.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// The repetitions.
    pub here: &'a [Tables],
    /// What they are compared with.
    pub reference: &'a Reference,
    /// Of both builds' repetitions the first so many were the first round; `None`: there was one round.
    pub first_round: Option<usize>,
}

/// What gates came to.
#[derive(Debug)]
pub struct Held {
    /// A row per gate, in the order of the gates.
    pub rows: Vec<GateRow>,
    /// Whether fresh repetitions may settle what these did not.
    pub open: bool,
}

impl Evidence<'_> {
    /// Whether all figures are of simulations, which repeat to the byte.
    pub fn is_exact(&self) -> bool {
        self.here.iter().all(is_simulated)
    }

    /// The host class of the run and the name of its experiment, if there is a run.
    pub fn origin(&self) -> Option<(String, String)> {
        let run = self.here.iter().find_map(|tables| tables.run.as_ref())?;
        Some((host_class::of(run), run.experiment.clone()))
    }

    /// Judges all gates. Comparisons with nothing are left out.
    ///
    /// # Errors
    /// A table is damaged.
    pub fn held(&self, gates: &[Gate]) -> Result<Held, TableError> {
        let run_id = self.here.first().map(|tables| tables.name().run_id).unwrap_or_default();
        let judge = Judge { run_id: &run_id, exact: self.is_exact() };
        let mut held = Held { rows: Vec::new(), open: false };
        for gate in gates {
            let measured = Measured::of(gate.figure(), self.here)?;
            let (row, settleable) = match gate {
                Gate::Limit(limit) => {
                    let row = judge.limit(limit, &measured);
                    let open = row.verdict == Verdict::Inconclusive;
                    (row, open)
                }
                Gate::Comparison(comparison) => match self.compared(judge, comparison, &measured)? {
                    Some(found) => found,
                    None => continue,
                },
            };
            held.open |= settleable && row.value.is_some() && !judge.exact;
            held.rows.push(row);
        }
        Ok(held)
    }

    fn compared(
        &self,
        judge: Judge<'_>,
        comparison: &Comparison,
        to: &Measured,
    ) -> Result<Option<(GateRow, bool)>, TableError> {
        let figure = &comparison.figure;
        let (there, against) = match self.reference {
            Reference::Nothing => return Ok(None),
            Reference::Baseline(there) => (there, Against::Baseline),
            Reference::OtherBuild(there) => (there, Against::OtherBuild),
            Reference::History(history) => {
                let (host_class, experiment) = self.origin().unwrap_or_default();
                let track = history.track(&figure.to_string(), &experiment, &host_class);
                let row = judge.history(comparison, track.last_level(), to);
                let open = row.verdict == Verdict::Fail;
                return Ok(Some((row, open)));
            }
        };
        let from = Measured::of(figure, there)?;
        let fresh = match self.first_round {
            Some(first) => {
                let fresh_to = Measured::of(figure, self.here.get(first..).unwrap_or_default())?;
                let fresh_from = match against {
                    Against::OtherBuild => Measured::of(figure, there.get(first..).unwrap_or_default())?,
                    // What was cannot be measured again.
                    _ => from.clone(),
                };
                Some((fresh_from, fresh_to))
            }
            None => None,
        };
        let fresh = fresh.as_ref().map(|(from, to)| (from, to));
        let row = judge.comparison(comparison, &from, to, fresh, against);
        // A baseline of one short run says no more if it is compared with more.
        let enough = against == Against::OtherBuild || from.per_part().len() >= LEAST_PARTS;
        let open = row.verdict != Verdict::Pass && enough;
        Ok(Some((row, open)))
    }
}

/// Whether a run and its baseline can be compared at all.
///
/// # Errors
/// They were made in different worlds, on different host classes, or from other random numbers where all is exact.
pub fn comparable(here: &[Tables], there: &[Tables]) -> Result<(), UsageError> {
    fn runs(tables: &[Tables]) -> Vec<&RunJson> {
        tables.iter().filter_map(|tables| tables.run.as_ref()).collect()
    }
    let (here_runs, there_runs) = (runs(here), runs(there));
    let (Some(a), Some(b)) = (here_runs.first(), there_runs.first()) else { return Ok(()) };
    if a.experiment != b.experiment {
        let what = format!("the baseline is of the experiment `{}`, and this run of `{}`", b.experiment, a.experiment);
        return Err(UsageError::say(what));
    }
    if a.on != b.on {
        let what = format!("the baseline ran on {}, and this run on {}: they tell nothing of each other", b.on, a.on);
        return Err(UsageError::say(what));
    }
    let (this, other) = (host_class::of(a), host_class::of(b));
    if this != other {
        let what = format!("the baseline was measured on another kind of machine ({other}) than this run ({this})");
        return Err(UsageError::say(what));
    }
    let seeds = |runs: &[&RunJson]| runs.iter().map(|run| run.seed).collect::<Vec<_>>();
    if a.on == World::Sim.name() && seeds(&here_runs) != seeds(&there_runs) {
        let what = "the baseline was simulated with other seeds, or repeated more or less often: give the same with \
                    --seed and --repeat";
        return Err(UsageError::say(what));
    }
    Ok(())
}

fn is_simulated(tables: &Tables) -> bool {
    tables.run.as_ref().is_some_and(|run| run.on == World::Sim.name())
}
