//! Tests mistakes in the file: each has the key that it is reported under and a part of the remedy.

use super::*;

/// The smallest valid configuration.
const LEAST: &str = r##"
public_url = "https://desk.example.com"
[[people]]
name = "Sergio"
phone = "+16195550111"
[[lines]]
name = "QDN"
number = "+16195550100"
channel = "#qdn-dispatch"
ring = [{ people = ["Sergio"], seconds = 15 }]
"##;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, &Environment::default())
}

/// A mistake: the text that replaces the correct line or adds a section, and the expected report.
struct Mistake<'a> {
    written: &'a str,
    key: &'a str,
    value: &'a str,
    remedy: &'a str,
}

/// Four columns: the text (`;` ends a line of it), the key, the value, a part of the remedy.
fn mistakes(table: &str) -> Vec<Mistake<'_>> {
    let rows = table.lines().map(str::trim).filter(|row| !row.is_empty());
    rows.map(|row| {
        let columns: Vec<&str> = row.split('|').map(str::trim).collect();
        let [written, key, value, remedy] = columns[..] else {
            panic!("four columns: {row}")
        };
        Mistake {
            written,
            key,
            value,
            remedy,
        }
    })
    .collect()
}

/// The first reported problem is the mistake itself; others may follow from it.
fn expect_reported(text: &str, mistake: &Mistake<'_>) {
    let written = mistake.written;
    let ConfigError(found) = parse(text).expect_err(written);
    let first = &found[0];
    assert_eq!(
        (first.key.as_str(), first.value.as_str()),
        (mistake.key, mistake.value),
        "{written}: {found:#?}"
    );
    assert!(
        first.remedy.contains(mistake.remedy),
        "{written}: {found:#?}"
    );
}

#[test]
fn a_mistake_is_named_with_its_value_and_what_would_be_right() {
    let top = r#"
        public_url = ""                               | public_url | | the origin
        public_url = "desk.example.com"               | public_url | desk.example.com | the origin
        public_url = "http://desk.example.com"        | public_url | http://desk.example.com | https://
        public_url = "https://desk.example.com/api"   | public_url | https://desk.example.com/api | without a path
        public_url = "https://u:p@desk.example.com"   | public_url | https://u:p@desk.example.com | the origin
        public_url = "https://my_desk.example.com"    | public_url | https://my_desk.example.com | the origin
        public_url = true                             | public_url | true | the origin
        public_ulr = 1                                | public_ulr | | no such key
        listen = 8080                                 | listen | 8080 | 127.0.0.1:8080
        listen = "localhost"                          | listen | localhost | an address and a port
        database_url = "mysql://u:pw@host/db"         | database_url | (not shown) | postgres://
        database_url = "sqlite://:memory:"            | database_url | (not shown) | sqlite://path
        redis_url = "127.0.0.1:6379"                  | redis_url | (not shown) | redis://
    "#;
    for mistake in mistakes(top) {
        let with_url = LEAST.replace("public_url = \"https://desk.example.com\"\n", "");
        let text = match mistake.key {
            "public_url" => format!("{}\n{with_url}", mistake.written),
            _ => format!("{}\n{LEAST}", mistake.written),
        };
        expect_reported(&text, &mistake);
    }
    let missing = LEAST.replace("public_url", "listen");
    assert!(
        parse(&missing)
            .unwrap_err()
            .to_string()
            .contains("public_url: it is not set")
    );
}

#[test]
fn a_mistake_about_people_is_named_likewise() {
    let rows = r#"
        name = ""                | people[0].name  | "" | one word
        name = "Sergio B"        | people[0].name  | "Sergio B" | one word
        name = ["Sergio"]        | people[0].name  | "["Sergio"]" | one word
        phone = ""               | people[0].phone | "" | country code
        phone = "619-555-0111"   | people[0].phone | "619-555-0111" | country code
        phone = "+1619555011"    | people[0].phone | "+1619555011" | country code
        phone = 16195550111      | people[0].phone | "16195550111" | country code
        phone = "+16195550100"   | lines[0].number | +16195550100 | come back
        slack = "@sergio"        | people[0].slack | "@sergio" | member ID
        slack = "U0sergio"       | people[0].slack | "U0sergio" | member ID
        pone = "+16195550111"    | people[0].pone   | | no such key
    "#;
    for mistake in mistakes(rows) {
        let field = mistake.written.split(' ').next().unwrap_or_default();
        let person = "name = \"Sergio\"\nphone = \"+16195550111\"\n";
        let others = person.lines().filter(|line| !line.starts_with(field));
        let others: String = others.map(|line| format!("{line}\n")).collect();
        let text = LEAST.replace(person, &format!("{}\n{others}", mistake.written));
        expect_reported(&text, &mistake);
    }
}

