//! `/qdn`: who can be rung, said by whoever may say so.

use std::time::Duration;

use jiff::Timestamp;
use qdn_sandbox::faults::Effect;
use qdn_sandbox::slack::Answer;
use serde_json::{Value, json};
use sqlx::{Connection, Executor};

use crate::desk::{CHANNEL, DORA, Database, Desk, PATIENCE, SERGIO, STRANGER};

stories! {
    people_say_of_themselves_whether_they_can_be_rung,
    a_time_and_a_reason_can_be_given,
    a_time_is_found_wherever_it_stands,
    what_was_said_already_is_not_announced_again,
    reasons_are_for_members_of_the_channel,
    colleagues_are_named_or_mentioned,
    it_expires_by_itself,
    lines_that_share_a_channel_get_one_note,
    what_was_said_survives_a_restart,
    help_and_unknown_words_show_the_usage,
    only_members_change_anything,
    what_is_not_understood_changes_nothing,
    no_words_after_the_command_ring_anybody,
    the_channels_of_all_lines_on_which_somebody_is_rung_are_told,
    an_answer_comes_in_time_when_slack_or_the_database_does_not,
    how_people_are_is_told_without_reasons_when_slack_is_slow,
}

async fn qdn(desk: &Desk, user: &str, text: &str) -> String {
    let answer: Answer = desk.slack.command(user, CHANNEL, "/qdn", text).await;
    assert_eq!(answer.status, 200);
    let json = answer.json.expect("JSON");
    assert_eq!(
        json["response_type"], "ephemeral",
        "only its writer sees it"
    );
    answer.text
}

/// What the channel was told, oldest first.
async fn expect_told(desk: &Desk, count: usize) -> Vec<String> {
    let roots = desk.expect_roots(count).await;
    roots.iter().map(|root| desk.slack.rendered(root)).collect()
}

/// The changes of availability in the audit trail.
async fn changes(desk: &Desk) -> Vec<Value> {
    let mut rows = desk.audit(&[]).await;
    rows.retain(|row| row["decision"] == "availability_changed");
    rows
}

async fn people_say_of_themselves_whether_they_can_be_rung(database: Database) {
    let desk = Desk::on(database).start().await;
    assert_eq!(
        qdn(&desk, SERGIO, "status").await,
        "*Sergio*: available, assumed: nobody has said otherwise\n*Backup*: available, assumed: nobody has said otherwise"
    );
    for (typed, answered, told, status) in [
        (
            "away",
            "Sergio is away until you change it. Calls go to the others meanwhile.",
            "Sergio is away, says Sergio.",
            "*Sergio*: away, said just now",
        ),
        (
            "dnd",
            "Sergio is not to be disturbed until you change it. Calls go to the others meanwhile.",
            "Sergio is not to be disturbed, says Sergio.",
            "*Sergio*: not to be disturbed, said just now",
        ),
        (
            "available",
            "Sergio is available.",
            "Sergio is available, says Sergio.",
            "*Sergio*: available, said just now",
        ),
        (
            " AWAY ",
            "Sergio is away until you change it. Calls go to the others meanwhile.",
            "Sergio is away, says Sergio.",
            "*Sergio*: away, said just now",
        ),
    ] {
        let before = desk.slack.roots(CHANNEL).len();
        assert_eq!(qdn(&desk, SERGIO, typed).await, answered);
        let channel = expect_told(&desk, before + 1).await;
        assert_eq!(channel.last().map(String::as_str), Some(told));
        assert_eq!(
            qdn(&desk, DORA, "status").await.lines().next(),
            Some(status)
        );
    }
    let kept = changes(&desk).await;
    assert_eq!(kept.len(), 4);
    for row in &kept {
        assert_eq!(
            (&row["subject"], &row["detail"]["by"]),
            (&json!("Sergio"), &json!(SERGIO))
        );
    }
    desk.close().await;
}

/// How long from now what was said last holds, as the audit has it.
async fn holds(desk: &Desk) -> Option<i64> {
    let rows = changes(desk).await;
    let row = rows.last().unwrap();
    let at = |value: &Value| {
        value
            .as_str()
            .map(|text| text.parse::<Timestamp>().unwrap())
    };
    let until = at(&row["detail"]["until"])?;
    Some(until.duration_since(at(&row["time"])?).as_secs())
}

