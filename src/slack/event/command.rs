//! Parses a slash command, such as `/qdn away 30m`.

use anyhow::Context;

use crate::slack::{ChannelId, TeamId, UserId};

/// A slash command (<https://docs.slack.dev/interactivity/implementing-slash-commands>).
#[derive(Clone, PartialEq)]
pub struct SlashCommand {
    /// The workspace it was typed in.
    pub team_id: TeamId,
    /// The channel in which it was typed. Slack has no slash commands in threads.
    pub channel_id: ChannelId,
    /// The user who typed it.
    pub user_id: UserId,
    /// The command, with its slash.
    pub command: String,
    /// The text after the command, in Slack's markup, trimmed.
    pub text: String,
    /// The URL for further responses: up to five within 30 minutes.
    pub response_url: Option<String>,
    /// Allows opening a modal within 3 seconds.
    pub trigger_id: Option<String>,
    /// The app the command belongs to.
    pub api_app_id: Option<String>,
    /// Whether Slack only checks our certificate: answer 200 and do nothing.
    pub ssl_check: bool,
}

impl SlashCommand {
    /// Parses the form's parameters. A missing required one is an error, except with `ssl_check`.
    pub fn from_params(params: &[(String, String)]) -> anyhow::Result<Self> {
        let find = |name: &str| {
            params
                .iter()
                .find(|(key, value)| key == name && !value.is_empty())
                .map(|(_, value)| value.as_str())
        };
        let ssl_check = find("ssl_check") == Some("1");
        let need = |name: &str| match find(name) {
            None if ssl_check => Ok(""),
            found => found.with_context(|| format!("Slack's command has no {name}")),
        };
        Ok(Self {
            team_id: TeamId::new(need("team_id")?),
            channel_id: ChannelId::new(need("channel_id")?),
            user_id: UserId::new(need("user_id")?),
            command: need("command")?.to_owned(),
            text: find("text").unwrap_or_default().trim().to_owned(),
            response_url: find("response_url").map(str::to_owned),
            trigger_id: find("trigger_id").map(str::to_owned),
            api_app_id: find("api_app_id").map(str::to_owned),
            ssl_check,
        })
    }
}

// Leaves out the text, which can contain a caller's number, and the URL, which lets anyone respond in our name.
impl std::fmt::Debug for SlashCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SlashCommand")
            .field("team_id", &self.team_id)
            .field("channel_id", &self.channel_id)
            .field("user_id", &self.user_id)
            .field("command", &self.command)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect()
    }

    #[test]
    fn a_command_is_read() {
        let command = SlashCommand::from_params(&params(&[
            ("token", "deprecated"),
            ("team_id", "T1"),
            ("channel_id", "C1"),
            ("channel_name", "qdn-dispatch"),
            ("user_id", "U1"),
            ("command", "/qdn"),
            ("text", " away 30m "),
            (
                "response_url",
                "https://hooks.slack.com/commands/T1/1/secret",
            ),
            ("trigger_id", "1.2.3"),
            ("api_app_id", "A1"),
        ]))
        .unwrap();
        assert_eq!(command.command, "/qdn");
        assert_eq!(command.text, "away 30m");
        assert_eq!(command.user_id, UserId::new("U1"));
        assert!(!command.ssl_check);
        let debug = format!("{command:?}");
        assert!(
            !debug.contains("away") && !debug.contains("secret"),
            "{debug}"
        );
    }

    #[test]
    fn a_command_without_its_user_is_refused_by_name() {
        let missing = params(&[("team_id", "T1"), ("channel_id", "C1"), ("command", "/qdn")]);
        let err = SlashCommand::from_params(&missing).unwrap_err();
        assert!(err.to_string().contains("user_id"), "{err}");
    }

    #[test]
    fn a_certificate_check_needs_nothing_else() {
        let check = SlashCommand::from_params(&params(&[("ssl_check", "1"), ("token", "t")]));
        assert!(check.unwrap().ssl_check);
    }
}
