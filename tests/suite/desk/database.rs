//! The databases a story runs on: a file of its own, or a Postgres database of its own.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{Connection, Executor, PgConnection};
use tokio::sync::OnceCell;

/// Which kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

/// A database made for one story.
#[derive(Debug)]
pub(crate) enum Created {
    Sqlite(PathBuf),
    Postgres { name: String },
}

/// Where Postgres is: QDN_TEST_POSTGRES, or the usual place.
fn server() -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests have no configuration file"
    )]
    std::env::var("QDN_TEST_POSTGRES")
        .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432".to_owned())
}

impl Database {
    /// Whether Postgres answers. Says loudly if it does not, and fails where it has to be there.
    pub(crate) async fn has_postgres() -> bool {
        static FOUND: OnceCell<bool> = OnceCell::const_new();
        *FOUND
            .get_or_init(|| async {
                let error = match PgConnection::connect(&format!("{}/postgres", server())).await {
                    Ok(_) => return true,
                    Err(error) => error,
                };
                #[expect(clippy::disallowed_methods, reason = "tests have no configuration file")]
                let in_ci = std::env::var_os("CI").is_some();
                assert!(!in_ci, "Postgres has to be there in CI: {error}");
                // Straight to the terminal: the test harness hides what passing tests print.
                let _ = writeln!(std::io::stderr(), "\nSKIPPED: the stories on Postgres, because none answers ({error}). Set QDN_TEST_POSTGRES=postgres://user@host:port\n");
                false
            })
            .await
    }

    pub(super) async fn create(self, folder: &Path) -> Created {
        match self {
            Database::Sqlite => Created::Sqlite(folder.join("qdn.db")),
            Database::Postgres => {
                static COUNT: AtomicU32 = AtomicU32::new(0);
                let name = format!(
                    "qdn_test_{}_{}",
                    std::process::id(),
                    COUNT.fetch_add(1, Ordering::Relaxed)
                );
                let mut server = PgConnection::connect(&format!("{}/postgres", server()))
                    .await
                    .unwrap();
                let sql = format!("create database {name}");
                server.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
                Created::Postgres { name }
            }
        }
    }
}

impl Created {
    /// As QDN_DATABASE_URL takes it.
    pub(crate) fn url(&self) -> String {
        match self {
            Created::Sqlite(file) => format!("sqlite://{}", file.display()),
            Created::Postgres { name } => format!("{}/{name}", server()),
        }
    }

    /// Ends every connection and takes no new ones, as Postgres does while it restarts; or takes them again.
    pub(crate) async fn refuse_connections(&self, refuse: bool) {
        let Created::Postgres { name } = self else {
            panic!("SQLite has no connections to refuse");
        };
        let mut server = PgConnection::connect(&format!("{}/postgres", server()))
            .await
            .unwrap();
        let allow = format!("alter database {name} with allow_connections {}", !refuse);
        server.execute(sqlx::AssertSqlSafe(allow)).await.unwrap();
        if refuse {
            let end = format!(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"
            );
            server.execute(sqlx::AssertSqlSafe(end)).await.unwrap();
        }
    }

    /// Takes a Postgres database away under another name, or brings it back with an empty one.
    pub(super) async fn rename(&self, suffix: &str) {
        let Created::Postgres { name } = self else {
            panic!("only on Postgres")
        };
        let mut server = PgConnection::connect(&format!("{}/postgres", server()))
            .await
            .unwrap();
        let (from, to) = match suffix {
            "" => (format!("{name}_away"), name.clone()),
            suffix => (name.clone(), format!("{name}{suffix}")),
        };
        let end = format!(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{from}'"
        );
        // Whoever comes back in between is sent away again.
        for _ in 0..100 {
            server
                .execute(sqlx::AssertSqlSafe(end.clone()))
                .await
                .unwrap();
            let rename = format!("alter database {from} rename to {to}");
            if server.execute(sqlx::AssertSqlSafe(rename)).await.is_ok() {
                return;
            }
        }
        panic!("{from} cannot be renamed");
    }

    pub(crate) async fn drop(&self) {
        if let Created::Postgres { name } = self {
            let mut server = PgConnection::connect(&format!("{}/postgres", server()))
                .await
                .unwrap();
            let sql = format!("drop database {name} with (force)");
            server.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
        }
    }
}
