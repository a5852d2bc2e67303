//! What the log knows of the audit trail finds out who rewrites it as a whole.

use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::{AnyConnection, Connection, Executor, Row};

use crate::desk::{ALICE, Database, Desk, LINE};

stories! {
    every_row_is_in_the_log_with_its_place_in_the_chain,
    a_tail_that_is_cut_with_its_end_set_back_is_found_out,
    a_chain_that_is_computed_anew_is_found_out,
}

/// A desk that has written some rows, and has stopped; what its log says of them.
async fn stopped(database: Database) -> (Desk, Vec<(i64, String)>) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.twilio.text(ALICE, LINE, "one more").await;
    desk.reply(&root, "on our way").await;
    desk.expect_sms(1).await;
    desk.twilio.call(ALICE, LINE).await;
    desk.expect_quiet().await;
    assert_eq!(desk.relay().terminate().await, Some(0));
    let links = desk
        .relay()
        .log()
        .iter()
        .filter_map(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            let seq = line["seq"].as_i64().filter(|_| line["target"] == "audit")?;
            Some((seq, line["hash"].as_str()?.to_owned()))
        })
        .collect();
    desk.relay = None;
    (desk, links)
}

fn link((seq, hash): &(i64, String)) -> String {
    format!("{seq}:{hash}")
}

async fn verify(desk: &Desk, expected: &[&(i64, String)]) -> Result<String, String> {
    let links: Vec<String> = expected.iter().map(|one| link(one)).collect();
    let mut arguments = vec!["audit", "verify"];
    for link in &links {
        arguments.extend(["--expect", link.as_str()]);
    }
    desk.run(&arguments).await
}

async fn every_row_is_in_the_log_with_its_place_in_the_chain(database: Database) {
    let (desk, links) = stopped(database).await;
    let rows: Vec<(i64, String)> = desk
        .audit(&[])
        .await
        .iter()
        .map(|row| {
            let hash = row["hash"].as_str().unwrap().to_owned();
            (row["id"].as_i64().unwrap(), hash)
        })
        .collect();
    let mut logged = links.clone();
    logged.sort();
    assert_eq!(logged, rows);
    let said = verify(&desk, &[&links[0], &links[links.len() - 1]])
        .await
        .unwrap();
    assert!(said.contains("has the 2 expected rows"), "{said}");
    for wrong in ["x:1", "1:abc", "0:0", ""] {
        let said = desk.run(&["audit", "verify", "--expect", wrong]).await;
        let said = said.unwrap_err();
        assert!(said.starts_with("exit status: 2"), "{said}");
    }
    desk.close().await;
}

async fn a_tail_that_is_cut_with_its_end_set_back_is_found_out(database: Database) {
    let (mut desk, links) = stopped(database).await;
    let last = links.iter().max().unwrap().clone();
    desk.execute(
        "delete from audit where seq > (select max(seq) - 2 from audit);
         update audit_head set seq = (select max(seq) from audit),
             hash = (select hash from audit where seq = (select max(seq) from audit))",
    )
    .await;
    let said = verify(&desk, &[]).await.unwrap();
    assert!(said.contains("intact"), "nothing but the log knows: {said}");
    let said = verify(&desk, &[&last]).await.unwrap_err();
    let expected = format!("broken at row {}: this row is expected and missing", last.0);
    assert!(said.contains(&expected), "{said}");
    desk.start_relay().await;
    desk.close().await;
}

/// As somebody would who knows how rows are hashed.
async fn rehash_from(connection: &mut AnyConnection, first: i64) {
    let sql = "select seq, at, line, number, subject, decision, reason, detail, previous, hash from audit order by seq";
    let rows = sqlx::query(sql).fetch_all(&mut *connection).await.unwrap();
    let mut previous = String::new();
    for row in rows {
        let seq: i64 = row.get("seq");
        if seq < first {
            previous = row.get("hash");
            continue;
        }
        let mut hasher = Sha256::new();
        let (number, at) = (seq.to_string(), row.get::<i64, _>("at").to_string());
        let words = ["line", "number", "subject", "decision", "reason", "detail"];
        let words = words.map(|name| row.get::<String, _>(name));
        for field in [&previous, &number, &at].into_iter().chain(&words) {
            hasher.update((field.len() as u64).to_be_bytes());
            hasher.update(field.as_bytes());
        }
        let hash: String = hasher
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        sqlx::query("update audit set previous = $1, hash = $2 where seq = $3")
            .bind(&previous)
            .bind(&hash)
            .bind(seq)
            .execute(&mut *connection)
            .await
            .unwrap();
        sqlx::query("update audit_head set hash = $1")
            .bind(&hash)
            .execute(&mut *connection)
            .await
            .unwrap();
        previous = hash;
    }
}

async fn a_chain_that_is_computed_anew_is_found_out(database: Database) {
    let (mut desk, mut links) = stopped(database).await;
    links.sort();
    let mut connection = desk.connection().await;
    connection
        .execute("update audit set reason = 'another reason' where seq = 3")
        .await
        .unwrap();
    rehash_from(&mut connection, 3).await;
    connection.close().await.unwrap();
    let said = verify(&desk, &[]).await.unwrap();
    assert!(said.contains("intact"), "nothing but the log knows: {said}");
    let said = verify(&desk, &[&links[1], &links[4]]).await.unwrap_err();
    assert!(
        said.contains("broken at row 5: this row is not the expected one"),
        "{said}"
    );
    let said = verify(&desk, &[&links[1]]).await.unwrap();
    assert!(
        said.contains("has the 1 expected rows"),
        "it is before the change: {said}"
    );
    desk.start_relay().await;
    desk.close().await;
}
