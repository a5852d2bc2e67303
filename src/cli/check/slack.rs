//! Checks Slack: the token, its scopes, each line's channel, and the bot's membership there.

use super::Finding;
use crate::cli::manifest;
use crate::config::{Config, Line, Secrets};
use crate::remote::Failure;
use crate::slack::ChannelId;
use crate::slack::client::{ChannelInfo, Client, Settings};

pub(super) async fn findings(config: &Config, secrets: &Secrets) -> anyhow::Result<Vec<Finding>> {
    let client = Client::new(Settings {
        api_url: config.slack_api_url.clone(),
        bot_token: secrets.bot_token.clone(),
        request_timeout: config.delivery.request_timeout,
    })?;
    let identity = match client.auth_test().await {
        Ok(identity) => identity,
        Err(failure) => return Ok(vec![unusable(&failure)]),
    };
    let what = format!("{} in {}", identity.user, identity.team);
    let mut found = vec![Finding::ok("Slack's token", what)];
    found.extend(scopes(identity.scopes.as_deref()));
    for line in &config.lines {
        found.push(channel(&client, line).await);
    }
    Ok(found)
}

fn unusable(failure: &Failure) -> Finding {
    let why = "nothing can be shown in Slack";
    match failure {
        Failure::Refused { .. } => Finding::fail(
            "Slack's token",
            format!("Slack does not take it ({failure})"),
            why,
            "copy the Bot User OAuth Token under OAuth & Permissions of the Slack app into SLACK_BOT_TOKEN; after an uninstall, install the app again",
        ),
        _ => Finding::fail(
            "Slack's token",
            format!("{failure}"),
            why,
            "see that this machine reaches slack.api_url, and run this again",
        ),
    }
}

/// Returns a finding for each scope that the manifest requests and the token lacks, or one that all is well.
fn scopes(granted: Option<&[String]>) -> Vec<Finding> {
    let Some(granted) = granted else {
        return vec![Finding::warn(
            "Slack's scopes",
            "Slack does not say which the token has",
            "some may be missing",
            "compare OAuth & Permissions of the Slack app with `qdn-relay manifest`",
        )];
    };
    let asked = manifest::bot_scopes();
    let missing: Vec<Finding> = asked
        .iter()
        .filter(|scope| !granted.iter().any(|has| has == *scope))
        .map(|scope| {
            Finding::fail(
                format!("Slack's scope {scope}"),
                "the token does not have it",
                manifest::use_of(scope),
                "in the Slack app under App Manifest put what `qdn-relay manifest` prints, save, and reinstall it under Install App",
            )
        })
        .collect();
    if missing.is_empty() {
        vec![Finding::ok(
            "Slack's scopes",
            format!("all {}", asked.len()),
        )]
    } else {
        missing
    }
}

async fn channel(client: &Client, line: &Line) -> Finding {
    let name = format!("channel of {}", line.name);
    let configured = &line.channel;
    let found = match configured.strip_prefix('#') {
        Some(wanted) => client.find_channel(wanted).await,
        None => match client.channel(&ChannelId::new(configured)).await {
            Err(Failure::Refused { code, .. }) if code == "channel_not_found" => Ok(None),
            other => other.map(Some),
        },
    };
    let why = "the line's texts are held and shown nowhere";
    match found {
        Ok(Some(ChannelInfo {
            is_archived: true, ..
        })) => Finding::fail(
            name,
            format!("{configured} is archived"),
            why,
            "unarchive it in Slack, or correct the line's channel in qdn.toml",
        ),
        Ok(Some(ChannelInfo {
            is_member: false, ..
        })) => Finding::fail(
            name,
            format!("the bot is not in {configured}"),
            why,
            format!("type /invite @qdn in {configured}"),
        ),
        Ok(Some(_)) => Finding::ok(name, format!("the bot is in {configured}")),
        Ok(None) => Finding::fail(
            name,
            format!("the bot sees no channel {configured}"),
            why,
            format!(
                "create it and type /invite @qdn there, or correct the channel of {} in qdn.toml",
                line.name
            ),
        ),
        Err(failure) => Finding::fail(
            name,
            format!("Slack does not say whether {configured} is there ({failure})"),
            why,
            "run this again; where a scope is missing, mend that first",
        ),
    }
}
