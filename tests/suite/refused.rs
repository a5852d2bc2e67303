//! Requests that are refused for their signature: with which key they have to be signed, and what the log says of them.

use qdn_sandbox::twilio::signature;
use qdn_sandbox::twilio::{self, Forgery};
use serde_json::Value;

use crate::desk::{
    ALICE, BACKUP_PHONE, BOB, CHANNEL, DORA, Database, Desk, LINE, PUBLIC_URL, SERGIO_PHONE,
};
use crate::forged::{encoded, pairs, post, twilio_params};

stories! {
    webhook_rules_sign_with_a_shared_key,
    without_a_shared_key_nothing_may_claim_one,
    a_flood_of_refusals_is_told_once_a_minute,
}

const OLD: (&str, &str) = ("SKold", "an-old-shared-secret-of-twilios");
const NEW: (&str, &str) = ("SKnew", "a-new-shared-secret:of/twilios==");

fn with_keys(database: Database) -> crate::desk::Builder {
    let keys = format!("{}:{},{}:{}", OLD.0, OLD.1, NEW.0, NEW.1);
    Desk::on(database).variable("TWILIO_WEBHOOK_KEYS", &keys)
}

async fn webhook_rules_sign_with_a_shared_key(database: Database) {
    let mut desk = with_keys(database).start().await;
    assert_eq!(
        desk.twilio
            .text(ALICE, LINE, "with the auth token")
            .await
            .status,
        200
    );
    let root = desk.expect_thread().await;
    for key in [OLD, NEW] {
        desk.twilio.sign_with_shared_key(Some(key));
        assert_eq!(
            desk.twilio
                .text(ALICE, LINE, "with a shared key")
                .await
                .status,
            200
        );
    }
    // Everything else that Twilio sends is signed so, too.
    desk.twilio.set_callbacks(twilio::Callbacks::automatic(
        std::time::Duration::from_millis(50),
    ));
    let reply = desk.reply(&root, "On our way").await;
    desk.expect_marks(&reply, &["white_check_mark"]).await;
    let story = desk.twilio.call(BOB, LINE).await;
    assert_eq!(story.rang(), [SERGIO_PHONE, BACKUP_PHONE]);
    assert_eq!(desk.metric("qdn_signatures_refused_total").await, 0.0);

    let text = |forgery| {
        desk.twilio
            .inbound(ALICE, LINE, "a forged text")
            .forged(forgery)
    };
    for claim in [
        "key=SKnew,algorithm=HMAC_SHA256",
        "key=SKnew,algorithm=HMAC_SHA1",
        "key=SKother,algorithm=HMAC_SHA256",
        "key=,algorithm=HMAC_SHA256",
        "algorithm=HMAC_SHA1",
        "",
    ] {
        // Signed with the auth token, so that only what is claimed is wrong.
        assert_eq!(
            text(Forgery::Settings(claim.into())).send().await.status,
            403,
            "{claim}"
        );
    }
    desk.twilio.sign_with_shared_key(Some((NEW.0, OLD.1)));
    assert_eq!(
        text(Forgery::Signature("AAAA".into())).send().await.status,
        403
    );
    assert_eq!(
        text(Forgery::Changed("Body".into(), "x".into()))
            .send()
            .await
            .status,
        403
    );
    assert_eq!(
        desk.query_one("select count(*) from message where body = 'a forged text'")
            .await,
        0
    );

    // The claim cannot lower anything: our own key with the weaker hash, or with a second claim beside it.
    let path = "/api/twilio/dispatch-route";
    let (url, params) = (format!("{PUBLIC_URL}{path}"), twilio_params());
    let header = qdn_relay::twilio::signature::settings::HEADER;
    let ours = format!("key={},algorithm=HMAC_SHA256", NEW.0);
    let sha1 = signature::sign(NEW.1, &url, &params);
    let sha256 = signature::sign_with_shared_key(NEW.1, &url, &params);
    let by_token = signature::sign_with_shared_key(twilio::AUTH_TOKEN, &url, &params);
    for (signature, claims, status) in [
        (&sha1, vec![ours.as_str()], 403),
        (&sha1, vec!["key=SKnew,algorithm=HMAC_SHA1"], 403),
        (&sha1, vec![], 403),
        (&sha256, vec![], 403),
        (&by_token, vec![ours.as_str()], 403),
        (&by_token, vec![], 403),
        (&sha256, vec![ours.as_str(), ours.as_str()], 403),
        (
            &sha256,
            vec![ours.as_str(), "key=SKold,algorithm=HMAC_SHA256"],
            403,
        ),
        (&sha256, vec![ours.as_str()], 200),
    ] {
        let mut headers = vec![("x-twilio-signature", signature.as_str())];
        headers.extend(claims.iter().map(|claim| (header, *claim)));
        let answer = post_all(&mut desk, path, &headers, encoded(&params)).await;
        assert_eq!(answer, status, "{claims:?}");
    }
    desk.close().await;
}

