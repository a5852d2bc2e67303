use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn zone() -> TimeZone {
    TimeZone::get("America/Los_Angeles").unwrap()
}

/// What is found at noon on Wednesday, July 1, in San Diego; without the words of the time.
fn found(text: &str) -> Result<(Option<Timestamp>, String), String> {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    let found = find(&words, at("2026-07-01T19:00:00Z"), &zone())?;
    if let Some(found) = &found {
        words.drain(found.first..found.end);
    }
    Ok((found.map(|found| found.until), words.join(" ")))
}

#[test]
fn a_time_is_found_first_last_and_in_between() {
    for (text, minutes, rest) in [
        ("30m", 30, ""),
        ("30m lunch", 30, "lunch"),
        ("lunch 30m", 30, "lunch"),
        ("Lunch, 30M.", 30, "Lunch,"),
        ("out (45min) for lunch", 45, "out for lunch"),
        ("lunch for 30m", 30, "lunch"),
        ("30 minutes", 30, ""),
        ("30 min lunch", 30, "lunch"),
        ("45mins", 45, ""),
        ("1.5h", 90, ""),
        ("120 sec", 2, ""),
        ("an hour, a second job", 60, "a second job"),
        ("1.5 hours dentist", 90, "dentist"),
        ("an hour", 60, ""),
        ("dentist for an hour", 60, "dentist"),
        ("half an hour", 30, ""),
        ("half hour nap", 30, "nap"),
        ("for half an hour", 30, ""),
        ("an hour and a half", 90, ""),
        ("one and a half hours", 90, ""),
        ("two hours", 120, ""),
        ("1h30m", 90, ""),
        ("1h 30m lunch", 90, "lunch"),
        ("1 hour and 15 minutes", 75, ""),
        ("2 hrs", 120, ""),
        ("90 seconds", 1, ""),
        ("1d", 24 * 60, ""),
        ("two days off", 2 * 24 * 60, "off"),
        ("a week", 7 * 24 * 60, ""),
        ("until 14:00", 120, ""),
        ("until 2pm", 120, ""),
        ("until 2 PM", 120, ""),
        ("until 2:30pm", 150, ""),
        ("until 2:30 p.m. dentist", 150, "dentist"),
        ("dentist till 2pm", 120, "dentist"),
        ("lunch, back at 2pm", 120, "lunch,"),
        ("back by 14:00", 120, ""),
        ("back in 20 minutes", 20, ""),
        ("until 11:00", 23 * 60, ""),
        ("until noon", 24 * 60, ""),
        ("until midnight", 12 * 60, ""),
        ("until 12am", 12 * 60, ""),
        ("until 12pm", 24 * 60, ""),
        ("today", 12 * 60, ""),
        ("sick today", 12 * 60, "sick"),
        ("all day", 12 * 60, ""),
        ("the rest of the day", 12 * 60, ""),
        ("until tomorrow 9am", 21 * 60, ""),
        ("until tomorrow at 09:00", 21 * 60, ""),
        ("until 9am tomorrow", 21 * 60, ""),
        ("until 8am on Monday", 4 * 24 * 60 + 20 * 60, ""),
        ("until monday 8am", 4 * 24 * 60 + 20 * 60, ""),
        ("30m room 12", 30, "room 12"),
        ("30m lunch with Sergio", 30, "lunch with Sergio"),
    ] {
        let (until, left) = found(text).unwrap_or_else(|word| panic!("{text}: {word}"));
        let until = until.unwrap_or_else(|| panic!("{text}: no time"));
        let lasts = until.duration_since(at("2026-07-01T19:00:00Z"));
        assert_eq!((lasts.as_mins(), left.as_str()), (minutes, rest), "{text}");
    }
}

#[test]
fn what_is_no_time_is_left_alone() {
    for text in [
        "",
        "lunch",
        "dentist, then the bank",
        "a meeting for the team",
        "in a meeting",
        "back office",
        "<@U0DORA12|dora> has the desk",
        "<https://example.com/2026>",
        "second opinion",
        "a second job",
        "one second job, then home",
    ] {
        assert_eq!(found(text), Ok((None, text.to_owned())), "{text}");
    }
}

#[test]
fn what_looks_like_a_time_and_is_not_understood_is_asked_about() {
    for (text, word) in [
        ("30", "30"),
        ("lunch 30", "30"),
        ("until", "until"),
        ("until the parade ends", "the parade ends"),
        ("until further notice", "further notice"),
        ("until 25:00", "25:00"),
        ("until 2", "2"),
        ("until 13pm", "13pm"),
        ("until tomorrow", "tomorrow"),
        ("until 30m", "30m"),
        ("until 9am today", "9am today"),
        ("tomorrow", "tomorrow"),
        ("tomorrow 9am", "tomorrow"),
        ("monday", "monday"),
        ("dentist tonight", "tonight"),
        ("this afternoon", "afternoon"),
        ("for a while", "while"),
        ("back soon", "soon"),
        ("back at the parade", "the parade"),
        ("dentist at 2pm", "2pm"),
        ("2pm", "2pm"),
        ("25:00", "25:00"),
        ("1,5h", "1,5h"),
        ("1h30", "1h30"),
        ("half a mile", "half"),
        ("a few hours", "hours"),
        ("ten seconds", "seconds"),
        ("half a second", "half"),
        ("½ hour", "½"),
        ("0m", "0m"),
        ("0 minutes lunch", "0 minutes"),
        ("99999999999h", "99999999999h"),
        // Two times, or one from which on.
        ("30m until 2pm", "30m until 2pm"),
        ("from 2pm until 4pm", "from 2pm until 4pm"),
        ("in 30m", "in 30m"),
        ("tomorrow for two hours", "tomorrow for two hours"),
        ("2h 1h", "2h 1h"),
    ] {
        let asked = found(text).expect_err(text);
        assert_eq!(asked, word, "{text}");
    }
}

#[test]
fn the_next_time_the_clock_shows_is_meant() {
    for (now, text, until) in [
        // Over midnight.
        ("2026-07-02T06:50:00Z", "00:15", "2026-07-02T07:15:00Z"),
        ("2026-07-02T06:50:00Z", "23:50", "2026-07-03T06:50:00Z"),
        ("2026-07-02T06:50:00Z", "9:05", "2026-07-02T16:05:00Z"),
        // The clock goes forward from 2:00 to 3:00, and back from 2:00 to 1:00.
        ("2026-03-08T09:00:00Z", "02:30", "2026-03-08T10:30:00Z"),
        ("2026-03-08T09:00:00Z", "14:00", "2026-03-08T21:00:00Z"),
        ("2026-03-07T23:00:00Z", "14:00", "2026-03-08T21:00:00Z"),
        ("2026-11-01T07:30:00Z", "01:30", "2026-11-01T08:30:00Z"),
        ("2026-11-01T08:45:00Z", "01:30", "2026-11-01T09:30:00Z"),
        ("2026-11-01T09:45:00Z", "01:30", "2026-11-02T09:30:00Z"),
        ("2026-11-01T08:45:00Z", "14:00", "2026-11-01T22:00:00Z"),
    ] {
        let found = find(&["until", text], at(now), &zone()).unwrap();
        let found = found.map(|found| found.until);
        assert_eq!(found, Some(at(until)), "{text} at {now}");
    }
}
