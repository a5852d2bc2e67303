//! `qdn-relay audit`: prints and verifies the audit trail.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};

use super::{Failed, open_existing};
use crate::clock::Clock;
use crate::config::{Config, Environment, parse_duration};
use crate::phone::PhoneNumber;
use crate::store::audit::{Entry, Filter, Link};

/// What `audit` takes.
#[derive(Debug, Args)]
pub(super) struct Audit {
    /// Not before this: 2026-07-01, 2026-07-01T08:00:00Z, or 2h for two hours ago.
    #[arg(long)]
    since: Option<String>,
    /// Before this, written likewise.
    #[arg(long)]
    until: Option<String>,
    /// One call's rows.
    #[arg(long, value_name = "CALLSID")]
    call: Option<String>,
    /// One caller's rows.
    #[arg(long)]
    number: Option<String>,
    /// How to print them.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Walks the whole chain and says whether anything was changed, added or removed.
    Verify(Verify),
}

/// What `audit verify` takes.
#[derive(Debug, Args)]
struct Verify {
    /// A row that must be there, as the log or an earlier run shows it; may be given several times.
    #[arg(long, value_name = "SEQ:HASH", value_parser = link)]
    expect: Vec<Link>,
}

/// Parses `12:3f…`: the number of a row and its full hash.
fn link(text: &str) -> Result<Link, String> {
    let parsed = text.split_once(':').and_then(|(seq, hash)| {
        let seq: i64 = seq.parse().ok()?;
        let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        (seq > 0 && is_hash).then(|| Link {
            seq,
            hash: hash.to_ascii_lowercase(),
        })
    });
    parsed.ok_or_else(|| {
        "it must be the number of a row, a colon and its 64 hexadecimal digits".to_owned()
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Jsonl,
    Csv,
}

pub(super) async fn run(
    audit: Audit,
    path: &Path,
    environment: &Environment,
) -> Result<(), Failed> {
    let config = Config::load(path, environment)?;
    let filter = Filter {
        since: audit
            .since
            .as_deref()
            .map(|text| time("--since", text, &config))
            .transpose()?,
        until: audit
            .until
            .as_deref()
            .map(|text| time("--until", text, &config))
            .transpose()?,
        subject: audit.call,
        number: audit.number.as_deref().map(number).transpose()?,
    };
    let store = open_existing(&config).await?;
    if let Some(Action::Verify(Verify { expect })) = audit.action {
        return match store.verify_audit(&expect).await? {
            Ok(end) => {
                println!("{}", intact(&end, expect.len()));
                Ok(())
            }
            Err(broken) => {
                Err(
                    anyhow::anyhow!("the chain is broken at row {}: {}", broken.seq, broken.what)
                        .into(),
                )
            }
        };
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let mut after = 0;
    let mut printed = header(&mut out, audit.format);
    loop {
        let page = store.audit_page(&filter, after).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        printed = printed.and_then(|()| {
            page.iter()
                .try_for_each(|entry| print(&mut out, audit.format, entry))
        });
        if printed.is_err() {
            break;
        }
    }
    match printed.and_then(|()| out.flush()) {
        // The reader of our output has closed the pipe, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written.context("writing to standard output")?),
    }
}

/// Returns the message for an intact chain. Without expected rows it only proves that nobody changed single rows, since
/// somebody could have rewritten the whole chain.
fn intact(end: &Link, expected: usize) -> String {
    let Link { seq, hash } = end;
    match (seq, expected) {
        (0, _) => "0 rows, the chain is intact".to_owned(),
        (_, 0) => format!(
            "{seq} rows, the chain is intact. It ends with {seq}:{hash}; note that elsewhere, and give it to --expect later"
        ),
        (_, expected) => format!(
            "{seq} rows, the chain is intact and has the {expected} expected rows. It ends with {seq}:{hash}"
        ),
    }
}

fn header(out: &mut impl Write, format: Format) -> io::Result<()> {
    match format {
        Format::Table => writeln!(
            out,
            "{:>6}  {:<20}  {:<10}  {:<16}  {:<22}  {:<36}  why",
            "id", "time (UTC)", "line", "number", "decision", "subject"
        ),
        Format::Jsonl => Ok(()),
        Format::Csv => writeln!(
            out,
            "id,time,line,number,subject,decision,reason,detail,previous,hash"
        ),
    }
}

fn print(out: &mut impl Write, format: Format, entry: &Entry) -> io::Result<()> {
    let time = entry.time();
    match format {
        Format::Table => writeln!(
            out,
            "{:>6}  {:<20}  {:<10}  {:<16}  {:<22}  {:<36}  {}",
            entry.seq,
            time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            shown(&entry.line),
            shown(&entry.number),
            entry.decision,
            shown(&entry.subject),
            shown(&entry.reason)
        ),
        Format::Jsonl => {
            let detail: serde_json::Value = serde_json::from_str(&entry.detail).unwrap_or_default();
            let row = serde_json::json!({
                "id": entry.seq, "time": time.to_string(), "line": entry.line, "number": entry.number, "subject": entry.subject,
                "decision": entry.decision, "reason": entry.reason, "detail": detail, "previous": entry.previous, "hash": entry.hash,
            });
            writeln!(out, "{row}")
        }
        Format::Csv => {
            let (seq, time) = (entry.seq.to_string(), time.to_string());
            let fields = [
                &seq,
                &time,
                &entry.line,
                &entry.number,
                &entry.subject,
                &entry.decision,
                &entry.reason,
                &entry.detail,
                &entry.previous,
                &entry.hash,
            ];
            writeln!(out, "{}", fields.map(|field| quoted(field)).join(","))
        }
    }
}

/// Replaces control characters, so that a row is one line and cannot control the terminal.
fn shown(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// Quotes a CSV field. A field that a spreadsheet would evaluate as a formula gets a leading apostrophe; phone numbers do
/// not.
fn quoted(field: &str) -> String {
    let is_number = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    let is_formula = match field.strip_prefix('+') {
        Some(rest) => !is_number(rest),
        None => field.starts_with(['=', '@', '-', '\t', '\r']),
    };
    let guard = if is_formula { "'" } else { "" };
    format!("\"{guard}{}\"", field.replace('"', "\"\""))
}

/// Parses a phone number as people type it, or a short code.
fn number(text: &str) -> Result<String, Failed> {
    let is_short_code =
        (3..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_short_code {
        return Ok(text.to_owned());
    }
    PhoneNumber::parse_in(text, "US")
        .map(|number| number.as_str().to_owned())
        .map_err(|_| {
            Failed::Usage(format!(
                "--number {text}: it must be a phone number, such as +16195550142"
            ))
        })
}

/// Parses a date, a timestamp, or a duration before now.
fn time(argument: &str, text: &str, config: &Config) -> Result<Timestamp, Failed> {
    let ago = || {
        let ago = SignedDuration::try_from(parse_duration(text)?).ok()?;
        Clock::System.now().checked_sub(ago).ok()
    };
    let day = || {
        let day: civil::Date = text.parse().ok()?;
        let zone: &TimeZone = &config.desk.timezone;
        Some(day.to_zoned(zone.clone()).ok()?.timestamp())
    };
    ago().or_else(|| text.parse().ok()).or_else(day).ok_or_else(|| {
        Failed::Usage(format!("{argument} {text}: it must be a day (2026-07-01), a moment (2026-07-01T08:00:00Z) or a time ago (2h)"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_is_a_formula_to_a_spreadsheet() {
        for (field, expected) in [
            ("plain", "\"plain\""),
            ("+16195550142", "\"+16195550142\""),
            ("+cmd|' /C calc'!A0", "\"'+cmd|' /C calc'!A0\""),
            ("=1+1", "\"'=1+1\""),
            ("-1", "\"'-1\""),
            ("@sum", "\"'@sum\""),
            ("a \"b\", c", "\"a \"\"b\"\", c\""),
            ("", "\"\""),
        ] {
            assert_eq!(quoted(field), expected);
        }
    }

    #[test]
    fn a_row_of_the_table_is_one_line() {
        assert_eq!(shown("a\nb\u{1b}[2Jc\td"), "a b [2Jc d");
    }

    #[test]
    fn numbers_are_taken_as_people_type_them() {
        for (text, expected) in [
            ("(619) 555-0142", Some("+16195550142")),
            ("+1 619 555 0142", Some("+16195550142")),
            ("28849", Some("28849")),
            ("anonymous", None),
            ("+1619", None),
        ] {
            assert_eq!(number(text).ok().as_deref(), expected, "{text}");
        }
    }
}
