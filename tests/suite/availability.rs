//! Whom a call rings follows from what people said, their presence signals and their status pages, in that order.

use std::time::Duration;

use qdn_sandbox::twilio::{Caller, Outcome, Phone};
use serde_json::{Value, json};

use crate::desk::{
    ALICE, BACKUP_PHONE, BOB, Builder, CHANNEL, DORA, Database, Desk, LINE, PATIENCE, Redis,
    SERGIO_PHONE, STRANGER, StatusPage, own_address, silence,
};

stories! {
    redis_says_who_can_be_rung,
    what_was_said_counts_before_redis_and_redis_before_the_status_page,
    a_redis_that_is_gone_or_hangs_holds_no_call_up,
    a_redis_that_comes_back_is_heard_again,
    a_status_page_is_believed_for_a_while,
    a_status_page_that_hangs_or_fails_holds_no_call_up,
    who_tells_whom_a_call_would_ring,
    why_tells_where_the_last_call_went,
}

/// Longer than no answer to a call may take. The sources that are silent here are so for good, and whoever waited for the
/// database would do so for 5 s; the rest is room for a busy machine.
const AT_MOST: Duration = Duration::from_secs(4);

/// A desk where Sergio has another name, for which Redis can be asked.
fn with_name(database: Database, name: &str) -> Builder {
    Desk::on(database)
        .replace("name = \"Sergio\"", &format!("name = \"{name}\""))
        .replace("people = [\"Sergio\"]", &format!("people = [\"{name}\"]"))
}

/// The telephones that a call rings first, and what the audit says of the first person.
async fn first(desk: &Desk) -> (Vec<String>, Value) {
    let story = desk.twilio.call(ALICE, LINE).await;
    for exchange in &story.exchanges {
        assert!(
            exchange.took < AT_MOST,
            "{} took {:?}",
            exchange.url,
            exchange.took
        );
    }
    let rows = desk.audit(&["--call", &story.sid]).await;
    let rung = story.rang().into_iter().map(str::to_owned).collect();
    (rung, rows[0]["detail"]["people"][0].clone())
}

/// Calls until this source has answered in time, which it may not on a busy machine. Returns what `first` does.
async fn first_from(desk: &Desk, source: &Value) -> (Vec<String>, Value) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let (rang, person) = first(desk).await;
        if person["source"] == *source {
            return (rang, person);
        }
        assert!(tokio::time::Instant::now() < deadline, "{person}");
    }
}

fn is(person: &Value, availability: &str, source: &Value) -> bool {
    person["availability"] == availability && person["source"] == *source
}

async fn redis_says_who_can_be_rung(database: Database) {
    let Some(redis) = Redis::connect().await else {
        return;
    };
    let name = redis.name("Sergio");
    let desk = with_name(database, &name)
        .variable("QDN_REDIS_URL", redis.url())
        .start()
        .await;
    desk.twilio
        .set_phone(SERGIO_PHONE, Phone::pick_up(1).pressing("1"));
    desk.twilio
        .set_phone(BACKUP_PHONE, Phone::pick_up(1).pressing("1"));
    let (from_redis, assumed) = (json!({"source": "redis"}), json!({"source": "assumed"}));
    for (presence, rung, availability, source) in [
        ("offline", BACKUP_PHONE, "away", &from_redis),
        ("online", SERGIO_PHONE, "available", &from_redis),
        ("dnd", BACKUP_PHONE, "dnd", &from_redis),
        ("perhaps", SERGIO_PHONE, "available", &assumed),
        ("", SERGIO_PHONE, "available", &assumed),
    ] {
        redis.set(&name, presence).await;
        let (rang, person) = first_from(&desk, source).await;
        assert_eq!(rang, [rung], "{presence}");
        assert!(is(&person, availability, source), "{presence}: {person}");
    }
    redis.set(&name, "offline").await;
    redis.expire(&name).await;
    let (rang, person) = first(&desk).await;
    assert_eq!(rang, [SERGIO_PHONE]);
    assert!(is(&person, "available", &assumed), "{person}");
    desk.close().await;
}

