//! Stores the media of outbound texts in a folder and signs the URLs from which Twilio fetches them.
//!
//! A URL contains the file's id, its expiry and a signature over both. The signing key is derived from the auth token, so
//! that URLs stay valid over a restart. During a rotation, URLs signed with the previous token are also valid.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use tokio::io::AsyncWriteExt;

use crate::private_files;

/// A file made fit for a phone, as outbox payloads and the database have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OutboundMedia {
    pub(crate) id: String,
    pub(crate) content_type: String,
    /// Bytes.
    pub(crate) size: i64,
}

/// The most bytes of all files of one text
/// (<https://www.twilio.com/docs/messaging/guides/accepted-mime-types>).
pub(crate) const MOST_BYTES: usize = 5_000_000;

/// The most bytes of a file that Twilio does not resize. Many carriers accept little more.
pub(crate) const MOST_BYTES_AS_IT_IS: usize = 500_000;

/// The most files of one text.
pub(crate) const MOST_FILES: usize = 10;

/// The context string of the key derivation.
const PURPOSE: &[u8] = b"qdn-relay: addresses of media";

/// Whether and how a file of a type can be texted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fitness {
    /// A picture that Twilio resizes for the recipient's phone.
    InboundFile,
    /// A picture that has to be converted to another format first.
    OtherPicture,
    /// It is sent unchanged.
    AsItIs,
    /// It cannot be sent.
    No,
}

/// The types other than pictures that Twilio sends unchanged.
const AS_IT_IS: [&str; 27] = [
    "application/pdf",
    "application/vcard",
    "audio/3gpp",
    "audio/3gpp2",
    "audio/aac",
    "audio/ac3",
    "audio/amr",
    "audio/amr-nb",
    "audio/basic",
    "audio/mp4",
    "audio/mpeg",
    "audio/ogg",
    "audio/webm",
    "text/calendar",
    "text/csv",
    "text/directory",
    "text/richtext",
    "text/rtf",
    "text/vcard",
    "text/x-vcard",
    "video/3gpp",
    "video/3gpp2",
    "video/h264",
    "video/mp4",
    "video/mpeg",
    "video/quicktime",
    "video/webm",
];

/// Returns a MIME type without its parameters, in lower case.
pub(crate) fn essence(content_type: &str) -> String {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// Returns whether and how a file of this MIME type can be texted.
pub(crate) fn fitness(content_type: &str) -> Fitness {
    match essence(content_type).as_str() {
        "image/jpeg" | "image/jpg" | "image/png" | "image/gif" => Fitness::InboundFile,
        "image/webp" => Fitness::OtherPicture,
        other if AS_IT_IS.contains(&other) => Fitness::AsItIs,
        _ => Fitness::No,
    }
}

/// Returns the URL of a file, valid until `expires`.
pub(crate) fn address(
    public_url: &str,
    secret: &SecretString,
    id: &str,
    expires: Timestamp,
) -> String {
    let expires = expires.as_second();
    let signature = hex::encode(sign(secret, id, expires));
    format!("{public_url}/api/twilio/media/{id}/{expires}.{signature}")
}

/// Whether `signed`, the last part of a file's URL, has a valid signature of `id` and has not expired.
pub(crate) fn is_good<'a>(
    secrets: impl IntoIterator<Item = &'a SecretString>,
    id: &str,
    signed: &str,
    now: Timestamp,
) -> bool {
    let Some((end, signature)) = signed.split_once('.') else {
        return false;
    };
    let (Ok(expires), Ok(signature)) = (end.parse::<i64>(), hex::decode(signature)) else {
        return false;
    };
    // Try all secrets, so that the time taken does not reveal which one fits.
    let is_ours = secrets.into_iter().fold(false, |found, secret| {
        found | bool::from(sign(secret, id, expires).ct_eq(&signature))
    });
    is_ours && end == expires.to_string() && now.as_second() < expires
}

fn sign(secret: &SecretString, id: &str, expires: i64) -> Vec<u8> {
    let key = hmac(secret.expose_secret().as_bytes(), PURPOSE);
    hmac(&key, format!("{id}.{expires}").as_bytes())
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    // HMAC accepts keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// Whether the text is an id of ours, so that it cannot lead out of the folder.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn path(folder: &Path, id: &str) -> Option<PathBuf> {
    is_id(id).then(|| folder.join(id))
}