async fn a_time_and_a_reason_can_be_given(database: Database) {
    let desk = Desk::on(database)
        .toml("[desk]\ntimezone = \"America/New_York\"\n")
        .start()
        .await;
    for (typed, seconds) in [
        ("away 30m lunch", 1_800),
        ("dnd 2h", 7_200),
        ("away 1d", 86_400),
    ] {
        let answer = qdn(&desk, SERGIO, typed).await;
        assert!(
            answer.contains(" until ") && answer.ends_with(". Calls go to the others meanwhile."),
            "{answer}"
        );
        let held = holds(&desk).await.unwrap();
        assert!((seconds - 5..=seconds).contains(&held), "{typed}: {held}");
    }
    let answer = qdn(&desk, SERGIO, "away until 23:59 the dentist").await;
    assert!(answer.contains("until 23:59"), "{answer}");
    let until = changes(&desk).await.last().unwrap()["detail"]["until"].clone();
    let until: Timestamp = until.as_str().unwrap().parse().unwrap();
    let there = until.in_tz("America/New_York").unwrap();
    assert_eq!(
        (there.hour(), there.minute()),
        (23, 59),
        "in the desk's time zone"
    );

    qdn(&desk, SERGIO, "available").await;
    assert_eq!(holds(&desk).await, None);
    let told = expect_told(&desk, 5).await;
    assert!(told[0].ends_with("(lunch), says Sergio."), "{told:?}");
    assert!(
        told[3].ends_with("until 23:59 (the dentist), says Sergio."),
        "{told:?}"
    );
    desk.close().await;
}

async fn a_time_is_found_wherever_it_stands(database: Database) {
    let desk = Desk::on(database).start().await;
    let typed = [
        ("away Sergio lunch 30m", 30, "(30 min).", "(lunch)"),
        ("away half an hour", 30, "(30 min).", ""),
        ("away 30 minutes", 30, "(30 min).", ""),
        ("away 45min", 45, "(45 min).", ""),
        ("dnd 1.5h", 90, "(1 h 30 min).", ""),
        ("away an hour", 60, "(1 h).", ""),
        ("away dentist, back in 2 hours", 120, "(2 h).", "(dentist)"),
        ("away a day and a half", 36 * 60, "(1 day 12 h).", ""),
    ];
    for (text, minutes, lasts, _) in typed {
        let answer = qdn(&desk, SERGIO, text).await;
        assert!(
            answer.contains(" until ") && answer.contains(lasts),
            "{text}: {answer}"
        );
        let held = holds(&desk).await.unwrap();
        let wanted = minutes * 60;
        assert!((wanted - 5..=wanted).contains(&held), "{text}: {held}");
    }
    let told = expect_told(&desk, typed.len()).await;
    for ((text, _, _, reason), told) in typed.iter().zip(&told) {
        assert!(told.contains(reason), "{text}: {told}");
        assert_eq!(told.contains('('), !reason.is_empty(), "{text}: {told}");
    }
    let answer = qdn(&desk, SERGIO, "away until 2pm").await;
    assert!(answer.contains(" 14:00 ("), "{answer}");
    desk.close().await;
}

async fn what_was_said_already_is_not_announced_again(database: Database) {
    let desk = Desk::on(database).start().await;
    for (typed, answered, told) in [
        ("away", "Sergio is away until you change it.", 1),
        ("away", "Sergio is already away until you change it.", 1),
        ("away lunch", "Sergio is away until you change it.", 2),
        ("away lunch", "Sergio is already away until", 2),
        ("away lunch until tomorrow 9am", "Sergio is away until", 3),
        (
            "away until tomorrow 9am lunch",
            "Sergio is already away until",
            3,
        ),
        ("available", "Sergio is available.", 4),
        ("available", "Sergio is already available.", 4),
        ("dnd", "Sergio is not to be disturbed until", 5),
    ] {
        let answer = qdn(&desk, SERGIO, typed).await;
        assert!(answer.starts_with(answered), "{typed}: {answer}");
        desk.expect_quiet().await;
        expect_told(&desk, told).await;
    }
    assert_eq!(changes(&desk).await.len(), 9, "who said what is kept");
    desk.close().await;
}

