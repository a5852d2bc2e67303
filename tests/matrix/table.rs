//! The table at the end: fault × place, how often, how long, and what broke.

use std::collections::BTreeMap;
use std::time::Duration;

/// How one run of a cell ended.
#[derive(Debug)]
pub(crate) struct Result {
    pub fault: String,
    pub place: String,
    pub seconds: Duration,
    pub problems: Vec<String>,
    pub note: String,
}

#[derive(Debug, Default)]
struct Line {
    runs: usize,
    failed: usize,
    seconds: f64,
    problems: Vec<String>,
    note: String,
}

/// Every result so far.
#[derive(Debug, Default)]
pub(crate) struct Table(BTreeMap<(String, String), Line>);

/// How many of a run's problems are worth showing: the others mostly follow from them.
const SHOWN: usize = 6;

impl Table {
    /// Takes a result in; a failure is shown at once.
    pub(crate) fn add(&mut self, result: Result) {
        let line = self
            .0
            .entry((result.place.clone(), result.fault.clone()))
            .or_default();
        line.runs += 1;
        line.seconds += result.seconds.as_secs_f64();
        line.note = result.note;
        if !result.problems.is_empty() {
            line.failed += 1;
            println!("FAILED {} at {}", result.fault, result.place);
            for problem in result.problems.iter().take(SHOWN) {
                println!("    {problem}");
            }
            line.problems.extend(result.problems.into_iter().take(1));
        }
    }

    /// Prints the table; how many runs passed and failed.
    pub(crate) fn print(&self) -> (usize, usize) {
        println!();
        println!(
            "{:<30} {:<40} {:>4} {:>7}  outcome",
            "fault", "place", "runs", "seconds"
        );
        let (mut passed, mut failed) = (0, 0);
        for ((place, fault), line) in &self.0 {
            passed += line.runs - line.failed;
            failed += line.failed;
            let outcome = match (line.problems.first(), line.note.as_str()) {
                (None, "") => "ok",
                (None, note) => note,
                (Some(problem), _) => problem,
            };
            println!(
                "{fault:<30} {place:<40} {:>4} {:>7.1}  {outcome}",
                line.runs, line.seconds
            );
        }
        println!();
        (passed, failed)
    }
}
