//! The forms of a post that Slack does not accept although channel and token are fine: whole, as bare text, and at last a
//! placeholder with a button that shows the words, so that the posts behind it go on.
//!
//! The earlier attempts determine the form. If not even the placeholder is accepted, the words are not the cause, and the
//! whole message is tried again.

use crate::bridge::wording;
use crate::delivery::{Content, Delivery};
use crate::store::outbox::{Attempt, Row};
use crate::store::{Store, outbox};
use crate::vocabulary::{AttemptResult, Kind};

/// The form in which a post is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Whole,
    Plain,
    Placeholder,
}

/// The forms of a post, one after another, each until Slack does not take it.
const FORMS: [Form; 5] = [
    Form::Whole,
    Form::Whole,
    Form::Whole,
    Form::Plain,
    Form::Placeholder,
];

/// The index of the placeholder.
const LAST: usize = FORMS.len() - 1;

/// Slack's words for a trouble of its own that may lie in the message. A look comes first: it may have been accepted.
const SLACKS_OWN: [&str; 2] = ["internal_error", "fatal_error"];

/// How often a post was not taken before its `n`th attempt; bare text that was refused counts for all before the last.
fn refusals(attempts: &[Attempt], n: i64) -> usize {
    let mut refusals = 0;
    for attempt in attempts.iter().filter(|attempt| attempt.n < n) {
        let is_slacks_own = || SLACKS_OWN.iter().any(|it| attempt.detail.starts_with(it));
        match attempt.outcome.known() {
            Some(AttemptResult::NotTaken) => refusals += 1,
            Some(AttemptResult::NotTakenPlain) if refusals % FORMS.len() == LAST => refusals += 1,
            Some(AttemptResult::NotTakenPlain) => refusals += LAST - refusals % FORMS.len(),
            Some(AttemptResult::Absent) if is_slacks_own() => refusals += 1,
            _ => {}
        }
    }
    refusals
}

/// The word for how an attempt ended that Slack did not take.
pub(crate) fn outcome(was_plain: bool) -> AttemptResult {
    if was_plain {
        AttemptResult::NotTakenPlain
    } else {
        AttemptResult::NotTaken
    }
}

/// Whether the `n`th attempt was the last before a placeholder takes the post's place.
pub(crate) fn is_last_but_placeholder(attempts: &[Attempt], n: i64) -> bool {
    refusals(attempts, n + 1) == LAST && refusals(attempts, n) < LAST
}

/// The form of a post's `n`th attempt.
pub(crate) fn form(attempts: &[Attempt], n: i64) -> Form {
    FORMS[refusals(attempts, n) % FORMS.len()]
}

/// What a post shows in this form.
pub(crate) fn content(form: Form, content: &Content, row: &str) -> Content {
    match form {
        Form::Whole => content.clone(),
        Form::Plain => Content {
            text: if content.text.trim().is_empty() {
                wording::NO_WORDS.to_owned()
            } else {
                content.text.clone()
            },
            blocks: None,
        },
        Form::Placeholder => wording::delivery::placeholder(row),
    }
}

/// What a delivered post shows.
pub(crate) async fn as_posted(store: &Store, row: &Row, whole: Content) -> anyhow::Result<Content> {
    let attempts = outbox::attempts(store, &row.id).await?;
    let delivered = attempts
        .iter()
        .rfind(|one| one.outcome == AttemptResult::Delivered);
    Ok(match delivered {
        Some(delivered) => content(form(&attempts, delivered.n), &whole, &row.id),
        None => whole,
    })
}

/// What an absent attempt is kept with, so that it counts where Slack named a trouble of its own.
/// The row's own reason may have become that of a look that failed.
pub(crate) fn absent_because(row: &Row, attempt: &Attempt) -> String {
    let detail = attempt.detail.as_str();
    let own = SLACKS_OWN.iter().find(|own| detail.starts_with(**own));
    let own = own.filter(|_| row.kind != Kind::Sms);
    let found = "two complete looks found nothing";
    own.map_or_else(|| found.to_owned(), |own| format!("{own}: {found}"))
}

/// The words of a post in its own markup; empty where they are not kept any more.
pub(crate) fn words(row: &Row) -> String {
    match row.delivery() {
        Ok(Delivery::Post { reply, root, .. }) => root.unwrap_or(reply).text,
        Ok(Delivery::Announce { content, .. }) => content.text,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(ended: &[(AttemptResult, &str)]) -> Vec<Attempt> {
        let numbered = (1..).zip(ended);
        let attempt = |(n, (outcome, detail)): (i64, &(AttemptResult, &str))| {
            Attempt::for_a_test(n, *outcome, detail)
        };
        numbered.map(attempt).collect()
    }

    #[test]
    fn forms_follow_from_what_was_not_taken() {
        use Form::{Placeholder, Plain, Whole};
        let not_taken = (AttemptResult::NotTaken, "strange_error: ");
        let absent = (
            AttemptResult::Absent,
            "internal_error: two complete looks found nothing",
        );
        let unheard = (AttemptResult::Absent, "two complete looks found nothing");
        let as_text = (AttemptResult::NotTakenPlain, "msg_too_long: ");
        for (ended, next) in [
            (vec![], Whole),
            (
                vec![
                    (AttemptResult::NotSent, "refused"),
                    (AttemptResult::Blocked, "is_archived"),
                    unheard,
                ],
                Whole,
            ),
            (vec![not_taken; 2], Whole),
            (vec![not_taken, absent, not_taken], Plain),
            (vec![absent; 4], Placeholder),
            (vec![as_text], Placeholder),
            (vec![not_taken, as_text], Placeholder),
            // Not even the placeholder was taken: it is not for the words.
            (vec![not_taken; 5], Whole),
            (vec![as_text, as_text], Whole),
            (vec![as_text, as_text, as_text], Placeholder),
        ] {
            let attempts = attempts(&ended);
            assert_eq!(form(&attempts, i64::MAX), next, "{ended:?}");
        }
    }
}