async fn reasons_are_for_members_of_the_channel(database: Database) {
    let desk = Desk::on(database).start().await;
    qdn(&desk, SERGIO, "away 2h oncologist appointment").await;
    for (user, is_told) in [(DORA, true), (SERGIO, true), (STRANGER, false)] {
        let status = qdn(&desk, user, "status").await;
        assert!(status.contains("*Sergio*: away until "), "{status}");
        assert_eq!(
            status.contains("(oncologist appointment)"),
            is_told,
            "{user}: {status}"
        );
    }
    let audit = format!("{:?}", desk.audit(&[]).await);
    assert!(audit.contains("availability_changed"), "{audit}");
    assert!(!audit.contains("oncologist"), "{audit}");
    desk.close().await;
}

async fn colleagues_are_named_or_mentioned(database: Database) {
    let desk = Desk::on(database).start().await;
    for (typed, answered) in [
        ("away Sergio", "Sergio is away until you change it."),
        ("available sergio", "Sergio is available."),
        ("dnd @BACKUP 2h", "Backup is not to be disturbed until "),
        ("away <@U0SERGIO|sergio> 1h lunch", "Sergio is away until "),
        ("available <@U0SERGIO>", "Sergio is available."),
    ] {
        let answer = qdn(&desk, DORA, typed).await;
        assert!(answer.starts_with(answered), "{typed}: {answer}");
    }
    let told = expect_told(&desk, 5).await;
    assert_eq!(told[0], "Sergio is away, says @Dora.");
    // Whoever is nobody that calls ring has to say whom they mean.
    let answer = qdn(&desk, DORA, "away 1h").await;
    assert!(
        answer.contains("Whom do you mean?") && answer.contains("`/qdn away Sergio`"),
        "{answer}"
    );
    let answer = qdn(&desk, SERGIO, "away <@U0DORA|dora>").await;
    assert_eq!(
        answer,
        "Calls do not ring @dora: they ring Sergio, Backup. Nothing was changed."
    );
    desk.expect_quiet().await;
    expect_told(&desk, 5).await;
    desk.close().await;
}

/// Waits until somebody's line of the status says so.
async fn expect_status(desk: &Desk, words: &str) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let status = qdn(desk, DORA, "status").await;
        if status.contains(words) {
            return;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "{words} in: {status}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn it_expires_by_itself(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.type_until(SERGIO, "away 2s", "Sergio is away until ")
        .await;
    expect_status(&desk, "*Sergio*: available, assumed").await;
    desk.close().await;
}

async fn lines_that_share_a_channel_get_one_note(database: Database) {
    let desk = Desk::on(database)
        .toml(
            "\n[[lines]]\nname = \"Airport\"\nnumber = \"+16195550101\"\nchannel = \"#qdn-dispatch\"\n\
             ring = [{ people = [\"Sergio\"], seconds = 5 }]\n",
        )
        .start()
        .await;
    qdn(&desk, SERGIO, "away").await;
    desk.expect_quiet().await;
    expect_told(&desk, 1).await;
    desk.close().await;
}

async fn what_was_said_survives_a_restart(database: Database) {
    let mut desk = Desk::on(database).start().await;
    qdn(&desk, SERGIO, "away 4h lunch").await;
    let before = qdn(&desk, DORA, "status").await;
    desk.expect_quiet().await;
    assert_eq!(desk.relay().terminate().await, Some(0));
    desk.start_relay().await;
    assert_eq!(qdn(&desk, DORA, "status").await, before);
    assert!(before.contains("*Sergio*: away until "), "{before}");
    // And a crash.
    qdn(&desk, SERGIO, "dnd").await;
    desk.relay().kill().await;
    desk.start_relay().await;
    expect_status(&desk, "*Sergio*: not to be disturbed, said").await;
    expect_told(&desk, 2).await;
    desk.close().await;
}

