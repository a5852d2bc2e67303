//! Twilio sends whoever fetches a file on to another host, which sees no credentials and is of the public Internet.

use std::sync::{Arc, Mutex};

use axum::http::HeaderMap;
use axum::routing::get;

use crate::desk::{ALICE, Database, Desk, LINE};

stories! {
    a_recording_is_fetched_from_where_twilio_sends_us_on,
    nobody_is_sent_on_into_a_private_network,
}

async fn a_recording_is_fetched_from_where_twilio_sends_us_on(database: Database) {
    let files = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = files.local_addr().unwrap();
    let asked: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
    let seen = asked.clone();
    let routes = axum::Router::new().route(
        "/sound",
        get(move |headers: HeaderMap| async move {
            seen.lock().unwrap().push(headers);
            ([("content-type", "audio/mpeg")], vec![0xff, 0xfb])
        }),
    );
    tokio::spawn(async move { axum::serve(files, routes).await.unwrap() });
    let desk = Desk::on(database).start().await;
    desk.twilio
        .set_files_elsewhere(Some(&format!("http://{address}/sound")));
    desk.twilio.call(ALICE, LINE).await;
    let root = desk.expect_thread_of_call().await;
    desk.expect_root_words(&root, "the caller left a message of 10 s")
        .await;
    desk.expect_quiet().await;
    let uploaded = desk
        .slack
        .thread(crate::desk::CHANNEL, &root)
        .into_iter()
        .filter(|message| !message.files.is_empty())
        .count();
    assert_eq!(uploaded, 1);
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 1);
    assert!(!asked[0].contains_key("authorization"), "{asked:?}");
    desk.close().await;
}

async fn nobody_is_sent_on_into_a_private_network(database: Database) {
    let mut desk = Desk::on(database).start().await;
    desk.expect_error("could not be fetched from Twilio");
    for (n, place) in [
        "http://10.0.0.1/sound",
        "https://169.254.169.254/latest/meta-data/",
    ]
    .into_iter()
    .enumerate()
    {
        desk.twilio.set_files_elsewhere(Some(place));
        desk.twilio.call(&format!("+1619555015{n}"), LINE).await;
        desk.expect_quiet().await;
        let roots = desk.slack.roots(crate::desk::CHANNEL);
        let root = roots.iter().rfind(|root| !root.is_broadcast()).unwrap();
        desk.expect_words_in_thread(&root.ts, "could not be fetched (bad_redirect)")
            .await;
    }
    desk.close().await;
}