#[test]
fn a_mistake_about_a_line_is_named_likewise() {
    let rows = r##"
        name = " "                    | lines[0].name | " " | what people call
        number = ""                   | lines[0].number | "" | country code
        channel = "qdn-dispatch"      | lines[0].channel | "qdn-dispatch" | #qdn-dispatch
        channel = "General"           | lines[0].channel | "General" | #qdn-dispatch
        channel = "#"                 | lines[0].channel | "#" | #qdn-dispatch
        screen = "yes"                | lines[0].screen | "yes" | true or false
        screening = true              | lines[0].screening | | no such key
        ring = []                     | lines[0].ring | [] | at least one step
        ring = [{ people = ["Sergio"] }]                  | lines[0].ring[0].seconds | | it is not set
        ring = [{ people = ["Sergio"], seconds = 4 }]     | lines[0].ring[0].seconds | 4 | 5 to 600
        ring = [{ people = ["Sergio"], seconds = 601 }]   | lines[0].ring[0].seconds | 601 | 5 to 600
        ring = [{ people = ["Sergio"], seconds = 15.5 }]  | lines[0].ring[0].seconds | 15.5 | whole seconds
        ring = [{ people = ["Sergio"], seconds = "15s" }] | lines[0].ring[0].seconds | "15s" | whole seconds
        ring = [{ people = [], seconds = 15 }]            | lines[0].ring[0].people | [] | 1 to 10
        ring = [{ seconds = 15 }]                         | lines[0].ring[0].people | | 1 to 10
        ring = [{ people = "Sergio", seconds = 15 }]      | lines[0].ring[0].people | "Sergio" | a list
        ring = [{ people = ["sergio"], seconds = 15 }]    | lines[0].ring[0].people | "sergio" | no [[people]] entry
        ring = [{ people = ["Sergio", "Sergio"], seconds = 15 }]     | lines[0].ring[0].people | "Sergio" | twice
        ring = [{ people = ["Sergio"], seconds = 15, always = 1 }]   | lines[0].ring[0].always | 1 | true or false
        ring = [{ people = ["Sergio"], seconds = 15, alwais = true }] | lines[0].ring[0].alwais | | no such key
    "##;
    let (before, line) = LEAST.split_once("[[lines]]\n").unwrap();
    for mistake in mistakes(rows) {
        let field = mistake.written.split(' ').next().unwrap_or_default();
        let others = line.lines().filter(|line| !line.starts_with(field));
        let others: String = others.map(|line| format!("{line}\n")).collect();
        let text = format!("{before}[[lines]]\n{}\n{others}", mistake.written);
        expect_reported(&text, &mistake);
    }
    assert!(
        parse(before)
            .unwrap_err()
            .to_string()
            .contains("lines: there must be at least one")
    );
}

