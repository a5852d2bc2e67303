//! `qdn-relay check`: everything that can be wrong is said, each with what it leads to and what mends it.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::desk::{CHANNEL, Database, Desk, LINE, Redis, StatusPage, own_address};

/// A desk that is reached at `public_url` as it really is, with everything set up.
async fn well_kept(more: &str) -> Desk {
    let port = std::net::TcpListener::bind((own_address(), 0)).unwrap();
    let address = port.local_addr().unwrap();
    drop(port);
    let desk = Desk::on(Database::Sqlite)
        .replace("https://desk.example.com", &format!("http://{address}"))
        .replace("127.0.0.1:0", &address.to_string())
        // Whatever is asked has to be answered in time, also on a busy machine.
        .replace("request_timeout = \"500ms\"", "request_timeout = \"5s\"")
        .replace("settle_after = \"2s\"", "settle_after = \"12s\"")
        .toml(more)
        .start()
        .await;
    desk.run(&["setup", "--yes"]).await.unwrap();
    let url = desk.database.url();
    let file = url.strip_prefix("sqlite://").unwrap();
    std::fs::set_permissions(file, PermissionsExt::from_mode(0o600)).unwrap();
    desk
}

/// The lines about `name`, each split from what it says of others.
fn lines<'a>(printed: &'a str, words: &str) -> Vec<&'a str> {
    printed
        .lines()
        .filter(|line| line.contains(words))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_desk_on_which_all_is_well_is_said_to_be() {
    let page = StatusPage::start("online").await;
    let more = format!("[availability.status_urls]\nSergio = \"{}\"\n", page.url());
    let desk = well_kept(&more).await;
    let before = desk.twilio.number_settings(LINE);
    let Some(redis) = Redis::connect().await else {
        return;
    };
    let variable = [("QDN_REDIS_URL".to_owned(), redis.url().to_owned())];
    let printed = desk.run_with(&variable, &["check"]).await.unwrap();
    for name in [
        "configuration",
        "secrets",
        "database",
        "Redis",
        "status URL of Sergio",
        "Twilio's API",
        "number of QDN",
        "clock",
        "Slack's token",
        "Slack's scopes",
        "channel of QDN",
        "Twilio's webhooks",
        "Slack's events",
        "Slack's command",
        "Slack's buttons",
    ] {
        let found = lines(&printed, name);
        assert!(
            found.iter().any(|line| line.starts_with("ok ")),
            "{name}: {printed}"
        );
    }
    assert!(
        !printed.contains("FAIL") && !printed.contains("warn"),
        "{printed}"
    );
    assert_eq!(
        desk.twilio.number_settings(LINE),
        before,
        "nothing was changed"
    );
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn urls_without_connection_overrides_are_ours_and_warned_of() {
    let desk = well_kept("").await;
    desk.twilio.configure_number(LINE, |number| {
        let without = |url: &str| url.split('#').next().unwrap().to_owned();
        number.sms_url = without(&number.sms_url);
        number.voice_url = without(&number.voice_url);
    });
    let printed = desk.run(&["check"]).await.unwrap();
    for name in ["SMS URL of QDN", "voice URL of QDN"] {
        let found = lines(&printed, name);
        assert!(
            found
                .iter()
                .any(|line| line.starts_with("warn") && line.contains("Do: qdn-relay setup")),
            "{name}: {printed}"
        );
    }
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_at_the_vendors_is_said_with_what_mends_it() {
    let desk = well_kept("").await;
    desk.twilio.configure_number(LINE, |number| {
        number.sms_url = "https://old.example.com/sms".into();
        number.voice_fallback_url.clear();
        number.trunk_sid = format!("TK{}", "0".repeat(32));
    });
    desk.twilio.add_to_messaging_service(LINE, false);
    desk.slack
        .set_scopes(&["chat:write", "channels:read", "groups:read"]);
    desk.slack.kick_bot(CHANNEL);
    let variables = [("SLACK_SIGNING_SECRET".to_owned(), "another0".repeat(4))];
    let said = desk.run_with(&variables, &["check"]).await.unwrap_err();
    for (name, remedy) in [
        ("SMS URL of QDN", "Do: qdn-relay setup"),
        ("voice fallback URL of QDN", "Do: qdn-relay setup"),
        ("SIP trunk of QDN", "Do: qdn-relay setup"),
        ("messaging service of QDN", "Defer to sender's webhook"),
        ("Slack's scope channels:history", "qdn-relay manifest"),
        ("Slack's scope reactions:write", "qdn-relay manifest"),
        ("channel of QDN", "/invite @qdn"),
        ("Slack's events", "SLACK_SIGNING_SECRET"),
    ] {
        let found = lines(&said, name);
        assert!(
            found
                .iter()
                .any(|line| line.starts_with("FAIL") && line.contains(remedy)),
            "{name}: {said}"
        );
    }
    assert!(said.starts_with("exit status: 1"), "{said}");
    assert!(
        lines(&said, "Slack's scope chat:write").is_empty(),
        "{said}"
    );
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_answer_is_said_and_nothing_is_made() {
    let desk = Desk::on(Database::Sqlite).prepare().await;
    desk.twilio.down().await;
    desk.slack.down().await;
    let nowhere = "redis://127.0.0.1:9".to_owned();
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("nowhere/qdn.db");
    let variables = [
        ("QDN_REDIS_URL".to_owned(), nowhere),
        ("QDN_PUBLIC_URL".to_owned(), "http://127.0.0.1:9".to_owned()),
        (
            "QDN_DATABASE_URL".to_owned(),
            format!("sqlite://{}", missing.display()),
        ),
    ];
    let said = desk
        .run_with(&variables, &["check", "--format", "json"])
        .await
        .unwrap_err();
    let json = &said[said.find('{').unwrap()..];
    let report: Value = serde_json::from_str(json).unwrap();
    assert_eq!(report["ok"], false);
    let findings = report["findings"].as_array().unwrap();
    for name in [
        "database",
        "Redis",
        "Twilio's API",
        "Slack's token",
        "Slack's events",
    ] {
        let finding = findings.iter().find(|it| it["name"] == name).unwrap();
        assert_eq!(finding["level"], "fail", "{finding}");
        for part in ["what", "why", "remedy"] {
            assert_ne!(finding[part], "", "{finding}");
        }
    }
    assert!(!missing.exists(), "check makes no database");
    desk.twilio.up().await.unwrap();
    desk.slack.up().await.unwrap();
    desk.close().await;
}

#[tokio::test]
async fn a_configuration_and_a_secrets_file_that_are_wrong_are_both_said() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("qdn.toml");
    std::fs::write(
        &config,
        "public_url = \"ftp://desk.example.com\"\nlisten = \"x\"\n",
    )
    .unwrap();
    let secrets = folder.path().join("secrets.env");
    std::fs::write(&secrets, "TWILIO_AUTH_TOKEN=x\n").unwrap();
    std::fs::set_permissions(&secrets, PermissionsExt::from_mode(0o644)).unwrap();
    let variables = [("SECRETS_FILE".to_owned(), secrets.display().to_string())];
    let said = crate::desk::run(&crate::desk::Launch::new(&config, &variables), &["check"])
        .await
        .unwrap_err();
    for words in [
        "public_url = ftp://desk.example.com",
        "listen = x",
        "chmod 600",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(said.starts_with("exit status: 1"), "{said}");
}
