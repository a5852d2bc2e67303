//! The fault matrix: what can go wrong, at each place where it can, against the real binary and the stand-ins.
//!
//! `cargo test --test matrix` tries each cell once and shows that each of the deliberate mistakes is caught;
//! `-- --long --minutes 60` goes on at random; `--seed N` repeats a run, `--only WORDS` takes the cells with these
//! words, `--jobs N` runs so many at once. A failed cell's log is put where QDN_TEST_TRACES says.

#![expect(
    clippy::unwrap_used,
    reason = "a test program: whatever is not as it should be ends the cell"
)]

mod cells;
mod checker;
mod load;
mod mistakes;
mod site;
mod table;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use qdn_test_support as desk;

use cells::Cell;
use desk::Database;
use load::Load;
use site::Site;
use table::{Result, Table};

/// How many cells run at once on each core: they mostly wait.
const JOBS: usize = 3;

/// How many of them may be on Postgres: a small one takes 100 connections, and each process has up to ten.
const POSTGRES_JOBS: usize = 3;

/// How long a long run takes.
const MINUTES: u64 = 30;

/// How long a cell with a mistake may take to come right, which it should not.
const MISTAKEN: Duration = Duration::from_secs(30);

/// How many loads a mistake may slip through.
const TRIES: usize = 3;

struct Arguments {
    seed: u64,
    long: bool,
    minutes: u64,
    only: Option<String>,
    jobs: usize,
}

impl Arguments {
    #[expect(
        clippy::disallowed_methods,
        reason = "a seed that differs from run to run"
    )]
    fn read() -> std::result::Result<Arguments, String> {
        let mut arguments = Arguments {
            seed: jiff::Timestamp::now().as_millisecond() as u64 % 1_000_000_007,
            long: false,
            minutes: MINUTES,
            only: None,
            jobs: JOBS * std::thread::available_parallelism().map_or(1, usize::from),
        };
        let mut given = std::env::args().skip(1);
        while let Some(name) = given.next() {
            let mut value = || given.next().ok_or(format!("{name} wants a value"));
            let number = |value: String| value.parse::<u64>().map_err(|error| error.to_string());
            match name.as_str() {
                "--long" => arguments.long = true,
                "--minutes" => arguments.minutes = number(value()?)?,
                "--seed" => arguments.seed = number(value()?)?,
                "--jobs" => arguments.jobs = number(value()?)?.max(1) as usize,
                "--only" => arguments.only = Some(value()?),
                // What cargo hands to every test program, a test's name among it.
                "--nocapture" | "--quiet" | "-q" | "--exact" | "--include-ignored" => {}
                other if other.starts_with("--test-threads") => {}
                other if other.starts_with('-') => return Err(format!("unknown argument {other}")),
                words => arguments.only = Some(words.to_owned()),
            }
        }
        Ok(arguments)
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> std::process::ExitCode {
    let arguments = match Arguments::read() {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}");
            return std::process::ExitCode::from(2);
        }
    };
    println!("seed {}", arguments.seed);
    let mut table = Table::default();
    let mut cells = possible(cells::all(arguments.long), &arguments).await;
    if !arguments.long && arguments.only.is_none() {
        cells.retain(|cell| !cell.is_left_to_sqlite(arguments.seed));
    }
    match arguments.long {
        true => at_random(&cells, &arguments, &mut table).await,
        false => each_once(cells, &arguments, &mut table).await,
    }
    let (passed, failed) = table.print();
    println!("{passed} passed, {failed} failed");
    std::process::ExitCode::from(u8::from(failed > 0))
}

/// Those cells that were asked for and that can run here; says loudly which cannot.
async fn possible(cells: Vec<Cell>, arguments: &Arguments) -> Vec<Cell> {
    let has_postgres = Database::has_postgres().await;
    let mut cells = cells;
    if let Some(only) = &arguments.only {
        cells.retain(|cell| cell.name().contains(only.as_str()));
    }
    let before = cells.len();
    cells.retain(|cell| has_postgres || cell.database == Database::Sqlite);
    if cells.len() < before {
        println!(
            "SKIPPED: {} cells on Postgres, because none answers",
            before - cells.len()
        );
    }
    let before = cells.len();
    cells.retain(|cell| cfg!(debug_assertions) || !cell.needs_fault_points());
    if cells.len() < before {
        println!(
            "SKIPPED: {} cells that need a debug build",
            before - cells.len()
        );
    }
    cells
}

async fn each_once(cells: Vec<Cell>, arguments: &Arguments, table: &mut Table) {
    let turns = Turns::new(arguments);
    let mut running = FuturesUnordered::new();
    for (index, cell) in cells.into_iter().enumerate() {
        let seed = arguments
            .seed
            .wrapping_mul(1_000)
            .wrapping_add(index as u64);
        running.push(in_turn(turns.clone(), cell, seed).boxed());
    }
    for cells in mistaken(arguments, table).await {
        running.push(caught(turns.clone(), cells, arguments.seed).boxed());
    }
    while let Some(result) = running.next().await {
        table.add(result);
    }
}

/// For each mistake that was asked for its cells, once the program with the mistakes in it is built.
async fn mistaken(arguments: &Arguments, table: &mut Table) -> Vec<Vec<Cell>> {
    let mut asked_for = Vec::new();
    for cells in cells::mistakes() {
        let cells = possible(cells, arguments).await;
        if !cells.is_empty() {
            asked_for.push(cells);
        }
    }
    if asked_for.is_empty() {
        return asked_for;
    }
    println!("building the program with its mistakes");
    let begun = Instant::now();
    let built = tokio::task::block_in_place(|| mistakes::build(&cells::MISTAKES));
    let problem = match built {
        Ok(program) => {
            for cell in asked_for.iter_mut().flatten() {
                cell.program = Some(program.clone());
            }
            return asked_for;
        }
        Err(problem) => problem,
    };
    table.add(Result {
        fault: "a mistake".into(),
        place: "the build".into(),
        seconds: begun.elapsed(),
        problems: vec![problem],
        note: String::new(),
    });
    Vec::new()
}

