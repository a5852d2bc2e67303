//! The cells of the matrix: which trouble is tried where, on which database, with which load.

use std::path::PathBuf;
use std::time::Duration;

use qdn_sandbox::faults::{Effect, Fault};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::desk::Database;
use crate::load::Shape;
use crate::trouble::Trouble::{self, *};
use crate::trouble::Vendor::{self, Slack, Twilio};
use crate::trouble::{ALWAYS, Script};

/// One trouble at one place.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    pub fault: String,
    pub place: String,
    pub database: Database,
    pub shape: Shape,
    pub trouble: Trouble,
    /// Whether people may be asked what became of a reply.
    pub asks: bool,
    pub mistake: Option<&'static str>,
    /// The program with the mistakes in it, where one is made.
    pub program: Option<PathBuf>,
}

impl Cell {
    fn new(fault: impl Into<String>, place: impl Into<String>, trouble: Trouble) -> Cell {
        Cell {
            fault: fault.into(),
            place: place.into(),
            database: Database::Sqlite,
            shape: Shape::default(),
            trouble,
            asks: false,
            mistake: None,
            program: None,
        }
    }

    fn asking(mut self) -> Cell {
        self.asks = true;
        self
    }

    fn shaped(mut self, shape: Shape) -> Cell {
        self.shape = shape;
        self
    }

    fn on_postgres(&self) -> Cell {
        Cell {
            database: Database::Postgres,
            ..self.clone()
        }
    }

    fn with_mistake(mut self, mistake: &'static str) -> Cell {
        self.mistake = Some(mistake);
        self
    }

    /// Whether it keeps a whole machine busy, so that cells beside it would only see how slow it is.
    pub(crate) fn is_busy(&self) -> bool {
        self.shape.copies > BUSY_COPIES
    }

    /// Whether only a debug build can do this.
    pub(crate) fn needs_fault_points(&self) -> bool {
        self.mistake.is_some() || matches!(self.trouble, DieAt { .. })
    }

    /// The cell with random values for what may differ between runs: when it dies, how much is told, how hurried people are.
    pub(crate) fn varied(mut self, rng: &mut StdRng) -> Cell {
        if let DieAt { point, count, .. } = &mut self.trouble
            && !point.starts_with("backfill.")
        {
            *count = rng.random_range(1..=6);
            if point.starts_with("look.") {
                *count = rng.random_range(1..=3);
            }
        }
        if let Kill { times } = &mut self.trouble {
            *times = rng.random_range(1..=3);
        }
        self.shape.hurried = rng.random_bool(0.5);
        self
    }

    /// Whether a short run can leave it to the same cell on SQLite: each run takes another third of the deaths.
    pub(crate) fn is_left_to_sqlite(&self, seed: u64) -> bool {
        let DieAt { point, .. } = self.trouble else {
            return false;
        };
        let points = qdn_relay::faultpoints::POINTS.into_iter();
        let index = points.take_while(|one| *one != point).count() as u64;
        self.database == Database::Postgres && !(index + seed).is_multiple_of(3)
    }

    /// How it is called on the command line.
    pub(crate) fn name(&self) -> String {
        let mistake = self.mistake.map(|mistake| format!(" with {mistake}"));
        format!(
            "{} at {} on {:?}{}",
            self.fault,
            self.place,
            self.database,
            mistake.unwrap_or_default()
        )
    }
}

fn script(vendor: Vendor, endpoint: &'static str, fault: Fault, times: usize) -> Script {
    Script {
        vendor,
        endpoint,
        fault,
        times,
    }
}

fn lost_sms(times: usize) -> Script {
    script(Twilio, "Messages.create", Effect::Reset.accepted(), times)
}

fn lost_post(times: usize) -> Script {
    script(Slack, "chat.postMessage", Effect::Reset.accepted(), times)
}

/// So many copies of each text and reply at the same time are a load like any other.
const BUSY_COPIES: usize = 8;

/// How long one process is stopped in a short run: longer than its leases last.
const STOPPED: Duration = Duration::from_secs(10);

/// How long the database is locked in a short run: longer than a request waits for it.
const LOCKED: Duration = Duration::from_millis(4_500);

/// How long the database is locked and a process is stopped in a long run.
const IN_FULL: Duration = Duration::from_secs(30);

