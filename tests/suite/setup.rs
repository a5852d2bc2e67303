//! `qdn-relay setup`: the number's webhooks, and where calls go when the service is down.

use qdn_sandbox::twilio::{Outcome, Phone};

use crate::desk::{ALICE, BACKUP_PHONE, Database, Desk, LINE, PUBLIC_URL};

const FORWARD: &str = "https://twimlets.com/forward?PhoneNumber=%2B18585550112";

const SMS: &str = "/api/twilio/dispatch-route#rc=2&rp=5xx,ct";
const VOICE: &str = "/api/twilio/dispatch-route#ct=2000&rt=3000&rc=1&rp=5xx,ct,rt&tt=9000";

async fn configured_elsewhere() -> Desk {
    let desk = Desk::on(Database::Sqlite).prepare().await;
    desk.twilio.configure_number(LINE, |number| {
        number.sms_url = "https://demo.example.com/sms".into();
        number.voice_application_sid = format!("AP{}", "0".repeat(32));
        number.sms_fallback_url = "https://old.example.com/".into();
    });
    desk
}

#[tokio::test]
async fn setup_shows_what_changes_and_asks_first() {
    let desk = configured_elsewhere().await;
    let before = desk.twilio.number_settings(LINE);
    // Nobody answers the question: that is no yes.
    let refused = desk.run(&["setup"]).await.unwrap_err();
    assert!(refused.contains("nothing was changed"), "{refused}");
    assert_eq!(desk.twilio.number_settings(LINE), before);

    let shown = desk.run(&["setup", "--yes"]).await.unwrap();
    for expected in [
        "QDN +16195550100".to_owned(),
        format!("https://demo.example.com/sms → {PUBLIC_URL}{SMS}"),
        "https://old.example.com/ → (none)".to_owned(),
        format!("(none) → {FORWARD}"),
        "voice application".to_owned(),
    ] {
        assert!(shown.contains(&expected), "{expected} in:\n{shown}");
    }
    let number = desk.twilio.number_settings(LINE).unwrap();
    assert_eq!(number.sms_url, format!("{PUBLIC_URL}{SMS}"));
    assert_eq!(number.voice_url, format!("{PUBLIC_URL}{VOICE}"));
    assert_eq!(number.voice_fallback_url, FORWARD);
    assert_eq!(number.sms_fallback_url, "");
    assert_eq!(number.voice_application_sid, "");

    let shown = desk.run(&["setup"]).await.unwrap();
    assert!(shown.contains("Everything is as it has to be."), "{shown}");
    desk.close().await;
}

#[tokio::test]
async fn setup_uses_the_auth_token_where_the_key_may_not() {
    let desk = configured_elsewhere().await;
    desk.twilio.set_api_key_valid(false);
    desk.run(&["setup", "--yes"]).await.unwrap();
    assert_eq!(
        desk.twilio
            .number_settings(LINE)
            .unwrap()
            .voice_fallback_url,
        FORWARD
    );
    assert!(desk.twilio.uses_of_auth_token() > 0);
    desk.twilio.take_violations();
}

#[tokio::test]
async fn setup_says_which_number_is_not_the_accounts() {
    let desk = Desk::on(Database::Sqlite)
        .replace("number = \"+16195550100\"", "number = \"+16195550109\"")
        .prepare()
        .await;
    let refused = desk.run(&["setup", "--yes"]).await.unwrap_err();
    assert!(
        refused.contains("the Twilio account does not have +16195550109"),
        "{refused}"
    );
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_reaches_the_backup_when_the_service_is_dead() {
    let mut desk = Desk::on(Database::Sqlite).start().await;
    desk.run(&["setup", "--yes"]).await.unwrap();
    desk.twilio.set_phone(BACKUP_PHONE, Phone::pick_up(3));
    desk.relay().kill().await;
    let story = desk.twilio.call(ALICE, LINE).await;
    assert!(
        matches!(&story.outcome, Outcome::Bridged { with, .. } if with == BACKUP_PHONE),
        "{story:#?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_reaches_the_backup_in_time_when_the_service_hangs() {
    let mut desk = Desk::on(Database::Sqlite).start().await;
    desk.run(&["setup", "--yes"]).await.unwrap();
    desk.twilio.set_phone(BACKUP_PHONE, Phone::pick_up(3));
    desk.relay().signal("STOP").await;
    let story = desk.twilio.call(ALICE, LINE).await;
    desk.relay().signal("CONT").await;
    assert!(
        matches!(&story.outcome, Outcome::Bridged { with, .. } if with == BACKUP_PHONE),
        "{story:#?}"
    );
    let asked: std::time::Duration = story.exchanges[0].took;
    assert!(
        asked <= std::time::Duration::from_millis(9_500),
        "{asked:?}"
    );
    assert!(story.exchanges[1].url.starts_with("https://twimlets.com/"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_setup_sets_is_signed_and_asked_for_without_its_fragment() {
    let desk = Desk::on(Database::Sqlite).start().await;
    desk.run(&["setup", "--yes"]).await.unwrap();
    assert_eq!(desk.twilio.text(ALICE, LINE, "hello").await.status, 200);
    desk.expect_thread().await;
    let story = desk.twilio.call(ALICE, LINE).await;
    assert_eq!(story.exchanges[0].status, 200);
    desk.expect_quiet().await;
    desk.close().await;
}