async fn help_and_unknown_words_show_the_usage(database: Database) {
    let desk = Desk::on(database).start().await;
    for typed in ["help", "", "HELP", "  help  "] {
        let answer = qdn(&desk, STRANGER, typed).await;
        for word in ["available", "away", "dnd", "status", "help"] {
            assert!(
                answer.contains(&format!("`/qdn {word}")),
                "{word} in: {answer}"
            );
        }
    }
    for (typed, shown) in [
        ("lunch", "lunch"),
        ("a`b <!channel>", "ab"),
        ("&lt;b&gt;", "&amp;lt;b&amp;gt;"),
    ] {
        let answer = qdn(&desk, SERGIO, typed).await;
        assert!(
            answer.starts_with(&format!("There is no `/qdn {shown}`.")),
            "{answer}"
        );
        assert!(answer.contains("`/qdn away"), "{answer}");
    }
    desk.expect_quiet().await;
    expect_told(&desk, 0).await;
    desk.close().await;
}

async fn only_members_change_anything(database: Database) {
    let desk = Desk::on(database).start().await;
    for typed in ["away Sergio", "available Sergio", "dnd <@U0SERGIO|s> 1h"] {
        let answer = qdn(&desk, STRANGER, typed).await;
        assert_eq!(
            answer,
            "Only members of #qdn-dispatch can change that. Join the channel and try again."
        );
    }
    // Sergio's own word counts no more once he has left the channel.
    qdn(&desk, SERGIO, "dnd").await;
    desk.slack.leave(CHANNEL, SERGIO);
    desk.slack.join(CHANNEL, STRANGER);
    let answer = qdn(&desk, STRANGER, "available Sergio").await;
    assert_eq!(
        answer, "Sergio is available.",
        "who has just joined need not wait"
    );
    assert_eq!(changes(&desk).await.len(), 2);
    expect_told(&desk, 2).await;
    // Anybody may look.
    assert!(
        qdn(&desk, STRANGER, "status")
            .await
            .contains("*Sergio*: available")
    );
    desk.close().await;
}

async fn what_is_not_understood_changes_nothing(database: Database) {
    let desk = Desk::on(database).start().await;
    for (typed, word) in [
        ("away 30", "30"),
        ("away 0m", "0m"),
        ("dnd 1,5h", "1,5h"),
        ("away until the parade ends", "the parade ends"),
        ("away tomorrow", "tomorrow"),
        ("away Sergio lunch for a while", "while"),
        ("away from 2pm until 4pm", "from 2pm until 4pm"),
        ("away until", "until"),
        ("away until 25:00", "25:00"),
        ("away 99999999999999h", "99999999999999h"),
    ] {
        let answer = qdn(&desk, SERGIO, typed).await;
        assert!(
            answer.contains(&format!("the time \"{word}\""))
                && answer.ends_with("Nothing was changed."),
            "{answer}"
        );
    }
    assert_eq!(
        desk.query_one("select count(*) from presence_override")
            .await,
        0
    );
    desk.expect_quiet().await;
    expect_told(&desk, 0).await;
    desk.close().await;
}

async fn no_words_after_the_command_ring_anybody(database: Database) {
    let desk = Desk::on(database).start().await;
    for typed in [
        "away 1h <!channel> and <!here|here> and <!subteam^S1|@crew>",
        "away 1h with <@U0DORA|dora> in <#C0DISPATCH|qdn-dispatch>",
        "away 1h &lt;!channel&gt; &amp;lt;!here&amp;gt; @channel",
        "away 1h <https://evil.example|your bank>",
    ] {
        qdn(&desk, SERGIO, typed).await;
    }
    for message in desk.expect_roots(4).await {
        assert_eq!(message.pings(), Vec::<String>::new(), "{}", message.text);
    }
    let told = expect_told(&desk, 4).await;
    for (told, words) in told.iter().zip([
        "(@channel and @here and @crew)",
        "(with @dora in #qdn-dispatch)",
        "(<!channel> &lt;!here&gt; @channel)",
        "(your bank (https://evil.example))",
    ]) {
        assert!(told.contains(words), "{words} in: {told}");
    }
    desk.close().await;
}