/// Everything that is tried, most telling first; `in_full` for as long as the promise names.
pub(crate) fn all(in_full: bool) -> Vec<Cell> {
    let of = |short| if in_full { IN_FULL } else { short };
    let mut cells = vec![Cell::new("nothing", "anywhere", Nothing)];
    cells.extend(deaths());
    cells.extend(at_twilio());
    cells.extend(at_slack());
    cells.extend(webhooks());
    cells.extend(around(of(LOCKED)));
    let on_postgres: Vec<Cell> = cells
        .iter()
        .filter(|cell| runs_on_postgres(cell))
        .map(Cell::on_postgres)
        .collect();
    cells.extend(on_postgres);
    let time = of(STOPPED);
    cells.push(Cell::new("SIGSTOP, a second replica", "anywhere", Stopped { time }).on_postgres());
    cells
}

/// What a request comes back as does not depend on the database: those cells run once.
fn runs_on_postgres(cell: &Cell) -> bool {
    !matches!(cell.trouble, Requests { .. } | Lasting { .. } | Down { .. })
}

fn deaths() -> Vec<Cell> {
    let mut cells: Vec<Cell> = qdn_relay::faultpoints::POINTS
        .into_iter()
        .enumerate()
        .map(|(index, point)| death(point, 1 + index as u32 % 3))
        .collect();
    cells.push(Cell::new("SIGKILL", "at random", Kill { times: 1 }));
    cells.push(Cell::new("SIGKILL", "at random, twice", Kill { times: 2 }));
    cells.push(Cell::new("SIGTERM", "under load", Terminate));
    cells
}

fn death(point: &'static str, count: u32) -> Cell {
    let (count, scripts) = match point {
        "look.before_read" | "look.read" => (count, vec![lost_post(4), lost_sms(2)]),
        // Passed at once and then with every comparison: later is under load.
        "backfill.read" => (2, Vec::new()),
        "backfill.before_watermark" => (5, Vec::new()),
        _ => (count, Vec::new()),
    };
    let trouble = DieAt {
        point,
        count,
        scripts,
    };
    // On a busy machine the second attempt may fail too; then a person is right to be asked.
    Cell::new("dies", point, trouble).asking()
}

/// How a request goes wrong, in words, and whether it was acted on.
fn effects() -> Vec<(&'static str, Effect)> {
    vec![
        ("hangs", Effect::Hang),
        ("reset", Effect::Reset),
        ("500", Effect::Status(500)),
        ("2xx empty", Effect::Empty),
        ("2xx garbage", Effect::Garbage),
    ]
}

fn at(vendor: Vendor, endpoint: &'static str, what: &str, fault: Fault, times: usize) -> Cell {
    let acted = if fault.accepted { ", acted on" } else { "" };
    let trouble = Requests {
        scripts: vec![script(vendor, endpoint, fault, times)],
        at_start: false,
    };
    Cell::new(format!("{what}{acted}"), endpoint, trouble)
}

fn sending(vendor: Vendor, endpoint: &'static str) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (what, effect) in effects() {
        cells.push(at(vendor, endpoint, what, effect.clone().accepted(), 2));
        cells.push(at(vendor, endpoint, what, effect.not_accepted(), 1));
    }
    let slow = Duration::from_secs(2);
    let limited = |retry_after| Effect::RateLimited { retry_after }.not_accepted();
    cells.extend([
        at(
            vendor,
            endpoint,
            "cut short",
            Effect::CutShort.accepted(),
            2,
        ),
        at(vendor, endpoint, "slow", Effect::Slow(slow).accepted(), 1),
        at(
            vendor,
            endpoint,
            "slow",
            Effect::Slow(slow).not_accepted(),
            1,
        ),
        at(vendor, endpoint, "429", limited(None), 2),
        at(vendor, endpoint, "429 Retry-After", limited(Some(1)), 2),
    ]);
    cells
}

