use proptest::prelude::*;

use super::*;

fn names() -> Names {
    Names {
        users: HashMap::from([
            (UserId::new("U1"), "Sergio".to_owned()),
            (UserId::new("W2"), "@Ana María".to_owned()),
        ]),
        channels: HashMap::from([(ChannelId::new("C1"), "qdn-dispatch".to_owned())]),
    }
}

fn expect_all(table: &[(&str, &str)]) {
    for (slack, phone) in table {
        assert_eq!(plain_text(slack, &names()), *phone, "{slack:?}");
    }
}

#[test]
fn escaped_characters_are_unescaped_once() {
    expect_all(&[
        ("a &amp; b &lt;3 &gt; c", "a & b <3 > c"),
        ("&amp;lt;", "&lt;"),
        ("&amp;amp;amp;", "&amp;amp;"),
        ("&lt;@U1&gt;", "<@U1>"),
        ("&lt;http://x.example|y&gt;", "<http://x.example|y>"),
        ("AT&T &copy; &", "AT&T &copy; &"),
    ]);
}

#[test]
fn links_show_where_they_lead() {
    expect_all(&[
        (
            "<https://x.example/a?b=1&amp;c=2>",
            "https://x.example/a?b=1&c=2",
        ),
        ("<http://x.example|x.example>", "http://x.example"),
        ("<https://x.example/|X.example>", "https://x.example/"),
        ("<https://x.example|https://x.example>", "https://x.example"),
        (
            "<https://x.example|the gate>",
            "the gate (https://x.example)",
        ),
        ("<https://x.example|x.exam…>", "x.exam… (https://x.example)"),
        (
            "<https://evil.example|bank.example>",
            "bank.example (https://evil.example)",
        ),
        ("<https://x.example|>", "https://x.example"),
        (
            "<https://x.example|&lt;b&gt; :wave:>",
            "<b> 👋 (https://x.example)",
        ),
        (
            "<https://x.example/a_b_c/*d*>",
            "https://x.example/a_b_c/*d*",
        ),
        ("<mailto:a@b.example|a@b.example>", "a@b.example"),
        ("<mailto:a@b.example>", "a@b.example"),
        ("<mailto:a@b.example|write us>", "write us (a@b.example)"),
        ("<tel:+16195550100|(619) 555-0100>", "(619) 555-0100"),
        ("<tel:+16195550100>", "+16195550100"),
        ("<tel:+16195550100|the gate>", "the gate (+16195550100)"),
    ]);
}

#[test]
fn mentions_are_called_by_name() {
    expect_all(&[
        ("<@U1> and <@W2>", "@Sergio and @Ana María"),
        ("<@U9|jo>", "@jo"),
        ("<@U9>", "@someone"),
        ("<#C1>", "#qdn-dispatch"),
        ("<#C9|general>", "#general"),
        ("<#C9|> <#C9>", "#channel #channel"),
        (
            "<!here> <!channel> <!everyone|everyone>",
            "@here @channel @everyone",
        ),
        ("<!subteam^S1|@ops> <!subteam^S1>", "@ops @group"),
        (
            "<!date^1392734382^{date_num}^https://x.example|18 Feb>",
            "18 Feb",
        ),
        ("<!unheard_of|said so>", "said so"),
    ]);
}

#[test]
fn emoji_become_unicode_where_known() {
    expect_all(&[
        (":wave:", "👋"),
        (":wave::skin-tone-3:", "👋🏼"),
        (":handshake::skin-tone-2-3:", "🤝"),
        (":tada::tada:", "🎉🎉"),
        (":tada::skin-tone-3:", "🎉"),
        (":qdn_boat:", ":qdn_boat:"),
        (":qdn_boat:wave:", ":qdn_boat👋"),
        (":+1: ok", "👍 ok"),
        ("hi:wave:", "hi👋"),
        ("10:100:30 and :100:", "10:100:30 and 💯"),
        ("from 12:30:45", "from 12:30:45"),
        ("a: b: c", "a: b: c"),
        ("::", "::"),
        (":not closed", ":not closed"),
    ]);
}

#[test]
fn marks_go_in_pairs() {
    expect_all(&[
        ("*bold* _italic_ ~gone~", "bold italic gone"),
        ("*_both_*, _*both*_.", "both, both."),
        ("(*b*) \"_i_\"!", "(b) \"i\"!"),
        ("*<@U1>*: *:wave:*", "@Sergio: 👋"),
        ("*a* b *c*", "a b c"),
        ("*two words*", "two words"),
        ("_a_\n_b_", "a\nb"),
    ]);
}

#[test]
fn what_is_no_pair_stays() {
    expect_all(&[
        ("snake_case_name", "snake_case_name"),
        ("2*3*4, 2 * 3 * 4", "2*3*4, 2 * 3 * 4"),
        ("~5 min or ~10 min", "~5 min or ~10 min"),
        ("* one\n* two", "* one\n* two"),
        ("*open\nclosed*", "*open\nclosed*"),
        ("__init__ **bold** ***", "__init__ **bold** ***"),
        ("*_*", "*_*"),
        ("^_^", "^_^"),
        ("~_~", "~_~"),
        ("*word*s", "*word*s"),
        ("*", "*"),
        ("**", "**"),
        ("* spaced *", "* spaced *"),
    ]);
}