async fn at_random(cells: &[Cell], arguments: &Arguments, table: &mut Table) {
    let deadline = Instant::now() + Duration::from_secs(arguments.minutes * 60);
    let turns = Turns::new(arguments);
    let mut rng = StdRng::seed_from_u64(arguments.seed);
    let mut running = FuturesUnordered::new();
    let mut left: Vec<Cell> = Vec::new();
    while Instant::now() < deadline || !running.is_empty() {
        while running.len() < arguments.jobs && Instant::now() < deadline && !cells.is_empty() {
            if left.is_empty() {
                left = cells.to_vec();
                left.shuffle(&mut rng);
            }
            if let Some(cell) = left.pop() {
                let cell = cell.varied(&mut rng);
                running.push(in_turn(turns.clone(), cell, rng.random()).boxed());
            }
        }
        if let Some(result) = running.next().await {
            table.add(result);
        }
    }
}

/// Whose turn it is.
#[derive(Clone)]
struct Turns {
    jobs: u32,
    all: Arc<Semaphore>,
    postgres: Arc<Semaphore>,
}

/// While one is held, a cell may run.
struct Turn {
    _all: OwnedSemaphorePermit,
    _postgres: Option<OwnedSemaphorePermit>,
}

impl Turns {
    fn new(arguments: &Arguments) -> Turns {
        Turns {
            jobs: arguments.jobs as u32,
            all: Arc::new(Semaphore::new(arguments.jobs)),
            postgres: Arc::new(Semaphore::new(POSTGRES_JOBS.min(arguments.jobs))),
        }
    }

    /// Waits until the cell may run; one that keeps every core busy runs alone.
    async fn wait(&self, cell: &Cell) -> Turn {
        let postgres = match cell.database {
            Database::Postgres => Some(acquire(&self.postgres, 1).await),
            Database::Sqlite => None,
        };
        let places = if cell.is_busy() { self.jobs } else { 1 };
        Turn {
            _all: acquire(&self.all, places).await,
            _postgres: postgres,
        }
    }
}

async fn acquire(semaphore: &Arc<Semaphore>, places: u32) -> OwnedSemaphorePermit {
    let permit = semaphore.clone().acquire_many_owned(places).await;
    permit.expect("nobody closes it")
}

async fn in_turn(turns: Turns, cell: Cell, seed: u64) -> Result {
    let _turn = turns.wait(&cell).await;
    let begun = Instant::now();
    let problems = run(&cell, seed, site::PATIENCE).await;
    Result {
        fault: cell.fault.clone(),
        place: cell.place.clone(),
        seconds: begun.elapsed(),
        problems: problems
            .into_iter()
            .map(|problem| format!("{problem} [{:?}, cell seed {seed}]", cell.database))
            .collect(),
        note: String::new(),
    }
}

/// A mistake is made on purpose: the checker has to find it in one of these cells.
async fn caught(turns: Turns, cells: Vec<Cell>, seed: u64) -> Result {
    let _turn = turns.wait(&cells[0]).await;
    let begun = Instant::now();
    let mistake = cells[0].mistake.unwrap_or_default();
    let mut note = String::new();
    // Another load each time: what a mistake breaks may hang on who comes first.
    for n in 0..TRIES * cells.len() {
        let cell = &cells[n % cells.len()];
        let problems = run(cell, seed + n as u64, MISTAKEN).await;
        if let Some(problem) = problems.first() {
            let by = problem.split(':').next().unwrap_or_default();
            note = format!("caught by \"{by}\" ({} at {})", cell.fault, cell.place);
            break;
        }
    }
    Result {
        fault: "a mistake".into(),
        place: mistake.to_owned(),
        seconds: begun.elapsed(),
        problems: match note.is_empty() {
            true => vec!["nothing caught it".to_owned()],
            false => Vec::new(),
        },
        note,
    }
}

/// Plays a cell to its end; what broke.
async fn run(cell: &Cell, seed: u64, patience: Duration) -> Vec<String> {
    let cell = cell.clone();
    // A task of its own: whatever panics in it is a result like any other.
    let played = tokio::spawn(async move { play(&cell, seed, patience).await });
    match played.await {
        Ok(problems) => problems,
        Err(error) => vec![format!("the cell itself: {error}")],
    }
}

async fn play(cell: &Cell, seed: u64, patience: Duration) -> Vec<String> {
    let mut rng = StdRng::seed_from_u64(seed);
    let die_at = cell.trouble.variable();
    let mistake = cell
        .mistake
        .map(|mistake| (mistakes::VARIABLE, mistake.to_owned()));
    let variables: Vec<(&str, String)> = die_at.into_iter().chain(mistake).collect();
    let variables: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let mut site = Site::prepare(cell.database, &variables).await;
    if let Some(program) = &cell.program {
        site.desk.program = program.clone();
    }
    let load = Load::new(&site.desk.twilio, &site.desk.slack, seed, cell.shape);
    if let Err(problem) = cell.trouble.befall(&mut site, &load, &mut rng).await {
        site.problems.push(format!("the cell itself: {problem}"));
    }
    if site.problems.is_empty() {
        site.come_right(&load, cell, patience).await;
    }
    if !site.problems.is_empty() && cell.mistake.is_none() {
        site.keep_traces(&cell.name());
    }
    site.close().await
}
