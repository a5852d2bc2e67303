//! The app's home.

use std::time::Duration;

use qdn_sandbox::faults::Effect;
use qdn_sandbox::twilio::Callbacks;

use crate::desk::{ALICE, CHANNEL, DORA, Database, Desk, LINE, STRANGER};

stories! {
    the_home_shows_the_desk_and_follows_it,
    a_stranger_sees_nothing_of_the_desk,
    trouble_shows_by_itself,
}

async fn the_home_shows_the_desk_and_follows_it(database: Database) {
    let desk = Desk::on(database).start().await;
    // A reply that never arrives would leave its caller waiting.
    desk.twilio
        .set_callbacks(Callbacks::automatic(Duration::from_millis(40)));
    desk.slack.open_home(DORA).await;
    let home = desk.expect_home(DORA, "Who waits for an answer").await;
    for words in ["Sergio: available", "Nobody.", "0 texts in", "all is well"] {
        assert!(home.contains(words), "{words}: {home}");
    }
    let root = desk.open(ALICE).await;
    let home = desk.expect_home(DORA, "(619) 555-0142").await;
    assert!(home.contains("1 text in"), "{home}");
    assert!(
        home.contains("QDN: (emoji warning) calls would ring nowhere"),
        "{home}"
    );

    let view = desk
        .slack
        .read(|world| world.home(DORA).unwrap().id.clone());
    let answer = desk
        .slack
        .press_in_view(DORA, &view, Some("person_0"), "home_away")
        .await;
    assert_eq!(answer.status, 200);
    let home = desk
        .expect_home(DORA, "Sergio is away until you change it.")
        .await;
    assert!(home.contains("Sergio: away"), "{home}");
    desk.expect_roots(2).await;

    desk.reply(&root, "Here").await;
    desk.expect_home(DORA, "Nobody.").await;
    desk.expect_quiet().await;
    desk.close().await;
}

async fn a_stranger_sees_nothing_of_the_desk(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio.text(ALICE, LINE, "Help").await;
    desk.expect_thread().await;
    desk.slack.open_home(STRANGER).await;
    let home = desk
        .expect_home(STRANGER, "The desk is shown to members of #qdn-dispatch.")
        .await;
    assert!(!home.contains("555"), "{home}");
    desk.slack.join(CHANNEL, STRANGER);
    desk.slack.open_home(STRANGER).await;
    desk.expect_home(STRANGER, "(619) 555-0142").await;
    desk.expect_quiet().await;
    desk.close().await;
}

async fn trouble_shows_by_itself(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.slack.open_home(DORA).await;
    let home = desk.expect_home(DORA, "Who waits for an answer").await;
    assert!(home.contains("all is well"), "{home}");
    desk.twilio.faults().push(
        "Messages.create",
        Effect::Error("21614".into()).not_accepted(),
    );
    desk.reply(&root, "Here").await;
    desk.expect_home(DORA, "given up today").await;
    desk.expect_quiet().await;
    desk.close().await;
}
