//! No words of others act in what we post, shown by the stand-in's reading of it.

use proptest::prelude::*;
use qdn_sandbox::slack::Message;

use super::*;

/// Pieces of everything that Slack would act on, and of what breaks it apart.
fn words() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "<",
        ">",
        "&",
        "|",
        "!",
        "@",
        "#",
        "<!channel>",
        "<!here|here>",
        "<@U0SERGIO>",
        "<#C0DISPATCH>",
        "<!subteam^S1>",
        "<https://evil.example|your bank>",
        "mailto:",
        "&lt;",
        "&amp;",
        "&amp;lt;!channel&gt;",
        "@here",
        "@channel",
        "@everyone",
        "*",
        "_",
        "`",
        "```",
        "~",
        ":wave:",
        "\n",
        "> ",
        "\u{202e}",
        "\0",
        " ",
        "a",
    ]);
    let made = prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat());
    prop_oneof![made, any::<String>()]
}

fn message(content: &Content) -> Message {
    Message {
        text: content.text.clone(),
        blocks: content.blocks.clone(),
        ..Message::default()
    }
}

/// Nothing in the text is an entity, and nothing anywhere rings.
fn acts(content: &Content) -> Option<String> {
    let pings = message(content).pings();
    if !pings.is_empty() {
        return Some(format!("rings {pings:?}"));
    }
    let left = content
        .text
        .replace("&amp;", "")
        .replace("&lt;", "")
        .replace("&gt;", "");
    left.contains(['<', '>', '&'])
        .then(|| format!("is parsed: {}", content.text))
}

/// The text elements of rich text, in which Slack parses nothing.
fn literal_words(blocks: Option<&Value>) -> Vec<String> {
    let list = blocks.and_then(Value::as_array).into_iter().flatten();
    list.filter(|block| block["type"] == "rich_text")
        .filter_map(|block| {
            block["elements"][0]["elements"][0]["text"]
                .as_str()
                .map(str::to_owned)
        })
        .collect()
}

proptest! {
    #[test]
    fn no_text_of_a_caller_acts_in_slack(body in words(), place in words(), from in words(), kind in words()) {
        let media = [pictures::name(&kind, 1)];
        for (caller, media) in [(Address::new("+16195550142"), &media[..0]), (Address::new(&from), &media[..])] {
            let text = TextIn { body: &body, media, late: None };
            let status = crate::store::conversation_status::ConversationStatus::default();
            let head = desk::Head {
                caller: &caller, name: Some(&place), place: &place, line: Some(&place),
                status: &status, previous: None, next: None, is_over: false,
            };
            let contents = [desk::root(&head, &root(&caller, &text)), text_in(&text)];
            for content in &contents {
                prop_assert_eq!(acts(content), None);
            }
            if !body.trim().is_empty() {
                let typed = body.replace('\0', "\u{FFFD}");
                for content in &contents {
                    prop_assert_eq!(literal_words(content.blocks.as_ref()), vec![typed.clone()], "shown as it was typed");
                }
            }
        }
        prop_assert_eq!(acts(&Content::from(cannot_be_texted(&Address::new(&from)))), None);
    }

    #[test]
    fn no_words_after_the_command_act_in_slack(reason in words(), word in words()) {
        let told = Announced { state: AvailabilityState::Away, until: None, lasts: None, reason: &reason };
        let known = Availability { state: AvailabilityState::Away, source: Source::Assumed, age: None };
        for sentence in [
            availability_changed("Sergio", &escape(&word), &told),
            availability_kept("Sergio", &told, true),
            status_line("Sergio", &known, None, &reason),
            unknown_word("/qdn", &word),
            unknown_person(&word, &["Sergio"]),
            bad_time(&word),
            members_only(&word),
            membership_unknown(&word),
        ] {
            prop_assert_eq!(acts(&Content::from(sentence)), None);
        }
    }
}

#[test]
fn a_moment_that_is_not_today_is_shown_with_its_day() {
    let zone = TimeZone::get("America/Los_Angeles").unwrap();
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    // 12:00 in San Diego.
    let now = at("2026-07-01T19:00:00Z");
    for (until, shown) in [
        ("2026-07-01T21:00:00Z", "14:00"),
        ("2026-07-02T06:59:00Z", "23:59"),
        ("2026-07-02T07:00:00Z", "Thu, Jul 2, 00:00"),
        ("2026-07-08T19:00:00Z", "Wed, Jul 8, 12:00"),
    ] {
        assert_eq!(Moment::new(at(until), now, &zone).shown(), shown);
    }
}
