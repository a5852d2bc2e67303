//! What Twilio could not tell us of a call is found in its log.

use qdn_sandbox::twilio::Party;

use crate::desk::{ALICE, Database, Desk, LINE, SERGIO_PHONE};

stories! {
    a_call_that_ends_while_we_are_down_does_not_ring_for_ever,
}

async fn a_call_that_ends_while_we_are_down_does_not_ring_for_ever(database: Database) {
    let mut desk = Desk::on(database)
        // The phone rings until the story goes on.
        .replace("seconds = 15", "seconds = 600")
        .start()
        .await;
    let call = desk.twilio.calling(ALICE, LINE).start(1.0);
    desk.expect_ringing(&call, SERGIO_PHONE).await;
    let root = desk.expect_thread_of_call().await;
    desk.expect_root_words(&root, "ringing Sergio").await;
    desk.relay().kill().await;
    call.hang_up(&Party::Caller);
    let story = call.finished().await.unwrap();
    desk.start_relay().await;
    desk.expect_root_words(
        &root,
        "Missed call, the caller hung up while Sergio's phone rang",
    )
    .await;
    desk.expect_quiet().await;
    let rows = desk.audit(&["--call", &story.sid]).await;
    let last = rows.last().unwrap();
    assert_eq!(last["decision"], "call_ended_unheard", "{rows:#?}");
    desk.close().await;
}
