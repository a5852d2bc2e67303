//! What a status URL holds is between this machine and that page.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::desk::{ALICE, BACKUP_PHONE, Database, Desk, LINE, PATIENCE, silence};

stories! {
    a_redirect_learns_no_secret_and_no_proxy_is_asked,
}

type Seen = Arc<Mutex<Vec<HeaderMap>>>;

/// Two pages at different addresses: the first sends whoever asks on to the second, which notes what it is told.
async fn redirecting() -> (String, Seen) {
    let seen: Seen = Arc::default();
    let noted = seen.clone();
    let second = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = format!("http://{}/elsewhere", second.local_addr().unwrap());
    let answer = move |headers: HeaderMap| async move {
        noted.lock().unwrap().push(headers);
        "{\"status\": \"offline\"}"
    };
    let routes = Router::new().route("/elsewhere", get(answer));
    tokio::spawn(async move { axum::serve(second, routes).await.unwrap() });
    let first = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/s?token=sesame", first.local_addr().unwrap());
    let on = move || async move { Redirect::temporary(&there).into_response() };
    let routes = Router::new().route("/s", get(on));
    tokio::spawn(async move { axum::serve(first, routes).await.unwrap() });
    (url, seen)
}

async fn a_redirect_learns_no_secret_and_no_proxy_is_asked(database: Database) {
    let (url, seen) = redirecting().await;
    // Whoever asks it waits in vain.
    let proxy = format!("http://{}", silence().await);
    let desk = Desk::on(database)
        .toml(&format!(
            "\n[availability.status_urls]\nSergio = \"{url}\"\n"
        ))
        .variable("HTTP_PROXY", &proxy)
        .variable("http_proxy", &proxy)
        .variable("ALL_PROXY", &proxy)
        .start()
        .await;
    // A busy machine may not answer the first call's question in time.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let rung = loop {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the page is not asked"
        );
        desk.twilio.call(ALICE, LINE).await;
        if !seen.lock().unwrap().is_empty() {
            let story = desk.twilio.call(ALICE, LINE).await;
            break story
                .rang()
                .into_iter()
                .map(str::to_owned)
                .collect::<Vec<_>>();
        }
    };
    assert_eq!(rung, [BACKUP_PHONE], "the page says that Sergio is offline");
    for headers in seen.lock().unwrap().iter() {
        assert_eq!(headers.get("referer"), None);
    }
    desk.expect_quiet().await;
    desk.close().await;
}
