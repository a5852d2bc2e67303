//! Tests that the queries of the Home tab, of reminders and of one caller's audit trail use an index and scan no table.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

use super::audit::Filter;
use super::conversation_status::{self, Alarm};
use super::{Dialect, Store, daily_stats};
use crate::clock::Clock;

/// Each statement with the number of its parameters and the index that it has to begin with.
fn statements() -> Vec<(String, usize, &'static str)> {
    let [waiting, waiting_count] = conversation_status::waiting_sql(2);
    let audit = |subject: Option<&str>, number: Option<&str>| {
        Filter {
            subject: subject.map(str::to_owned),
            number: number.map(str::to_owned),
            ..Filter::default()
        }
        .page_sql()
    };
    vec![
        (daily_stats::since_sql(2), 3, "daily_stat"),
        (daily_stats::REFUSED.to_owned(), 1, "outbox_refused"),
        (waiting, 3, "matter_waiting"),
        (waiting_count, 2, "matter_waiting"),
        (
            conversation_status::due_sql(Alarm::Remind).to_owned(),
            3,
            "matter_remind",
        ),
        (
            conversation_status::due_sql(Alarm::Page).to_owned(),
            3,
            "matter_page",
        ),
        (audit(None, Some("+16195550142")), 5, "audit_number"),
        (audit(Some("CA1"), None), 5, "audit_subject"),
        (audit(Some("CA1"), Some("+16195550142")), 6, "audit_"),
    ]
}

fn expect_no_full_scan(sql: &str, plan: &[String], is_full: impl Fn(&str) -> bool) {
    assert!(!plan.is_empty(), "{sql}");
    let shown = plan.join("\n");
    assert!(
        !plan.iter().any(|line| is_full(line)),
        "a full scan for {sql}\n{shown}"
    );
}

#[tokio::test]
async fn sqlite_scans_no_table_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("qdn.db").display());
    let store = Store::open(&url, Clock::System).await.unwrap();
    assert_eq!(store.dialect, Dialect::Sqlite);
    for (sql, _, index) in statements() {
        let explain = AssertSqlSafe(format!("explain query plan {sql}"));
        let rows = sqlx::query(explain).fetch_all(store.reader()).await;
        let line = |row: &sqlx::any::AnyRow| row.try_get::<String, _>("detail").unwrap();
        let plan: Vec<String> = rows.unwrap().iter().map(line).collect();
        expect_no_full_scan(&sql, &plan, |line| {
            line.starts_with("SCAN") && !line.contains("USING")
        });
        // The other join order also uses an index, but reads every conversation of a line.
        assert!(plan[0].contains(index), "{index} for {sql}\n{plan:?}");
    }
    store.close().await;
}

fn server() -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests have no configuration file"
    )]
    std::env::var("QDN_TEST_POSTGRES")
        .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432".to_owned())
}

/// Creates a Postgres database for a test. Returns a connection that can drop it, its URL and its name; `None` if no
/// Postgres answers.
pub(super) async fn postgres(prefix: &str) -> Option<(PgConnection, String, String)> {
    let Ok(mut maintenance) = PgConnection::connect(&format!("{}/postgres", server())).await else {
        #[expect(
            clippy::disallowed_methods,
            reason = "tests have no configuration file"
        )]
        let in_ci = std::env::var_os("CI").is_some();
        assert!(!in_ci, "Postgres has to be there in CI");
        return None;
    };
    let name = format!("{prefix}_{}", std::process::id());
    let create = AssertSqlSafe(format!("create database {name}"));
    maintenance.execute(create).await.unwrap();
    let url = format!("{}/{name}", server());
    Some((maintenance, url, name))
}

#[tokio::test]
async fn postgres_scans_no_table_for_them() {
    let Some((mut maintenance, url, name)) = postgres("qdn_plans").await else {
        return;
    };
    let store = Store::open(&url, Clock::System).await.unwrap();
    let mut reader = PgConnection::connect(&url).await.unwrap();
    // For an empty table a scan is cheapest. Disable scans, so that the plan shows whether an index can be used.
    for setting in [
        "set enable_seqscan = off",
        "set plan_cache_mode = force_generic_plan",
    ] {
        reader.execute(setting).await.unwrap();
    }
    for (n, (sql, parameters, _)) in statements().into_iter().enumerate() {
        let prepare = AssertSqlSafe(format!("prepare plan_{n} as {sql}"));
        reader.execute(prepare).await.unwrap();
        let nulls = vec!["null"; parameters].join(", ");
        let explain = AssertSqlSafe(format!("explain (costs off) execute plan_{n} ({nulls})"));
        let rows = reader.fetch_all(explain).await.unwrap();
        let line = |row: &sqlx::postgres::PgRow| row.try_get::<String, _>(0).unwrap();
        let plan: Vec<String> = rows.iter().map(line).collect();
        expect_no_full_scan(&sql, &plan, |line| line.contains("Seq Scan"));
    }
    reader.close().await.unwrap();
    store.close().await;
    let drop = AssertSqlSafe(format!("drop database {name} with (force)"));
    maintenance.execute(drop).await.unwrap();
}