async fn what_was_said_counts_before_redis_and_redis_before_the_status_page(database: Database) {
    let Some(redis) = Redis::connect().await else {
        return;
    };
    let name = redis.name("Sergio");
    let page = StatusPage::start("offline").await;
    let desk = with_name(database, &name)
        .toml(&format!(
            "\n[availability]\nttl = \"1h\"\n[availability.status_urls]\n{name} = \"{}\"\n",
            page.url()
        ))
        .variable("QDN_REDIS_URL", redis.url())
        .start()
        .await;
    desk.twilio
        .set_phone(SERGIO_PHONE, Phone::pick_up(1).pressing("1"));
    desk.twilio
        .set_phone(BACKUP_PHONE, Phone::pick_up(1).pressing("1"));
    let (rang, person) = first_from(&desk, &json!({"source": "status_url"})).await;
    assert_eq!(rang, [BACKUP_PHONE]);
    assert_eq!(person["availability"], "away", "{person}");
    assert!(person["age_seconds"].is_i64(), "{person}");

    redis.set(&name, "online").await;
    let (rang, person) = first_from(&desk, &json!({"source": "redis"})).await;
    assert_eq!(rang, [SERGIO_PHONE]);
    assert_eq!(person["availability"], "available", "{person}");

    let (away, is_away) = (format!("away {name} 1h"), format!("{name} is away"));
    desk.type_until(DORA, &away, &is_away).await;
    let (rang, person) = first(&desk).await;
    assert_eq!(rang, [BACKUP_PHONE]);
    assert!(is(&person, "away", &json!({"source": "said", "by": DORA})));

    // Said to be available, whatever the signals say.
    redis.set(&name, "dnd").await;
    let (available, is_available) = (format!("available {name}"), format!("{name} is available"));
    desk.type_until(DORA, &available, &is_available).await;
    let (rang, person) = first(&desk).await;
    assert_eq!(rang, [SERGIO_PHONE]);
    assert!(is(
        &person,
        "available",
        &json!({"source": "said", "by": DORA})
    ));
    desk.close().await;
}

async fn a_redis_that_is_gone_or_hangs_holds_no_call_up(database: Database) {
    let gone = {
        let listener = tokio::net::TcpListener::bind((own_address(), 0))
            .await
            .unwrap();
        listener.local_addr().unwrap()
    };
    for address in [gone, silence().await] {
        let desk = Desk::on(database)
            .variable("QDN_REDIS_URL", &format!("redis://{address}"))
            .start()
            .await;
        desk.twilio
            .set_phone(SERGIO_PHONE, Phone::pick_up(1).pressing("1"));
        for _ in 0..3 {
            let (rang, person) = first(&desk).await;
            assert_eq!(rang, [SERGIO_PHONE]);
            assert!(is(&person, "available", &json!({"source": "assumed"})));
        }
        desk.close().await;
    }
}

async fn a_redis_that_comes_back_is_heard_again(database: Database) {
    let Some(redis) = Redis::connect().await else {
        return;
    };
    let name = redis.name("Sergio");
    redis.set(&name, "offline").await;
    let address = {
        let listener = tokio::net::TcpListener::bind((own_address(), 0))
            .await
            .unwrap();
        listener.local_addr().unwrap()
    };
    let desk = with_name(database, &name)
        .variable("QDN_REDIS_URL", &format!("redis://{address}"))
        .start()
        .await;
    desk.twilio
        .set_phone(SERGIO_PHONE, Phone::pick_up(1).pressing("1"));
    desk.twilio
        .set_phone(BACKUP_PHONE, Phone::pick_up(1).pressing("1"));
    assert_eq!(first(&desk).await.0, [SERGIO_PHONE]);
    redis.lead_here(address).await;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while first(&desk).await.0 != [BACKUP_PHONE] {
        assert!(
            tokio::time::Instant::now() < deadline,
            "Redis is heard again"
        );
    }
    desk.close().await;
}

async fn a_status_page_is_believed_for_a_while(database: Database) {
    let page = StatusPage::start("dnd").await;
    let mut desk = Desk::on(database)
        .toml(&format!(
            "\n[availability]\nttl = \"1h\"\n[availability.status_urls]\nSergio = \"{}\"\n",
            page.url()
        ))
        .start()
        .await;
    desk.twilio
        .set_phone(SERGIO_PHONE, Phone::pick_up(1).pressing("1"));
    desk.twilio
        .set_phone(BACKUP_PHONE, Phone::pick_up(1).pressing("1"));
    let (rang, person) = first_from(&desk, &json!({"source": "status_url"})).await;
    assert_eq!(rang, [BACKUP_PHONE]);
    assert_eq!(person["availability"], "dnd", "{person}");
    desk.twilio.call(BOB, LINE).await;
    assert!(page.asked() <= 2, "it was asked {} times", page.asked());
    // For a while only.
    let config = std::fs::read_to_string(&desk.config).unwrap();
    std::fs::write(&desk.config, config.replace("\"1h\"", "\"1s\"")).unwrap();
    desk.relay().terminate().await;
    desk.start_relay().await;
    page.says("online");
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while first(&desk).await.0 != [SERGIO_PHONE] {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the page is asked again"
        );
    }
    desk.close().await;
}

