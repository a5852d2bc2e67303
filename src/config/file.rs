//! Parses `qdn.toml` and checks its top level; the sections have their own modules.

use std::collections::BTreeMap;

use serde::Deserialize;
use url::Url;

use super::address::{api_url, database_url, listen, public_url, redis_url};
use super::connections::{FileConnections, connections};
use super::limits::{self, FileLimits};
use super::lines::{FileLine, lines};
use super::people::{FilePerson, people};
use super::timing::{FileDelivery, FileDesk, delivery, desk};
use super::written::{self, Text, time};
use super::{AvailabilityConfig, Config, ConfigError, Environment, Person, Problems};

#[derive(Deserialize)]
struct File {
    public_url: Option<Text>,
    listen: Option<Text>,
    database_url: Option<Text>,
    redis_url: Option<Text>,
    #[serde(default)]
    twilio: Api,
    #[serde(default)]
    slack: Api,
    #[serde(default)]
    people: Vec<FilePerson>,
    #[serde(default)]
    lines: Vec<FileLine>,
    #[serde(default)]
    availability: FileAvailability,
    #[serde(default)]
    delivery: FileDelivery,
    #[serde(default)]
    desk: FileDesk,
    #[serde(default)]
    limits: FileLimits,
    #[serde(default)]
    connections: FileConnections,
}

#[derive(Deserialize, Default)]
struct Api {
    api_url: Option<Text>,
}

#[derive(Deserialize, Default)]
struct FileAvailability {
    ttl: Option<Text>,
    #[serde(default)]
    status_urls: BTreeMap<String, Text>,
}

pub(super) fn parse(text: &str, environment: &Environment) -> Result<Config, ConfigError> {
    let mut problems = Problems::default();
    let laid_out_otherwise = |error: toml::de::Error| {
        let (key, remedy) = written::layout_error(text, &error);
        ConfigError::one(&key, "", remedy)
    };
    let document = toml::Deserializer::parse(text).map_err(laid_out_otherwise)?;
    let mut unknown = Vec::new();
    let file: File = serde_ignored::deserialize(document, |path| unknown.push(written::key(&path)))
        .map_err(laid_out_otherwise)?;
    for key in unknown {
        problems.add(
            key,
            "",
            "there is no such key; see qdn.example.toml for those there are",
        );
    }
    // People come before lines, whose ring steps refer to them.
    let people = people(file.people, &mut problems);
    let lines = lines(file.lines, &people, &mut problems);
    let scalar = |variable: &str, in_file: Option<Text>| {
        let in_file = in_file.map(|Text(value)| value);
        environment.value(variable).map(str::to_owned).or(in_file)
    };
    let config = Config {
        public_url: public_url(scalar("QDN_PUBLIC_URL", file.public_url), &mut problems),
        listen: listen(scalar("QDN_LISTEN", file.listen), &mut problems),
        database_url: database_url(scalar("QDN_DATABASE_URL", file.database_url), &mut problems),
        redis_url: redis_url(scalar("QDN_REDIS_URL", file.redis_url), &mut problems),
        twilio_api_url: api_url(
            "twilio.api_url",
            file.twilio.api_url,
            "https://api.twilio.com",
            &mut problems,
        ),
        slack_api_url: api_url(
            "slack.api_url",
            file.slack.api_url,
            "https://slack.com/api/",
            &mut problems,
        ),
        availability: availability(file.availability, &people, &mut problems),
        delivery: delivery(file.delivery, &mut problems),
        desk: desk(file.desk, &mut problems),
        limits: limits::limits(file.limits, &mut problems),
        connections: connections(file.connections, &mut problems),
        people,
        lines,
    };
    problems.or(config)
}

fn availability(
    file: FileAvailability,
    people: &[Person],
    problems: &mut Problems,
) -> AvailabilityConfig {
    for (name, Text(url)) in &file.status_urls {
        let key = format!("availability.status_urls.{name}");
        if !people.iter().any(|person| person.name == *name) {
            problems.add(&key, url, "there is no [[people]] entry of this name");
        }
        if !Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "https" | "http")) {
            problems.add(
                &key,
                url,
                "it must be an http or https address that answers {\"status\": \"online\"}",
            );
        }
    }
    AvailabilityConfig {
        ttl: time("availability.ttl", file.ttl, "5m", problems),
        status_urls: file
            .status_urls
            .into_iter()
            .map(|(name, Text(url))| (name, url))
            .collect(),
    }
}
