//! Files that a dispatcher puts in a thread: what can be sent at all, and which of it leaves with which words.

use crate::bridge::wording::pictures;
use crate::delivery::{self, Delivery, Enclosure, FileState, OutboundMedia, ReplyWithFiles, Unfit};
use crate::media::{Fitness, MOST_BYTES, MOST_BYTES_AS_IT_IS, MOST_FILES, fitness};
use crate::slack::event::File;
use crate::store::outbox::Row;
use crate::store::{Tx, conversations, media};

/// The words and what was put beside them.
pub(crate) fn enclose(slack_text: &str, files: &[File]) -> Delivery {
    let files = files.iter().map(|file| {
        let url = file
            .url_private_download
            .as_ref()
            .or(file.url_private.as_ref());
        Enclosure {
            file: file.id.clone(),
            name: file.name.clone().unwrap_or_default(),
            mimetype: file.mimetype.clone().unwrap_or_default(),
            size: file.size,
            url: url.cloned().unwrap_or_default(),
            fate: match unfit(file) {
                Some(unfit) => FileState::Unfit(unfit),
                None => FileState::Waiting,
            },
        }
    });
    Delivery::ReplyWithFiles(ReplyWithFiles {
        slack_text: slack_text.to_owned(),
        files: files.collect(),
        counted: 0,
    })
}

/// Why a file need not even be fetched.
fn unfit(file: &File) -> Option<Unfit> {
    if file.is_gone() {
        return Some(Unfit::Deleted);
    }
    let is_elsewhere = file.file_access.as_deref() == Some("check_file_info")
        || file.mode.as_deref() == Some("external")
        || (file.url_private.is_none() && file.url_private_download.is_none());
    if is_elsewhere {
        return Some(Unfit::Elsewhere);
    }
    match fitness(file.mimetype.as_deref().unwrap_or_default()) {
        Fitness::No => Some(Unfit::OfNoKind),
        Fitness::AsItIs
            if file
                .size
                .is_some_and(|size| size > MOST_BYTES_AS_IT_IS as u64) =>
        {
            Some(Unfit::TooLarge)
        }
        _ => None,
    }
}

/// Saves the state of each file of a row.
pub(crate) async fn save(tx: &mut Tx, row: &Row, enclosing: &ReplyWithFiles) -> anyhow::Result<()> {
    for file in &enclosing.files {
        if let FileState::Ready(medium) = &file.fate {
            media::insert(tx, &row.conversation_id, &row.message_id, medium).await?;
        }
    }
    Ok(())
}

/// What takes the place of a row whose words are `bodies`: its files go with the first of them.
pub(crate) fn pack(row: &Row, bodies: &[String]) -> anyhow::Result<Vec<Delivery>> {
    let words = |body: &String| Delivery::Sms { body: body.clone() };
    let Delivery::ReplyWithFiles(enclosing) = row.delivery()? else {
        return Ok(bodies.iter().map(words).collect());
    };
    let ready = enclosing
        .files
        .into_iter()
        .filter_map(|file| match file.fate {
            FileState::Ready(medium) => Some(medium),
            _ => None,
        });
    let mut parcels = parcels(ready).into_iter();
    let mut texts = Vec::new();
    if let Some(media) = parcels.next() {
        let body = bodies.first().cloned().unwrap_or_default();
        texts.push(Delivery::Mms { body, media });
        texts.extend(bodies.iter().skip(1).map(words));
    } else {
        texts.extend(bodies.iter().map(words));
    }
    texts.extend(parcels.map(|media| Delivery::Mms {
        body: String::new(),
        media,
    }));
    Ok(texts)
}

/// As many files together as one text takes, in order.
fn parcels(media: impl Iterator<Item = OutboundMedia>) -> Vec<Vec<String>> {
    let mut parcels: Vec<Vec<String>> = Vec::new();
    let mut bytes = 0;
    for medium in media {
        let size = usize::try_from(medium.size).unwrap_or(MOST_BYTES);
        match parcels.last_mut() {
            Some(last) if last.len() < MOST_FILES && bytes + size <= MOST_BYTES => {
                last.push(medium.id);
                bytes += size;
            }
            _ => {
                parcels.push(vec![medium.id]);
                bytes = size;
            }
        }
    }
    parcels
}

/// Says which files are left out, and why; `false` if none is.
pub(crate) async fn tell_left_out(tx: &mut Tx, row: &Row) -> anyhow::Result<bool> {
    let Delivery::ReplyWithFiles(enclosing) = row.delivery()? else {
        return Ok(false);
    };
    let left_out = enclosing.files.iter().filter_map(|file| match &file.fate {
        FileState::Unfit(unfit) => Some(pictures::not_sent(&file.name, *unfit)),
        _ => None,
    });
    let left_out: Vec<String> = left_out.collect();
    if left_out.is_empty() {
        return Ok(false);
    }
    let conversation = conversations::by_id(&mut *tx, &row.conversation_id).await?;
    let sentences = left_out.join("\n").into();
    delivery::enqueue_notice(tx, &conversation.line, &conversation.id, sentences).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_leave_together_as_far_as_one_text_takes_them() {
        let sizes = |sizes: &[usize]| -> Vec<usize> {
            let media = sizes.iter().enumerate().map(|(n, size)| OutboundMedia {
                id: n.to_string(),
                content_type: "image/png".into(),
                size: *size as i64,
            });
            let parcels = parcels(media);
            let ids: Vec<String> = parcels.concat();
            assert!(ids.iter().enumerate().all(|(n, id)| *id == n.to_string()));
            parcels.iter().map(Vec::len).collect()
        };
        assert_eq!(sizes(&[]), Vec::<usize>::new());
        assert_eq!(sizes(&[1; 10]), [10]);
        assert_eq!(sizes(&[1; 11]), [10, 1]);
        assert_eq!(sizes(&[MOST_BYTES, 1]), [1, 1]);
        assert_eq!(sizes(&[MOST_BYTES - 1, 1, 1]), [2, 1]);
        assert_eq!(sizes(&[3_000_000, 3_000_000, 2_000_000]), [1, 2]);
    }
}