fn at_twilio() -> Vec<Cell> {
    let mut cells = sending(Twilio, "Messages.create");
    for (what, fault) in [
        ("hangs", Effect::Hang.not_accepted()),
        ("reset", Effect::Reset.not_accepted()),
        ("500", Effect::Status(500).not_accepted()),
        ("cut short", Effect::CutShort.accepted()),
        ("2xx garbage", Effect::Garbage.not_accepted()),
        (
            "429",
            Effect::RateLimited { retry_after: None }.not_accepted(),
        ),
    ] {
        let scripts = vec![lost_sms(1), script(Twilio, "Messages.list", fault, 2)];
        let trouble = Requests {
            scripts,
            at_start: false,
        };
        cells.push(Cell::new(what, "Messages.list, an answer lost", trouble));
    }
    cells.push(unreported("hangs, acted on", Effect::Hang));
    cells.push(unreported("reset, acted on", Effect::Reset));
    cells.push(unreported("500, acted on", Effect::Status(500)));
    cells.push(list_unreadable());
    cells.push(answer_and_list_lost());
    cells.push(Cell::new(
        "down",
        "Twilio",
        Down {
            vendor: Twilio,
            time: Duration::from_millis(2_500),
        },
    ));
    let lag = Duration::from_millis(900);
    let lags = |scripts| ListLags { lag, scripts };
    cells.push(Cell::new(
        "lags",
        "Messages.list, an answer lost",
        lags(vec![lost_sms(2)]),
    ));
    cells
}

/// The answer is lost, and no callback says what became of it.
fn unreported(what: &str, effect: Effect) -> Cell {
    let scripts = vec![script(Twilio, "Messages.create", effect.accepted(), 2)];
    Cell::new(
        what,
        "Messages.create, no callbacks",
        WebhooksLost { scripts },
    )
}

/// Neither the answer nor the list says what became of it, and no callback comes: a person decides.
fn list_unreadable() -> Cell {
    let broken = Effect::Status(500).not_accepted();
    let scripts = vec![lost_sms(1), script(Twilio, "Messages.list", broken, ALWAYS)];
    let trouble = Blind { scripts };
    Cell::new(
        "unreadable, no callbacks",
        "Messages.list, an answer lost",
        trouble,
    )
    .asking()
}

/// The answer is lost and the list cannot be read, but the callback says it.
fn answer_and_list_lost() -> Cell {
    let broken = Effect::Status(500).not_accepted();
    let trouble = Lasting {
        scripts: vec![lost_sms(2), script(Twilio, "Messages.list", broken, ALWAYS)],
        time: Duration::from_millis(2_500),
    };
    Cell::new(
        "unreadable, callbacks come",
        "Messages.list, an answer lost",
        trouble,
    )
}

fn at_slack() -> Vec<Cell> {
    let mut cells = sending(Slack, "chat.postMessage");
    for word in ["fatal_error", "internal_error"] {
        let error = || Effect::Error(word.to_owned());
        cells.push(at(Slack, "chat.postMessage", word, error().accepted(), 2));
        cells.push(at(
            Slack,
            "chat.postMessage",
            word,
            error().not_accepted(),
            1,
        ));
    }
    let limited = Effect::RateLimited {
        retry_after: Some(1),
    };
    for endpoint in ["reactions.add", "chat.postEphemeral", "users.info"] {
        cells.push(at(Slack, endpoint, "reset", Effect::Reset.accepted(), 1));
        cells.push(at(Slack, endpoint, "hangs", Effect::Hang.not_accepted(), 1));
        cells.push(at(
            Slack,
            endpoint,
            "500",
            Effect::Status(500).not_accepted(),
            1,
        ));
        cells.push(at(
            Slack,
            endpoint,
            "429 Retry-After",
            limited.clone().not_accepted(),
            1,
        ));
    }
    for (what, fault) in [
        ("reset", Effect::Reset.not_accepted()),
        ("cut short", Effect::CutShort.accepted()),
        ("2xx garbage", Effect::Garbage.not_accepted()),
        ("429 Retry-After", limited.not_accepted()),
    ] {
        let scripts = vec![
            lost_post(1),
            script(Slack, "conversations.replies", fault, 2),
        ];
        let trouble = Requests {
            scripts,
            at_start: false,
        };
        cells.push(Cell::new(
            what,
            "conversations.replies, an answer lost",
            trouble,
        ));
    }
    for endpoint in ["auth.test", "conversations.list"] {
        for (what, effect) in [("500", Effect::Status(500)), ("hangs", Effect::Hang)] {
            let trouble = Requests {
                scripts: vec![script(Slack, endpoint, effect.not_accepted(), 2)],
                at_start: true,
            };
            cells.push(Cell::new(
                what,
                format!("{endpoint}, at the start"),
                trouble,
            ));
        }
    }
    let at_start = Requests {
        scripts: vec![lost_post(2)],
        at_start: true,
    };
    cells.push(Cell::new(
        "reset, acted on",
        "chat.postMessage of a root",
        at_start,
    ));
    cells.push(Cell::new(
        "down",
        "Slack",
        Down {
            vendor: Slack,
            time: Duration::from_millis(2_500),
        },
    ));
    cells.extend([
        Cell::new("deleted", "the threads' roots", RootsDeleted).shaped(Shape {
            text_first: true,
            ..Shape::default()
        }),
        Cell::new("archived", "the channel", Archived),
        Cell::new("removed", "the bot", Kicked),
        Cell::new("revoked", "Slack's token", TokenRevoked),
        Cell::new("revoked", "Twilio's key", KeyRevoked),
    ]);
    cells
}