async fn a_status_page_that_hangs_or_fails_holds_no_call_up(database: Database) {
    let page = StatusPage::start("offline").await;
    let desk = Desk::on(database)
        .toml(&format!(
            "\n[availability.status_urls]\nSergio = \"http://{}/\"\nBackup = \"{}\"\n",
            silence().await,
            page.url()
        ))
        .start()
        .await;
    desk.twilio
        .set_phone(SERGIO_PHONE, Phone::pick_up(1).pressing("1"));
    let assumed = json!({"source": "assumed"});
    for (status, body) in [(500, "{}"), (200, "<html>"), (200, "{\"status\": 7}")] {
        page.answers(status, body, Duration::ZERO);
        let (rang, person) = first(&desk).await;
        assert_eq!(rang, [SERGIO_PHONE]);
        assert!(is(&person, "available", &assumed), "{person}");
    }
    desk.close().await;

    // An answer that comes too late for one call is there for the next.
    page.says("offline");
    page.hold(true);
    let desk = Desk::on(database)
        .toml(&format!(
            "\n[availability.status_urls]\nSergio = \"{}\"\n",
            page.url()
        ))
        .start()
        .await;
    desk.twilio
        .set_phone(SERGIO_PHONE, Phone::pick_up(1).pressing("1"));
    desk.twilio
        .set_phone(BACKUP_PHONE, Phone::pick_up(1).pressing("1"));
    assert_eq!(first(&desk).await.0, [SERGIO_PHONE]);
    page.hold(false);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while first(&desk).await.0 != [BACKUP_PHONE] {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the late answer counts"
        );
    }
    desk.close().await;
}

async fn qdn(desk: &Desk, user: &str, text: &str) -> String {
    let answer = desk.slack.command(user, CHANNEL, "/qdn", text).await;
    assert_eq!(answer.status, 200);
    answer.text
}

async fn who_tells_whom_a_call_would_ring(database: Database) {
    let desk = Desk::on(database).start().await;
    assert_eq!(
        qdn(&desk, DORA, "who").await,
        "A call would ring now:\n\
         1. *Sergio*, for 15 s\n\
         2. *Backup*, for 20 s\n\
         3. then the caller can leave a message\n\
         • Sergio: available, assumed: nobody has said otherwise\n\
         • Backup: rung in any case (available, assumed: nobody has said otherwise)"
    );
    desk.type_until(DORA, "away Sergio 1h", "Sergio is away")
        .await;
    assert_eq!(
        qdn(&desk, DORA, "who").await,
        "A call would ring now:\n\
         1. *Backup*, for 20 s\n\
         2. then the caller can leave a message\n\
         • Sergio: left out, because away, said just now\n\
         • Backup: rung in any case (available, assumed: nobody has said otherwise)"
    );
    desk.expect_quiet().await;
    desk.close().await;
}

async fn why_tells_where_the_last_call_went(database: Database) {
    let desk = Desk::on(database).start().await;
    assert_eq!(qdn(&desk, DORA, "why").await, "There has been no call yet.");
    desk.twilio.set_phone(SERGIO_PHONE, Phone::mailbox(3));
    desk.twilio
        .set_phone(BACKUP_PHONE, Phone::pick_up(4).pressing("1").talking(30));
    let story = desk.twilio.call(ALICE, LINE).await;
    assert!(matches!(story.outcome, Outcome::Bridged { .. }));
    desk.type_until(DORA, "dnd Sergio 1h", "Sergio is not")
        .await;
    let patience = Caller::hanging_up_after(2);
    desk.twilio
        .calling(BOB, LINE)
        .caller(patience)
        .place()
        .await;
    desk.expect_quiet().await;

    let last = qdn(&desk, DORA, "why").await;
    let lines: Vec<&str> = last.lines().collect();
    assert!(
        lines[0].starts_with("*The call from (619) 555-0143, "),
        "{last}"
    );
    assert_eq!(
        lines[1..],
        [
            "• Sergio was left out: not to be disturbed, said just now.",
            "• Backup was rung for 20 s, as always (available, assumed: nobody has said otherwise).",
            "• The caller hung up before anybody answered.",
        ]
    );
    let earlier = qdn(&desk, DORA, "why 0142").await;
    let lines: Vec<&str> = earlier.lines().collect();
    assert!(
        lines[0].starts_with("*The call from (619) 555-0142, "),
        "{earlier}"
    );
    assert_eq!(
        lines[1..],
        [
            "• Sergio was rung for 15 s: available, assumed: nobody has said otherwise.",
            "• Sergio's phone was picked up.",
            "• Step 1: Sergio's phone was picked up, but nobody took the call.",
            "• Backup was rung for 20 s, as always (available, assumed: nobody has said otherwise).",
            "• Backup's phone was picked up.",
            "• Backup pressed 1 and took the call.",
            "• Backup was connected with the caller, 32 s in all.",
        ]
    );
    assert_eq!(
        qdn(&desk, DORA, "why 9999").await,
        "There has been no call from a number that ends with 9999."
    );
    let refused = qdn(&desk, STRANGER, "why").await;
    assert!(refused.contains("Only members"), "{refused}");
    desk.close().await;
}
