//! Checks Redis and the status URLs. Without them calls still work, but assume that people are available.

use super::Finding;
use crate::availability::sources::Sources;
use crate::config::Config;

pub(super) async fn findings(config: &Config) -> Vec<Finding> {
    let why = "calls ring people who may be away";
    let sources = match Sources::new(config) {
        Ok(sources) => sources,
        Err(error) => {
            let remedy = "correct redis_url in qdn.toml";
            return vec![Finding::fail("presence", format!("{error:#}"), why, remedy)];
        }
    };
    let mut found = Vec::new();
    if let Some(answer) = sources.try_redis().await {
        found.push(match answer {
            Ok(()) => Finding::ok("Redis", "it answers"),
            Err(error) => Finding::fail(
                "Redis",
                format!("it does not answer within 250 ms ({error:#})"),
                why,
                "start Redis, or correct redis_url in qdn.toml",
            ),
        });
    }
    for (person, answer) in sources.try_status_urls().await {
        let name = format!("status URL of {person}");
        found.push(match answer {
            Ok(state) => Finding::ok(name, format!("says {}", state.as_str())),
            Err(error) => Finding::fail(
                name,
                format!("{error:#}"),
                why,
                format!("correct availability.status_urls.{person}, which has to answer GET with {{\"status\": \"online\"}}, \"offline\" or \"dnd\""),
            ),
        });
    }
    found
}
