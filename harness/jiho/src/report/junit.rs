//! `junit.xml`: gates as test cases, in the form that Jenkins, GitLab and GitHub's actions read. A gate that fails is a
//! *failure*; one that is inconclusive is an *error*: it could not be tested, which is neither fine nor worse. Without
//! gates there is one case, `measured`, that goes as the run's exit code does.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::gates::{GateRow, Verdict};
use super::remarks;
use super::series::Series;
use super::verdict;
use crate::exit::Exit;

/// The file's text.
///
/// # Errors
/// A table is damaged.
pub fn text(series: &Series) -> anyhow::Result<String> {
    let mut suite = TestSuite::new(series.run_id());
    if series.gates.is_empty() {
        suite.add_test_case(measured(series)?);
    } else {
        suite.add_test_cases(series.gates.iter().map(|gate| case(&series.experiment(), gate)));
    }
    let mut report = Report::new(format!("jiho: {}", series.experiment()));
    report.add_test_suite(suite);
    // The first of them is the whole report's, where the schema of Jenkins' xUnit plugin knows no such attribute.
    Ok(report.to_string()?.replacen(" skipped=\"0\"", "", 1))
}

fn case(experiment: &str, gate: &GateRow) -> TestCase {
    let status = match gate.verdict {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Fail => unsuccessful(NonSuccessKind::Failure, "fail", &gate.sentence, &figures(gate)),
        Verdict::Inconclusive => unsuccessful(NonSuccessKind::Error, "inconclusive", &gate.sentence, &figures(gate)),
    };
    let mut case = TestCase::new(gate.gate.as_str(), status);
    case.set_classname(experiment).set_system_out(format!("{}\n{}", gate.sentence, figures(gate)));
    case
}

fn measured(series: &Series) -> anyhow::Result<TestCase> {
    let exit = series.exit()?;
    let mut said = Vec::new();
    let mut spoke = false;
    for tables in &series.repetitions {
        said.extend(remarks::of(tables)?);
        spoke |= !tables.emissions()?.is_empty();
    }
    let said = said.join("\n");
    let status = match exit {
        Exit::Done => TestCaseStatus::success(),
        _ => {
            let words = verdict::words(exit, spoke).unwrap_or("The run failed.");
            unsuccessful(NonSuccessKind::Error, "not_measured", words, &said)
        }
    };
    let mut case = TestCase::new("measured", status);
    case.set_classname(series.experiment()).set_system_out(said);
    Ok(case)
}

fn unsuccessful(kind: NonSuccessKind, name: &str, sentence: &str, description: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(name).set_message(sentence).set_description(description);
    status
}

/// A gate's figures, one a line, as its table names them.
fn figures(gate: &GateRow) -> String {
    let known =
        gate.figures().into_iter().filter_map(|(name, value)| Some(format!("{name}: {} {}", value?, gate.unit)));
    let p_value = gate.p_value.map(|p| format!("p_value: {p}"));
    let repetitions = format!("repetitions: {}", gate.repetitions);
    known.chain(p_value).chain([repetitions]).map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}