/// With every header, also of one name.
async fn post_all(desk: &mut Desk, path: &str, headers: &[(&str, &str)], body: String) -> u16 {
    let mut request = crate::desk::http().post(desk.url(path)).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap().status().as_u16()
}

async fn without_a_shared_key_nothing_may_claim_one(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio.sign_with_shared_key(Some(NEW));
    let text = desk
        .twilio
        .inbound(ALICE, LINE, "with a key we do not have");
    let forged = text.forged(Forgery::Changed("Unchanged".into(), String::new()));
    assert_eq!(forged.send().await.status, 403);
    let claim = Forgery::Settings("key=SKnew,algorithm=HMAC_SHA256".into());
    let text = desk.twilio.inbound(ALICE, LINE, "with a claim alone");
    assert_eq!(text.forged(claim).send().await.status, 403);
    assert_eq!(desk.query_one("select count(*) from message").await, 0);
    desk.close().await;
}

async fn a_flood_of_refusals_is_told_once_a_minute(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let path = "/api/twilio/dispatch-route";
    let mut params = twilio_params();
    // What stands where a name should be is nobody's to read.
    for odd in [
        "hello there everybody",
        "16195550142",
        twilio::AUTH_TOKEN,
        &"N".repeat(9_000),
        "line\nbreak",
    ] {
        params.push((odd.to_owned(), "x".to_owned()));
    }
    for n in 0..200 {
        params.push((format!("Filler{}", n % 10), n.to_string()));
    }
    let headers = [
        ("x-twilio-signature", "Zm9yZ2VkIGZvcmdlZCBmb3JnZWQ="),
        ("x-proxy-added", "a value nobody reads"),
        ("x-16195550142", "x"),
    ];
    for _ in 0..300 {
        assert_eq!(
            post(&mut desk, path, &headers, encoded(&params))
                .await
                .status,
            403
        );
        assert_eq!(
            post(&mut desk, path, &[], encoded(&params)).await.status,
            403
        );
    }
    // Another endpoint's first refusal is told all the same.
    let other = format!("/api/twilio/dial/{}", "A".repeat(2_000));
    assert_eq!(
        post(&mut desk, &other, &headers, encoded(&params))
            .await
            .status,
        403
    );
    for _ in 0..50 {
        let body = encoded(&pairs(&[("payload", "{}"), ("token", "x")]));
        let headers = [
            ("x-slack-request-timestamp", "1"),
            ("x-slack-signature", "v0=00"),
        ];
        assert_eq!(
            post(&mut desk, "/api/slack/interactions", &headers, body)
                .await
                .status,
            403
        );
    }
    let refusals = |vendor: &str| format!("qdn_signatures_refused_total{{vendor=\"{vendor}\"}}");
    assert_eq!(desk.metric(&refusals("twilio")).await, 601.0);
    assert_eq!(desk.metric(&refusals("slack")).await, 50.0);
    let lines: Vec<String> = desk.relay().log();
    let told: Vec<Value> = lines
        .iter()
        .filter(|line| line.contains("a request was refused for its signature"))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(told.len() >= 4 && told.len() <= 8, "{told:#?}");
    let field = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let first = told
        .iter()
        .find(|line| field(line, "why").contains("does not fit"))
        .unwrap();
    assert_eq!(field(first, "checked"), format!("{PUBLIC_URL}{path}"));
    for name in ["MessageSid", "AccountSid", "Body", "DialCallStatus"] {
        assert!(
            field(first, "parameters").split(' ').any(|it| it == name),
            "{first}"
        );
    }
    for name in ["x-twilio-signature", "x-proxy-added", "content-type"] {
        assert!(
            field(first, "headers").split(' ').any(|it| it == name),
            "{first}"
        );
    }
    assert!(field(first, "parameters").contains("not shown)"), "{first}");
    for line in lines
        .iter()
        .filter(|line| line.contains("was refused for its signature"))
    {
        assert!(line.len() < 4_000, "{}", line.len());
        for secret in [
            "nobody reads",
            "hello there",
            "6195550142",
            "a forged text",
            "NNNN",
            "AAAA",
        ] {
            assert!(!line.contains(secret), "{secret} in {line}");
        }
    }
    // What is genuine goes on.
    desk.twilio.text(ALICE, LINE, "a genuine text").await;
    let root = desk.expect_thread().await;
    desk.slack
        .post_as(DORA, CHANNEL, Some(&root.ts), "On our way")
        .await;
    desk.expect_sms(1).await;
    desk.close().await;
}