async fn the_channels_of_all_lines_on_which_somebody_is_rung_are_told(database: Database) {
    let desk = Desk::on(database)
        .toml(
            r##"
[[people]]
name = "Maria"
phone = "+16195550114"

[[lines]]
name = "Airport"
number = "+16195550101"
channel = "#airport"
ring = [{ people = ["Maria", "Backup"], seconds = 15 }]
"##,
        )
        .prepare()
        .await;
    desk.slack.add_channel("C0AIRPORT", "airport", true);
    desk.slack.invite_bot("C0AIRPORT");
    desk.slack.join("C0AIRPORT", STRANGER);
    let desk = desk.started().await;
    // Maria is rung at the airport only, so only its members speak for her, and only they are told.
    assert!(
        qdn(&desk, DORA, "away Maria")
            .await
            .contains("Only members of #airport")
    );
    assert!(
        qdn(&desk, STRANGER, "away Maria")
            .await
            .starts_with("Maria is away")
    );
    let told = |world: &qdn_sandbox::slack::World, count| world.roots("C0AIRPORT").len() == count;
    assert!(
        desk.slack
            .wait_until(|world| told(world, 1), PATIENCE)
            .await
    );
    // Backup is rung on both.
    assert!(
        qdn(&desk, DORA, "away Backup")
            .await
            .starts_with("Backup is away")
    );
    assert!(
        desk.slack
            .wait_until(|world| told(world, 2), PATIENCE)
            .await
    );
    expect_told(&desk, 1).await;
    desk.close().await;
}

async fn an_answer_comes_in_time_when_slack_or_the_database_does_not(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.type_until(SERGIO, "available", "Sergio is available")
        .await;
    expect_told(&desk, 1).await;
    // Slack does not say who is a member. (A command without an answer within three seconds fails the story.)
    desk.slack
        .faults()
        .always("conversations.members", Effect::Hang.not_accepted());
    let answer = qdn(&desk, STRANGER, "away Sergio").await;
    assert!(answer.contains("Nothing was changed"), "{answer}");
    desk.slack.faults().clear("conversations.members");

    let mut holder = desk.connection().await;
    match database {
        Database::Sqlite => holder.execute("begin exclusive").await.unwrap(),
        Database::Postgres => {
            holder.execute("begin").await.unwrap();
            holder
                .execute("lock table presence_override in access exclusive mode")
                .await
                .unwrap()
        }
    };
    assert!(
        qdn(&desk, DORA, "status")
            .await
            .contains("*Sergio*: available, said")
    );
    let answer = qdn(&desk, SERGIO, "away").await;
    // On Postgres it was taken, and is done as soon as the table is free.
    let (sentence, kept) = match database {
        Database::Sqlite => (
            "That could not be saved just now. Nothing was changed; try again in a minute.",
            1,
        ),
        Database::Postgres => (
            "That takes longer than usual, and whether it is done is not known yet. Look in the thread, or type `/qdn status`, before you try again.",
            2,
        ),
    };
    assert_eq!(answer, sentence);
    holder.execute("rollback").await.unwrap();
    holder.close().await.unwrap();
    desk.expect_audited("availability_changed", kept).await;
    desk.expect_quiet().await;
    assert_eq!(changes(&desk).await.len(), kept);
    desk.type_until(SERGIO, "away", "Sergio is").await;
    expect_told(&desk, 2).await;
    desk.close().await;
}

async fn how_people_are_is_told_without_reasons_when_slack_is_slow(database: Database) {
    let second = "[[lines]]\nname = \"Second\"\nnumber = \"+16195550102\"\nchannel = \"#qdn-dispatch\"\nring = [{ people = [\"Sergio\"], seconds = 15 }]\n";
    let desk = Desk::on(database)
        .replace("request_timeout = \"500ms\"", "request_timeout = \"3s\"")
        .replace("settle_after = \"2s\"", "settle_after = \"12s\"")
        .toml(second)
        .start()
        .await;
    desk.type_until(SERGIO, "away 30m dentist", "Sergio is away")
        .await;
    desk.slack.join(CHANNEL, STRANGER);
    desk.slack
        .faults()
        .always("conversations.members", Effect::Hang.not_accepted());
    // They have just come: Slack is asked for both lines.
    let told = qdn(&desk, STRANGER, "status").await;
    assert!(
        told.contains("*Sergio*: away") && !told.contains("dentist"),
        "{told}"
    );
    desk.slack.faults().clear("conversations.members");
    let told = qdn(&desk, STRANGER, "status").await;
    assert!(told.contains("dentist"), "{told}");
    desk.close().await;
}