/// Writes a file atomically: under its name it is complete or does not exist.
pub(crate) async fn save(folder: &Path, id: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let path = path(folder, id).context("the id of a file")?;
    let unfinished = folder.join(format!("{id}.part"));
    let saved = async {
        let mut builder = tokio::fs::DirBuilder::new();
        builder.recursive(true).mode(private_files::FOLDER);
        builder.create(folder).await?;
        let mut options = tokio::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        let mut file = options.mode(private_files::FILE).open(&unfinished).await?;
        file.write_all(bytes).await?;
        file.sync_all().await?;
        tokio::fs::rename(&unfinished, &path).await
    };
    saved
        .await
        .with_context(|| format!("keeping a file in {}", folder.display()))
}

/// Removes other users' access to the folder and its files, which an earlier version may have left open.
pub(crate) fn close_to_others(folder: &Path) {
    if !folder.is_dir() {
        return;
    }
    private_files::close_to_others(folder, private_files::FOLDER);
    for file in files(folder) {
        private_files::close_to_others(&file, private_files::FILE);
    }
}

/// Returns our files in the folder, complete and incomplete ones.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = private_files::in_folder(folder);
    files.retain(|file| {
        let name = file.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| is_id(name.strip_suffix(".part").unwrap_or(name)))
    });
    files
}

/// Returns the bytes of a file; `None` if it does not exist or cannot be read.
pub(crate) async fn read(folder: &Path, id: &str) -> Option<Vec<u8>> {
    tokio::fs::read(path(folder, id)?).await.ok()
}

/// Whether a file exists.
pub(crate) async fn exists(folder: &Path, id: &str) -> bool {
    match path(folder, id) {
        Some(path) => tokio::fs::try_exists(path).await.unwrap_or(false),
        None => false,
    }
}

/// Removes every file of ours that is older than `age` and for which `is_known` is false.
pub(crate) async fn remove_others(
    folder: &Path,
    now: Timestamp,
    age: Duration,
    is_known: impl Fn(&str) -> bool,
) -> anyhow::Result<()> {
    let mut entries = match tokio::fs::read_dir(folder).await {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).context("reading the folder of files"),
    };
    while let Some(entry) = entries.next_entry().await? {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let id = name.strip_suffix(".part").unwrap_or(name);
        // Leave files that are not ours.
        if !is_id(id) || (id == name && is_known(id)) {
            continue;
        }
        let written = Timestamp::try_from(entry.metadata().await?.modified()?)?;
        let is_old = Duration::try_from(now.duration_since(written)).is_ok_and(|old| old > age);
        if is_old {
            tokio::fs::remove_file(entry.path()).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn an_address_is_good_until_its_end_and_for_its_file_alone() {
        let (ours, other) = (SecretString::from("token"), SecretString::from("other"));
        let address = address("https://desk.example.com", &ours, "abc123", at(2_000));
        let rest = address.strip_prefix("https://desk.example.com/api/twilio/media/abc123/");
        let signed = rest.unwrap();
        let good = |secret: &SecretString, id: &str, signed: &str, now: i64| {
            is_good([secret], id, signed, at(now))
        };
        assert!(good(&ours, "abc123", signed, 1_999));
        assert!(is_good([&other, &ours], "abc123", signed, at(0)));
        assert!(!good(&ours, "abc123", signed, 2_000));
        assert!(!good(&ours, "abc124", signed, 1));
        assert!(!good(&other, "abc123", signed, 1));
        for tampered in [
            signed.replacen("2000", "9000", 1),
            signed.replacen("2000", "02000", 1),
            format!("+{signed}"),
            signed.to_uppercase().replace('.', ""),
            format!("{signed}00"),
            signed[..signed.len() - 2].to_owned(),
            "2000.".to_owned(),
            String::new(),
        ] {
            assert!(!good(&ours, "abc123", &tampered, 1), "{tampered}");
        }
    }

    #[tokio::test]
    async fn a_file_is_saved_and_removed_and_nothing_leads_out_of_the_folder() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("media");
        save(&folder, "abc123", b"bytes").await.unwrap();
        assert_eq!(read(&folder, "abc123").await.unwrap(), b"bytes");
        for id in ["../secret", "", ".", "abc123.part", "a/b", "a\\b"] {
            assert!(save(&folder, id, b"x").await.is_err(), "{id}");
            assert_eq!(read(&folder, id).await, None, "{id}");
        }
        save(&folder, "known1", b"x").await.unwrap();
        let later = Timestamp::MAX;
        let known = |id: &str| id == "known1";
        remove_others(&folder, Timestamp::UNIX_EPOCH, Duration::ZERO, known)
            .await
            .unwrap();
        assert!(exists(&folder, "abc123").await, "it is young");
        remove_others(&folder, later, Duration::ZERO, known)
            .await
            .unwrap();
        assert!(!exists(&folder, "abc123").await);
        assert!(exists(&folder, "known1").await);
    }
}
