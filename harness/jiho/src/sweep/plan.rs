//! The points of a sweep, each an experiment.

use std::path::Path;

use toml_edit::DocumentMut;

use super::axis::{Axis, Setting};
use super::document;
use crate::exit::UsageError;
use crate::experiment::{Experiment, ExperimentError, SweepPart};

/// More points than this are a slip.
const MOST_POINTS: usize = 100_000;
/// A point's folder has a name no longer than this.
const LONGEST_NAME: usize = 80;

/// All that is to be run.
#[derive(Debug)]
pub struct Plan {
    /// What is varied; the last one fastest, unless all go in step.
    pub axes: Vec<Axis>,
    /// All go in step: each point has the values that stand at its place.
    pub zip: bool,
    /// In order.
    pub points: Vec<Point>,
}

/// An experiment with its varied keys set.
#[derive(Debug)]
pub struct Point {
    /// From 1.
    pub number: usize,
    /// What each axis is set to.
    pub settings: Vec<String>,
    /// The experiment's file.
    pub text: String,
    /// What it says.
    pub experiment: Experiment,
}

impl Plan {
    /// Makes all points of an experiment's text; `origin` names it. A mistake in any of them is told as of any experiment's
    /// file.
    ///
    /// # Errors
    /// A key is not there, a value does not fit, or the axes do not go in step.
    pub fn new(given: &str, origin: &Path, axes: Vec<Axis>, zip: bool) -> anyhow::Result<Self> {
        let lengths: Vec<usize> = axes.iter().map(|axis| axis.settings.len()).collect();
        let count = if zip {
            in_step(&axes)?
        } else {
            lengths.iter().try_fold(1usize, |a, &b| a.checked_mul(b)).unwrap_or(usize::MAX)
        };
        if count > MOST_POINTS {
            return Err(UsageError::say(format!("{count} points are too many: {MOST_POINTS} is the most")).into());
        }
        let points = (0..count).map(|n| {
            let places = if zip { vec![n; axes.len()] } else { places(n, &lengths) };
            let settings: Vec<(&Axis, &Setting)> =
                axes.iter().zip(places).map(|(axis, place)| (axis, &axis.settings[place])).collect();
            Point::new(n + 1, given, origin, &settings)
        });
        let points = points.collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Self { axes, zip, points })
    }
}

fn in_step(axes: &[Axis]) -> Result<usize, UsageError> {
    let length = |axis: &Axis| axis.settings.len();
    let first = axes.first().map_or(1, length);
    match axes.iter().find(|axis| length(axis) != first) {
        None => Ok(first),
        Some(other) => Err(UsageError::say(format!(
            "in step, all keys need as many values: {} has {first}, {} has {}",
            axes[0].key,
            other.key,
            length(other)
        ))),
    }
}

/// The place on each axis of the `n`-th point of the grid.
fn places(mut n: usize, lengths: &[usize]) -> Vec<usize> {
    let mut places: Vec<usize> = lengths
        .iter()
        .rev()
        .map(|length| {
            let place = n % length;
            n /= length;
            place
        })
        .collect();
    places.reverse();
    places
}

impl Point {
    fn new(number: usize, given: &str, origin: &Path, settings: &[(&Axis, &Setting)]) -> anyhow::Result<Self> {
        // The file as it was given has been read: it is TOML.
        let mut document: DocumentMut = given.parse()?;
        document::remove(&mut document, "sweep");
        for (axis, setting) in settings {
            document::set(&mut document, &axis.path, &setting.value)
                .map_err(|why| UsageError::say(format!("cannot vary {}: {why}", axis.key)))?;
        }
        let text = document.to_string();
        let said = settings.iter().map(|(axis, setting)| format!("{} = {}", axis.key, setting.text));
        let said = said.collect::<Vec<_>>().join(", ");
        let experiment = Experiment::parse(&text, origin).map_err(|mut invalid| {
            invalid.origin = format!("{} with {said}", invalid.origin);
            ExperimentError::from(invalid)
        })?;
        let settings = settings.iter().map(|(_, setting)| setting.text.clone()).collect();
        Ok(Self { number, settings, text, experiment })
    }

    /// The name of its folder: its number and what it is set to, as far as files may be called so.
    pub fn folder_name(&self, axes: &[Axis]) -> String {
        let set = axes
            .iter()
            .zip(&self.settings)
            .map(|(axis, setting)| format!("{}={setting}", axis.path.last().map_or("", String::as_str)));
        let fit = |c: char| if c.is_alphanumeric() || ".=%+-_".contains(c) { c } else { '_' };
        let name = format!("{:03}-{}", self.number, set.collect::<Vec<_>>().join("-"));
        name.chars().map(fit).take(LONGEST_NAME).collect()
    }
}

