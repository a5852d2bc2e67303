//! `/qdn`: dispatches each word to the file that handles it.

mod asked;
pub(crate) mod availability;
pub(crate) mod name;
pub(crate) mod open;
mod when;
pub(crate) mod who;
pub(crate) mod why;

use crate::app::App;
use crate::bridge::replies::text_first;
use crate::bridge::slack::opt_out;
use crate::bridge::wording;
use crate::slack::event::SlashCommand;
use crate::vocabulary::AvailabilityState;

/// Whether the command only reads: a repetition is harmless, so it is not recorded.
pub(crate) fn only_tells(command: &SlashCommand) -> bool {
    let word = command.text.split_whitespace().next().unwrap_or("help");
    let word = word.to_lowercase();
    ["help", "status", "who", "open", "why"].contains(&word.as_str())
}

/// Runs a command. Returns the sentence for whoever typed it.
pub(crate) async fn receive(app: &App, command: &SlashCommand) -> String {
    let name = command.command.as_str();
    let mut words = command.text.split_whitespace();
    match words.next().unwrap_or("help").to_lowercase().as_str() {
        "help" => wording::usage(name),
        "status" => availability::status(app, &command.user_id).await,
        "text" => text_first::command(app, command).await,
        "who" => who::answer(app).await,
        "open" => open::answer(app, command).await,
        "name" => name::answer(app, command).await,
        "optout" => opt_out::command(app, command).await,
        "why" => why::answer(app, command, words.collect()).await,
        word => match word.parse::<AvailabilityState>() {
            Ok(state) => match availability::change(app, command, state, words.collect()).await {
                Ok(answer) => answer,
                Err(error) => {
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "a change of availability was not saved"
                    );
                    wording::not_saved()
                }
            },
            Err(_) => wording::unknown_word(name, word),
        },
    }
}
