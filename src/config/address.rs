//! Checks the URLs in the configuration: ours, the vendors', the databases'.

use std::net::SocketAddr;

use url::Url;

use super::written::Text;
use super::{DatabaseUrl, Problems};

/// Whether the URL's host is this machine, where plain http is allowed.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn is_https_or_loopback(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
}

pub(super) fn public_url(value: Option<String>, problems: &mut Problems) -> String {
    const REMEDY: &str = "it must be the origin that Twilio and Slack call, such as https://desk.example.com, without a path";
    let Some(value) = value else {
        problems.add("public_url", "", format!("it is not set; {REMEDY}"));
        return String::new();
    };
    let is_origin = |url: &Url| {
        url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    };
    match Url::parse(&value) {
        // Twilio refuses a status callback URL whose host contains an underscore.
        Ok(url)
            if is_https_or_loopback(&url)
                && is_origin(&url)
                && !url.host_str().unwrap_or_default().contains('_') => {}
        _ => problems.add("public_url", &value, REMEDY),
    }
    value.trim_end_matches('/').to_owned()
}

pub(super) fn listen(value: Option<String>, problems: &mut Problems) -> SocketAddr {
    let value = value.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    value.parse().unwrap_or_else(|_| {
        problems.add(
            "listen",
            &value,
            "it must be an address and a port, such as 127.0.0.1:8080",
        );
        SocketAddr::from(([127, 0, 0, 1], 8080))
    })
}

pub(super) fn database_url(value: Option<String>, problems: &mut Problems) -> DatabaseUrl {
    let value = value.unwrap_or_else(|| "sqlite://qdn.db".to_owned());
    let known = ["sqlite://", "postgres://", "postgresql://"]
        .iter()
        .any(|scheme| value.starts_with(scheme));
    if !known || value.contains(":memory:") {
        problems.add(
            "database_url",
            "(not shown)",
            "it must be sqlite://path/to/file.db or postgres://user:password@host/database",
        );
    }
    DatabaseUrl::new(value)
}

pub(super) fn redis_url(value: Option<String>, problems: &mut Problems) -> Option<DatabaseUrl> {
    let value = value?;
    if !["redis://", "rediss://"]
        .iter()
        .any(|scheme| value.starts_with(scheme))
    {
        problems.add(
            "redis_url",
            "(not shown)",
            "it must be redis://host:port or rediss://host:port",
        );
    }
    Some(DatabaseUrl::new(value))
}

pub(super) fn api_url(
    key: &str,
    value: Option<Text>,
    default: &str,
    problems: &mut Problems,
) -> String {
    let value = value.map_or_else(|| default.to_owned(), |Text(value)| value);
    if !Url::parse(&value).is_ok_and(|url| is_https_or_loopback(&url)) {
        problems.add(
            key,
            &value,
            format!("it must be an https address; the default is {default}"),
        );
    }
    value
}