/// What an experiment's file says of a sweep of it.
///
/// # Errors
/// A range makes no sense.
pub(super) fn axes_of(part: &SweepPart) -> Result<Vec<Axis>, UsageError> {
    let mut axes = Vec::new();
    gather(&part.vary, "", &mut axes)
        .map_err(|(key, why)| UsageError::say(format!("cannot vary `{key}`, as [sweep] says: {why}")))?;
    Ok(axes)
}

fn gather(table: &toml::Table, above: &str, axes: &mut Vec<Axis>) -> Result<(), (String, String)> {
    for (name, value) in table {
        let key = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        let axis = match value {
            toml::Value::Table(below) => {
                gather(below, &key, axes)?;
                continue;
            }
            toml::Value::String(text) => Axis::of(&key, text),
            toml::Value::Array(values) => values
                .iter()
                .map(|value| {
                    value.to_string().parse::<toml_edit::Value>().map(Setting::from).map_err(|e| e.to_string())
                })
                .collect::<Result<Vec<_>, _>>()
                .and_then(|settings| Axis::with(&key, settings)),
            _ => Err("give a list of values, or a text such as \"0%..5% step 1%\"".to_owned()),
        };
        axes.push(axis.map_err(|why| (key, why))?);
    }
    Ok(())
}

impl Axis {
    /// What an experiment's file says of a sweep of it.
    ///
    /// # Errors
    /// A range makes no sense.
    pub fn of_file(part: &SweepPart) -> Result<Vec<Self>, UsageError> {
        axes_of(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "name = \"room\"\n[link.default]\ndelay = \"15ms\"\n[[speaker]]\nname = \"ana\"\n[[listener]]\n\
        name = \"lena\"\n[sweep]\nvary.link.default.delay = [\"1ms\", \"2ms\"]\nvary.run.seed = \"1..3 step 1\"\n";

    fn plan(axes: &[&str], zip: bool) -> anyhow::Result<Plan> {
        let axes = axes.iter().map(|axis| Axis::parse(axis).unwrap()).collect();
        Plan::new(FILE, Path::new("room.toml"), axes, zip)
    }

    fn settings(plan: &Plan) -> String {
        plan.points.iter().map(|point| point.settings.join(" ")).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_grid_has_all_combinations_and_steps_go_together() {
        let axes = ["link.default.delay=1ms,2ms", "run.seed=7,8"];
        assert_eq!(settings(&plan(&axes, false).unwrap()), "1ms 7, 1ms 8, 2ms 7, 2ms 8");
        assert_eq!(settings(&plan(&axes, true).unwrap()), "1ms 7, 2ms 8");
        let uneven = plan(&["run.seed=7,8", "link.default.delay=1ms"], true).unwrap_err().to_string();
        assert_eq!(uneven, "in step, all keys need as many values: run.seed has 2, link.default.delay has 1");
        let seeds: Vec<u32> =
            plan(&axes, false).unwrap().points.iter().map(|point| point.experiment.run.seed).collect();
        assert_eq!(seeds, [7, 8, 7, 8]);
    }

    #[test]
    fn what_the_file_says_is_varied_in_its_order() {
        let experiment = Experiment::parse(FILE, Path::new("room.toml")).unwrap();
        let axes = Axis::of_file(&experiment.sweep.unwrap()).unwrap();
        let plan = Plan::new(FILE, Path::new("room.toml"), axes, false).unwrap();
        assert_eq!(settings(&plan), "1ms 1, 1ms 2, 1ms 3, 2ms 1, 2ms 2, 2ms 3");
        assert_eq!(plan.points[5].folder_name(&plan.axes), "006-delay=2ms-seed=3");
    }

    #[test]
    fn wrong_keys_and_values_are_told_as_in_a_file() {
        let refused = |axis: &str| plan(&[axis], false).unwrap_err().to_string();
        let unknown = refused("link.default.dely=1ms");
        assert!(
            unknown.contains("room.toml with link.default.dely = 1ms:") && unknown.contains("`delay`"),
            "{unknown}"
        );
        let unit = refused("link.default.delay=1");
        assert!(unit.contains("bare number") && unit.contains("\"1ms\""), "{unit}");
        assert!(refused("speaker.zoe.link=x").contains("there is no speaker `zoe`"));
    }
}