fn webhooks() -> Vec<Cell> {
    let texts = Shape {
        texts_withheld: true,
        ..Shape::default()
    };
    let events = Shape {
        events_withheld: true,
        ..Shape::default()
    };
    let many = Shape {
        copies: 64,
        ..Shape::default()
    };
    let fetch = script(
        Twilio,
        "Messages.fetch",
        Effect::Status(500).not_accepted(),
        2,
    );
    let list = script(Twilio, "Messages.list", Effect::CutShort.accepted(), 2);
    vec![
        Cell::new("never come", "webhooks of texts", Nothing).shaped(texts),
        Cell::new("never come", "events of replies", Nothing).shaped(events),
        Cell::new("64 at once", "webhooks, events", Nothing).shaped(many),
        Cell::new(
            "64 at once, before the answer",
            "status callbacks",
            Callbacks { copies: 16 },
        ),
        Cell::new("out of order", "status callbacks", StatusesBackwards),
        Cell::new(
            "lost for a time",
            "all webhooks",
            WebhooksLost {
                scripts: Vec::new(),
            },
        ),
        Cell::new(
            "lost, lookups fail",
            "all webhooks",
            WebhooksLost {
                scripts: vec![fetch, list],
            },
        ),
        long_ago(),
    ]
}

fn long_ago() -> Cell {
    let broken = Effect::Status(500).not_accepted();
    let trouble = LongAgo {
        scripts: vec![script(Twilio, "Messages.list", broken, 2)],
    };
    Cell::new("fails after an hour down", "Messages.list", trouble)
}

fn around(time: Duration) -> Vec<Cell> {
    vec![
        Cell::new("locked", "the database", Locked { time }),
        Cell::new("a storm", "everywhere", Storm).asking(),
    ]
}

/// Every deliberate mistake; each is a patch in `mistakes/`.
pub(crate) const MISTAKES: [&str; 10] = [
    "acknowledge_before_commit",
    "dedupe_after_send",
    "resend_on_timeout",
    "failed_read_is_absence",
    "drop_unknown_callback",
    "overtake",
    "status_goes_back",
    "watermark_over_broken_read",
    "forget_orphans",
    "skip_audit",
];

/// For each deliberate mistake the cells that should show it.
pub(crate) fn mistakes() -> Vec<Vec<Cell>> {
    let hurried = Shape {
        hurried: true,
        ..Shape::default()
    };
    let showing = |mistake: &str| match mistake {
        "acknowledge_before_commit" => vec![death("sms.before_commit", 4)],
        "dedupe_after_send" => vec![
            Cell::new("told three times", "events of replies", Nothing).shaped(Shape {
                copies: 3,
                ..Shape::default()
            }),
        ],
        "resend_on_timeout" => vec![
            at(
                Twilio,
                "Messages.create",
                "reset",
                Effect::Reset.accepted(),
                2,
            ),
            unreported("hangs, acted on", Effect::Hang),
        ],
        "failed_read_is_absence" => vec![list_unreadable()],
        "drop_unknown_callback" => vec![answer_and_list_lost()],
        "overtake" => vec![
            Cell::new(
                "down",
                "Twilio",
                Down {
                    vendor: Twilio,
                    time: Duration::from_millis(2_500),
                },
            )
            .shaped(hurried),
        ],
        "status_goes_back" => vec![Cell::new(
            "out of order",
            "status callbacks",
            StatusesBackwards,
        )],
        "watermark_over_broken_read" => vec![long_ago()],
        "forget_orphans" => vec![death("attempt.answered", 4), death("outcome.begun", 5)],
        "skip_audit" => vec![Cell::new("nothing", "anywhere", Nothing)],
        _ => Vec::new(),
    };
    MISTAKES
        .into_iter()
        .map(|mistake| {
            let cells = showing(mistake).into_iter();
            cells.map(|cell| cell.with_mistake(mistake)).collect()
        })
        .collect()
}
