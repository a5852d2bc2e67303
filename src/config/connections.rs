//! The `[connections]` section.

use std::time::Duration;

use serde::Deserialize;
use toml::Value;

use super::written::{Text, time, whole};
use super::{Network, Problems};

/// The limits for inbound connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connections {
    /// The most connections. A quarter of them is reserved for connections with a validly signed request.
    pub max: usize,
    /// The most connections from one address that is not a proxy's.
    pub max_per_address: usize,
    /// How long the head of a request may take, and how long a connection without a request may be silent.
    pub header_timeout: Duration,
    /// How long a connection of a proxy, or one with a validly signed request, may be idle.
    pub idle_timeout: Duration,
    /// Proxies other than those on this machine and in private networks.
    pub trusted_proxies: Vec<Network>,
}

#[derive(Deserialize, Default)]
pub(super) struct FileConnections {
    max: Option<Value>,
    max_per_address: Option<Value>,
    header_timeout: Option<Text>,
    idle_timeout: Option<Text>,
    trusted_proxies: Option<Value>,
}

pub(super) fn connections(file: FileConnections, problems: &mut Problems) -> Connections {
    let mut count = |key: &str, value, default, least| {
        let number = whole(key, value, default, least..=1_000_000, problems);
        usize::try_from(number).unwrap_or(usize::MAX)
    };
    let max = count("connections.max", file.max, 4096, 16);
    let max_per_address = count("connections.max_per_address", file.max_per_address, 256, 1);
    Connections {
        max,
        max_per_address,
        header_timeout: time(
            "connections.header_timeout",
            file.header_timeout,
            "10s",
            problems,
        ),
        // Longer than the idle timeouts of Caddy (120 s) and nginx (60 s), so that we never close a connection just as the proxy
        // sends a request on it.
        idle_timeout: time(
            "connections.idle_timeout",
            file.idle_timeout,
            "150s",
            problems,
        ),
        trusted_proxies: proxies(file.trusted_proxies, problems),
    }
}

fn proxies(value: Option<Value>, problems: &mut Problems) -> Vec<Network> {
    let Some(value) = value else {
        return Vec::new();
    };
    let written = value.to_string();
    let listed = value.try_into::<Vec<Text>>().ok();
    let networks = listed.and_then(|listed| {
        let networks = listed.iter().map(|Text(text)| Network::parse(text));
        networks.collect::<Option<Vec<Network>>>()
    });
    networks.unwrap_or_else(|| {
        problems.add(
            "connections.trusted_proxies",
            written,
            "it must be a list of addresses or networks, such as [\"203.0.113.7\", \"198.51.100.0/24\"]",
        );
        Vec::new()
    })
}
