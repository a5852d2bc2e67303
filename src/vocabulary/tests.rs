//! Every word that a database may hold. A word that is there stays readable: this list only grows.

use super::*;

/// Whether an enum has these words, in any order, and reads each of them back.
macro_rules! expect_words {
    ($name:ident, $words:expr) => {
        let mut known: Vec<&str> = $name::ALL.iter().map(|one| one.as_str()).collect();
        known.sort_unstable();
        let mut words: Vec<&str> = $words.split(", ").collect();
        words.sort_unstable();
        assert_eq!(known, words, stringify!($name));
        for one in $name::ALL {
            assert_eq!(one.as_str().parse::<$name>().as_ref(), Ok(one));
        }
        let unknown = "of a later version".parse::<$name>();
        assert!(unknown.is_err(), stringify!($name));
    };
}

#[test]
fn every_stored_word_is_known() {
    expect_words!(
        Kind,
        "sms, reply, post, announce, update, list, listing, copies, root, answer, home, ephemeral, words, respond, form, \
         mark, call, picture, recording"
    );
    expect_words!(
        DeliveryState,
        "waiting, sending, unknown, held, delivered, refused, undecided, dropped, asked"
    );
    expect_words!(
        AttemptResult,
        ", delivered, not sent, held, not taken, not taken as text, refused, unknown, absent, not read, undecided, \
         resolved, prepared, uploaded, upload lost, not yet"
    );
    expect_words!(CallState, "ringing, talking, hung_up, missed, answered");
    expect_words!(
        RingOutcome,
        "away, dnd, on_the_phone, rings, picked_up, not_taken, refused, no_answer, busy, failed, cut_off, took"
    );
    expect_words!(ConfirmationState, "open, sent, inside, gone");
    expect_words!(
        ReasonCode,
        "edited_away, unsure, words_first, thread_first, in_order, not_there, from_twilio"
    );
    expect_words!(
        Verdict,
        "rung, rung_always, rung_as_last, rung_though_on_the_phone, skipped, on_the_phone, already_tried, same_telephone"
    );
    expect_words!(EditState, "offered, sent, replaced");
    expect_words!(AvailabilityState, "available, away, dnd");
    expect_words!(Origin, "twilio, desk, slack");
    expect_words!(OptOutState, "out, in");
    expect_words!(KeptBy, "twilio, us");
    expect_words!(
        Decision,
        "asked_writer, availability_changed, away_text_sent, backed_up, call_answered, call_ended_unheard, \
         call_found_late, caller_hung_up, caller_named, caller_not_texted, caller_texted, claimed, closed, copy_kept, \
         correction_sent, decided_arrived, decided_inside, decided_leave, decided_send, delivered_at_last, dropped, \
         duplicate_detected, erased, erased_at_twilio, held, kept_inside, key_pressed, message_left, \
         message_transcribed, name_removed, names_resolved, nobody_left, not_taken, old_texts_removed, \
         operator_drop, operator_retry, opt_out_asked, opted_in, opted_out, paged, part_dropped, phone_picked_up, \
         posted, refused, released, reminded, reopened, reply_deleted, reply_edited, reply_found_late, \
         reply_received, restored, ring, settled_absent, settled_unread, sms_sent, sms_status, text_marked_late, \
         text_received, text_refused, texted_first, thread_asked_for, undecided, unknown"
    );
}

/// The sentences that stand for verdicts in audit rows of earlier versions.
#[test]
fn verdicts_are_read_from_old_sentences() {
    for (sentence, verdict) in [
        ("rung", Verdict::Rung),
        ("rung: always", Verdict::RungAlways),
        ("rung: nobody else is left", Verdict::RungAsLast),
        (
            "rung: on the phone with another caller, but nobody else is left",
            Verdict::RungThoughOnThePhone,
        ),
        ("skipped: not available", Verdict::Skipped),
        (
            "skipped: on the phone with another caller",
            Verdict::OnThePhone,
        ),
        ("left out: already tried", Verdict::AlreadyTried),
        (
            "left out: same telephone as somebody else",
            Verdict::SameTelephone,
        ),
    ] {
        assert_eq!(Verdict::from_words(sentence), Some(verdict), "{sentence}");
    }
    assert_eq!(Verdict::from_words("rung_always"), None);
}

/// The ranks that stand in the database beside the words.
#[test]
fn calls_keep_their_ranks() {
    let ranks = ["ringing", "talking", "hung_up", "missed", "answered"];
    for (rank, word) in (0..).zip(ranks) {
        assert_eq!(word.parse::<CallState>().unwrap().rank(), rank, "{word}");
    }
}

/// The partial indexes of the outbox are used by statements that name the kinds in their order alone.
#[test]
fn kinds_are_listed_as_the_indexes_name_them() {
    assert_eq!(Kind::sql_texts(), "'sms', 'reply'");
    let kept = Kind::sql_list(|policy| policy.is_kept);
    assert_eq!(kept, "'sms', 'reply', 'post', 'announce'");
}

/// What is repeated without a look must harm nobody: no text, no message in a channel, no file that people see.
#[test]
fn nothing_that_people_see_twice_is_repeated_blindly() {
    let looked_for: Vec<&str> = Kind::ALL
        .iter()
        .filter(|kind| kind.policy().settle != Settle::Repeat)
        .map(|kind| kind.as_str())
        .collect();
    let expected = ["sms", "post", "announce", "list", "picture", "recording"];
    assert_eq!(looked_for, expected);
}