#[test]
fn code_keeps_its_characters() {
    expect_all(&[
        ("`a*b*c _d_`", "a*b*c _d_"),
        ("`:wave:` :wave:", ":wave: 👋"),
        ("`x &lt; y`", "x < y"),
        (
            "```\n*a*\n  <https://x.example>\n```",
            "*a*\n  https://x.example",
        ),
        ("see ```*a*``` now", "see *a* now"),
        ("*`code`*", "code"),
        ("it`s 5 o`clock", "it`s 5 o`clock"),
        ("`open", "`open"),
        ("``", "``"),
        ("``````", "``````"),
        ("`a\nb`", "`a\nb`"),
    ]);
}

#[test]
fn quotes_and_lists_are_plain() {
    expect_all(&[
        (
            "&gt; *quoted*\n• one\n    ◦ two",
            "> quoted\n• one\n    ◦ two",
        ),
        ("1. one\n2. two", "1. one\n2. two"),
    ]);
}

#[test]
fn damage_never_looks_like_markup() {
    expect_all(&[
        ("5 < 6 > 4", "5 < 6 > 4"),
        ("I <3 you", "I <3 you"),
        ("<@U1", "@U1"),
        ("<<@U1>", "@Sergio"),
        ("<*@U1*", "@U1"),
        ("<>", ">"),
        ("<@>", "@"),
        ("<!>", "@"),
        ("<", ""),
        ("```<```http://x.example", "http://x.example"),
        ("<@U1\n>", "@U1\n>"),
    ]);
}

#[test]
fn the_mentioned_are_found() {
    let found = mentions(
        "<@U1>, <@U9|jo> <@U1>: see <#C1>, <#C2|general> <https://x.example/<@U3> &lt;@U4&gt;",
    );
    let users: Vec<&str> = found.users.iter().map(UserId::as_str).collect();
    let channels: Vec<&str> = found.channels.iter().map(ChannelId::as_str).collect();
    assert_eq!(users, ["U1", "U3", "U9"]);
    assert_eq!(channels, ["C1"]);
}

#[test]
fn a_mention_at_the_start_is_noticed() {
    for (text, expected) in [
        ("<@U1> look at this", true),
        ("  *<@U1>* hm", true),
        ("<@U1|sergio>", true),
        ("&gt; <@U1> quoted", true),
        ("<!here> hi", true),
        ("<!subteam^S1|@night> hi", true),
        ("hi <@U1>", false),
        ("&lt;@U1&gt;", false),
        ("<#C1>", false),
        ("", false),
    ] {
        assert_eq!(starts_with_mention(text), expected, "{text:?}");
    }
}

#[test]
fn a_long_line_does_not_take_long() {
    for mark in ["*", "_", "~", "`", "```", ":", "<", "&", "<@U1", ":wave"] {
        plain_text(&mark.repeat(40_000 / mark.len()), &names());
        plain_text(&format!("{mark}a ").repeat(10_000), &names());
    }
}

/// Brackets that Slack or a phone would interpret as markup.
fn looks_like_markup(text: &str) -> bool {
    ["<@", "<!", "<#", "<http", "<mailto:", "<tel:"]
        .iter()
        .any(|start| text.contains(start))
}

/// Generates texts from the difficult parts.
fn difficult() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("<"),
        Just(">"),
        Just("@U1"),
        Just("#C1"),
        Just("!here"),
        Just("|"),
        Just("http://x.example"),
        Just("mailto:a@b"),
        Just("*"),
        Just("_"),
        Just("~"),
        Just("`"),
        Just("```"),
        Just(":"),
        Just("wave"),
        Just(":skin-tone-3:"),
        Just("\n"),
        Just(" "),
        Just("a"),
        Just("5"),
        Just("é"),
        Just("^"),
        Just("!date"),
        Just("👋"),
    ];
    proptest::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn no_text_of_slacks_yields_markup_on_the_phone(text in difficult()) {
        let plain = plain_text(&text, &names());
        prop_assert!(!looks_like_markup(&plain), "{plain:?}");
    }

    #[test]
    fn no_text_whatsoever_yields_markup_on_the_phone(text in "[^&]*") {
        prop_assert!(!looks_like_markup(&plain_text(&text, &names())));
    }

    #[test]
    fn what_was_typed_comes_back(text in "[^*_~`:]*") {
        prop_assert_eq!(plain_text(&escape(&text), &names()), text);
    }

    #[test]
    fn what_was_typed_comes_back_from_code_too(text in "[^`]+") {
        let text = text.replace('\n', " ");
        prop_assert_eq!(plain_text(&format!("```{}```", escape(&text)), &names()), text);
    }

    #[test]
    fn escaped_difficulties_never_act(text in difficult()) {
        let escaped = escape(&text);
        prop_assert!(!escaped.contains(['<', '>']));
        prop_assert_eq!(mentions(&escaped), Mentions::default());
        for (at, _) in escaped.match_indices('&') {
            let entity = &escaped[at..];
            prop_assert!(["&amp;", "&lt;", "&gt;"].iter().any(|it| entity.starts_with(it)));
        }
    }

    #[test]
    fn names_asked_for_are_names_used(text in difficult()) {
        let used = plain_text(&text, &names()).contains("@Sergio");
        prop_assert!(!used || mentions(&text).users.contains(&UserId::new("U1")));
    }
}