#[test]
fn a_mistake_in_a_section_is_named_likewise() {
    let rows = r##"
        [twilio]; api_url = "http://example.com"  | twilio.api_url | http://example.com | https://api.twilio.com
        [slack]; api_url = "slack.com"            | slack.api_url | slack.com | https://slack.com/api/
        [slack]; token = "xoxb"                   | slack.token | | no such key
        [availability]; ttl = 300                 | availability.ttl | "300" | 5m
        [availability.status_urls]; Maria = "https://status.example" | availability.status_urls.Maria | https://status.example | no [[people]] entry
        [availability.status_urls]; Sergio = "status.example" | availability.status_urls.Sergio | status.example | http
        [delivery]; request_timeout = "10"        | delivery.request_timeout | "10" | the default is 10s
        [delivery]; backfill_every = "0s"         | delivery.backfill_every | "0s" | the default is 30s
        [delivery]; stale_reply = "400d"          | delivery.stale_reply | "400d" | 365d
        [delivery]; validity = "1500ms"           | delivery.validity | 1.5s | whole seconds
        [delivery]; validity = "11h"; settle_after = "12h" | delivery.validity | 39600s | 10h
        [delivery]; settle_after = "79s"          | delivery.settle_after | 79s | 80s
        [desk]; page_after = "-5m"                | desk.page_after | "-5m" | the default is 10m
        [desk]; timezone = "San Diego"            | desk.timezone | "San Diego" | America/Los_Angeles
        [connections]; max = 5                    | connections.max | 5 | 16 to 1000000
        [connections]; header_timeout = "soon"    | connections.header_timeout | "soon" | the default is 10s
        [connections]; trusted_proxies = ["proxy"] | connections.trusted_proxies | ["proxy"] | 203.0.113.7
        [connections]; trusted_proxies = "203.0.113.7" | connections.trusted_proxies | "203.0.113.7" | a list of addresses
        [[people]]; name = "sergio"; phone = "+16195550112" | people[1].name | sergio | initial
        [[lines]]; name = "qdn"; number = "+16195550101"; channel = "#b"; ring = [{ people = ["Sergio"], seconds = 5 }] | lines[1].name | qdn | another line
        [[lines]]; name = "B"; number = "+16195550100"; channel = "#b"; ring = [{ people = ["Sergio"], seconds = 5 }] | lines[1].number | +16195550100 | another line
    "##;
    for mistake in mistakes(rows) {
        let text = format!("{LEAST}{}\n", mistake.written.replace("; ", "\n"));
        expect_reported(&text, &mistake);
    }
    let same = LEAST.replace("phone =", "slack = \"U0SERGIO\"\nphone =");
    let text = format!(
        "{same}[[people]]\nname = \"Maria\"\nphone = \"+16195550112\"\nslack = \"U0SERGIO\"\n"
    );
    assert!(
        parse(&text)
            .unwrap_err()
            .to_string()
            .starts_with("people[1].slack = U0SERGIO: another person")
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let text = LEAST
        .replace("https://desk", "http://desk")
        .replace("seconds = 15", "seconds = 1")
        .replace("+16195550111", "911")
        + "[desk]\nremind_after = 5\nreminder = 1\n";
    let error = parse(&text).unwrap_err();
    let keys: Vec<&str> = error.0.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "desk.reminder",
            "people[0].phone",
            "lines[0].ring[0].people",
            "lines[0].ring[0].seconds",
            "public_url",
            "desk.remind_after"
        ]
    );
    assert_eq!(error.to_string().lines().count(), 6, "a line each: {error}");
}

#[test]
fn a_file_that_is_laid_out_otherwise_is_refused_with_its_line_and_without_its_words() {
    let rows = r#"
        database_url = "postgres://u:secret@host/db | qdn.toml, line 1 | |
        listen = "127.0.0.1:80"; [lines]; name = "QDN" | qdn.toml, line 2 | | [[lines]]
        listen = "127.0.0.1:80"; listen = "127.0.0.1:81" | qdn.toml, line 2 | | duplicate
        delivery = "10s" | qdn.toml, line 1 | |
        [[lines]]; ring = "Sergio" | qdn.toml, line 2 | | a list is written
    "#;
    for mistake in mistakes(rows) {
        let text = mistake.written.replace("; ", "\n");
        expect_reported(&text, &mistake);
        assert!(!parse(&text).unwrap_err().to_string().contains("u:secret"));
    }
}

#[test]
fn the_environment_overrides_the_file_and_an_empty_value_does_not() {
    let environment = Environment::of([
        ("QDN_PUBLIC_URL", "https://other.example.com/"),
        ("QDN_LISTEN", "0.0.0.0:80"),
        ("QDN_DATABASE_URL", "postgres://localhost/qdn"),
        ("QDN_REDIS_URL", "redis://127.0.0.1:6379"),
    ]);
    let config = Config::parse(LEAST, &environment).unwrap();
    assert_eq!(config.public_url, "https://other.example.com");
    assert_eq!(config.listen.port(), 80);
    assert_eq!(config.database_url.as_str(), "postgres://localhost/qdn");
    assert_eq!(
        config.redis_url.as_ref().map(DatabaseUrl::as_str),
        Some("redis://127.0.0.1:6379")
    );

    let empty = Environment::of([("QDN_PUBLIC_URL", ""), ("QDN_REDIS_URL", "")]);
    let config = Config::parse(LEAST, &empty).unwrap();
    assert_eq!(config.public_url, "https://desk.example.com");
    assert_eq!(config.redis_url, None);

    let wrong = Environment::of([("QDN_LISTEN", "8080")]);
    let ConfigError(found) = Config::parse(LEAST, &wrong).unwrap_err();
    assert_eq!(
        (found[0].key.as_str(), found[0].value.as_str()),
        ("listen", "8080")
    );
}

#[test]
fn a_password_in_an_address_is_never_shown() {
    let environment = Environment::of([("QDN_DATABASE_URL", "postgres://u:secret@host/db")]);
    let config = Config::parse(LEAST, &environment).unwrap();
    assert!(!format!("{config:?}").contains("secret"));
    let text = format!("redis_url = \"redis://:secret@host\"\n{LEAST}");
    assert!(!format!("{:?}", parse(&text).unwrap()).contains("secret"));
}
