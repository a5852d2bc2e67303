//! The databases of stories: each has a file of its own, or a Postgres database while it runs.
//!
//! Postgres databases are named `qdn_test_1`, `qdn_test_2` … and are used again by the next story and the next run:
//! dropping one takes seconds, because Postgres writes everything it holds to disk. An advisory lock says which ones
//! are in use.

use std::path::{Path, PathBuf};

use sqlx::{Connection, Executor, PgConnection};
use tokio::sync::OnceCell;

use super::gate::skip;

/// The kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// A database that was made for one story.
#[derive(Debug)]
pub enum Created {
    Sqlite(PathBuf),
    Postgres {
        name: String,
        /// Holds the lock that keeps other stories away.
        _claim: Box<PgConnection>,
    },
}

/// The URL of Postgres: QDN_TEST_POSTGRES, or the usual one.
fn server() -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests have no configuration file"
    )]
    std::env::var("QDN_TEST_POSTGRES")
        .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432".to_owned())
}

impl Database {
    /// Whether Postgres answers. If not, this is printed once, or fails where Postgres is required.
    pub async fn has_postgres() -> bool {
        static FOUND: OnceCell<bool> = OnceCell::const_new();
        *FOUND
            .get_or_init(|| async {
                let Err(error) = connect("postgres").await else {
                    return true;
                };
                let remedy = "set QDN_TEST_POSTGRES=postgres://user@host:port";
                skip(
                    "the stories on Postgres",
                    &format!("none answers ({error}); {remedy}"),
                );
                false
            })
            .await
    }

    pub(crate) async fn create(self, folder: &Path) -> Created {
        match self {
            Database::Sqlite => Created::Sqlite(folder.join("qdn.db")),
            Database::Postgres => claim_postgres().await,
        }
    }
}

/// The first key of the stories' advisory locks.
const LOCKS: i32 = 0x71_64_6e;

/// The most databases in use at once. Postgres has no connections for more.
const MOST: i32 = 100;

/// Takes an empty database that no other story uses.
async fn claim_postgres() -> Created {
    let mut server = connect("postgres").await.unwrap();
    for number in 1..=MOST {
        let is_free: bool = sqlx::query_scalar("select pg_try_advisory_lock($1, $2)")
            .bind(LOCKS)
            .bind(number)
            .fetch_one(&mut server)
            .await
            .unwrap();
        if is_free {
            let name = format!("qdn_test_{number}");
            if empty(&name).await.is_err() {
                create(&mut server, &name).await.unwrap();
            }
            return Created::Postgres {
                name,
                _claim: Box::new(server),
            };
        }
    }
    panic!("{MOST} stories run on Postgres already");
}

async fn connect(name: &str) -> Result<PgConnection, sqlx::Error> {
    PgConnection::connect(&format!("{}/{name}", server())).await
}

async fn execute(connection: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
    connection.execute(sqlx::AssertSqlSafe(sql)).await.map(drop)
}

/// Empties a database, if it exists and accepts connections.
async fn empty(name: &str) -> Result<(), sqlx::Error> {
    let mut database = connect(name).await?;
    execute(&mut database, end_connections(name)).await?;
    let all = "drop schema public cascade; create schema public";
    execute(&mut database, all.to_owned()).await
}

/// Creates a database, and drops what an earlier story left of it.
async fn create(server: &mut PgConnection, name: &str) -> Result<(), sqlx::Error> {
    for old in [name.to_owned(), format!("{name}_away")] {
        execute(
            server,
            format!("drop database if exists {old} with (force)"),
        )
        .await?;
    }
    execute(server, format!("create database {name}")).await?;
    // Services die in stories, Postgres does not: nobody need wait for its disk.
    let setting = format!("alter database {name} set synchronous_commit = off");
    execute(server, setting).await
}

fn end_connections(name: &str) -> String {
    format!(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}' and pid <> pg_backend_pid()"
    )
}

impl Created {
    /// The value of QDN_DATABASE_URL.
    pub fn url(&self) -> String {
        match self {
            Created::Sqlite(file) => format!("sqlite://{}", file.display()),
            Created::Postgres { name, .. } => format!("{}/{name}", server()),
        }
    }

    /// Ends every connection and refuses new ones, as Postgres does while it restarts; `false` accepts them again.
    pub async fn refuse_connections(&self, refuse: bool) {
        let Created::Postgres { name, .. } = self else {
            panic!("SQLite has no connections to refuse");
        };
        let mut server = connect("postgres").await.unwrap();
        let allow = format!("alter database {name} with allow_connections {}", !refuse);
        execute(&mut server, allow).await.unwrap();
        if refuse {
            execute(&mut server, end_connections(name)).await.unwrap();
        }
    }

    /// Takes a Postgres database away by adding a suffix to its name; an empty suffix brings it back.
    pub(crate) async fn rename(&self, suffix: &str) {
        let Created::Postgres { name, .. } = self else {
            panic!("only on Postgres")
        };
        let mut server = connect("postgres").await.unwrap();
        let (from, to) = match suffix {
            "" => (format!("{name}_away"), name.clone()),
            suffix => (name.clone(), format!("{name}{suffix}")),
        };
        // Whoever comes back in between is sent away again.
        for _ in 0..100 {
            execute(&mut server, end_connections(&from)).await.unwrap();
            let rename = format!("alter database {from} rename to {to}");
            if execute(&mut server, rename).await.is_ok() {
                return;
            }
        }
        panic!("{from} cannot be renamed");
    }
}
