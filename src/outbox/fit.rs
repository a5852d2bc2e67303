//! Making a file fit for a phone: pictures that are too large are scaled down, what no carrier takes is refused.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits, Rgba, RgbaImage};

use crate::delivery::Unfit;
use crate::media::{self, Fitness, MOST_BYTES_AS_IT_IS};

/// More pixels than this no camera of a phone makes; whoever sends more wants our memory.
const MOST_PIXELS: u64 = 60_000_000;

/// The longest side.
const LONGEST: u32 = 20_000;

/// What the decoder may take.
const MOST_MEMORY: u64 = 320 * 1024 * 1024;

/// The longest side and the quality of each try to make a picture smaller.
const TRIES: [(u32, u8); 6] = [
    (2_560, 85),
    (2_048, 80),
    (1_600, 75),
    (1_280, 70),
    (960, 60),
    (640, 50),
];

/// The file as it can be sent within so many bytes, and its type.
pub(super) fn fit(
    bytes: Vec<u8>,
    content_type: &str,
    most: usize,
) -> Result<(Vec<u8>, String), Unfit> {
    let essence = media::essence(content_type);
    match media::fitness(&essence) {
        Fitness::No => Err(Unfit::OfNoKind),
        Fitness::AsItIs if bytes.len() > MOST_BYTES_AS_IT_IS.min(most) => Err(Unfit::TooLarge),
        Fitness::AsItIs => Ok((bytes, essence)),
        Fitness::Picture if bytes.len() <= most => {
            // Twilio refuses a type that does not fit the bytes, whatever Slack took them for.
            let found = image::guess_format(&bytes).map(|format| format.to_mime_type());
            Ok(match found {
                Ok(found) if media::fitness(found) == Fitness::Picture => (bytes, found.to_owned()),
                _ if essence == "image/jpg" => (bytes, "image/jpeg".to_owned()),
                _ => (bytes, essence),
            })
        }
        // Of a moving picture only its first moment would be left.
        Fitness::Picture if essence == "image/gif" => Err(Unfit::TooLarge),
        Fitness::Picture | Fitness::OtherPicture => {
            let smaller = scale(&bytes, most)?;
            Ok((smaller, "image/jpeg".to_owned()))
        }
    }
}

fn scale(bytes: &[u8], most: usize) -> Result<Vec<u8>, Unfit> {
    let picture = decode(bytes).map_err(|error| {
        tracing::info!(error = %error, "a dispatcher's picture cannot be read");
        Unfit::Unreadable
    })?;
    let mut picture = on_white(picture?);
    for (longest, quality) in TRIES {
        if picture.width().max(picture.height()) > longest {
            picture = picture.thumbnail(longest, longest);
        }
        let mut smaller = Vec::new();
        let encoder = JpegEncoder::new_with_quality(&mut smaller, quality);
        if picture.write_with_encoder(encoder).is_err() {
            return Err(Unfit::Unreadable);
        }
        if smaller.len() <= most {
            return Ok(smaller);
        }
    }
    Err(Unfit::TooLarge)
}

fn decode(bytes: &[u8]) -> image::ImageResult<Result<DynamicImage, Unfit>> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST);
    limits.max_image_height = Some(LONGEST);
    limits.max_alloc = Some(MOST_MEMORY);
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Ok(Err(Unfit::TooLarge));
    }
    // A phone held upright writes that beside the pixels, and it is lost when they are written anew.
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(Ok(picture))
}

/// What is transparent is shown on white, as it is in Slack.
fn on_white(picture: DynamicImage) -> DynamicImage {
    if !picture.color().has_alpha() {
        return DynamicImage::ImageRgb8(picture.into_rgb8());
    }
    let picture = picture.into_rgba8();
    let white = Rgba([255, 255, 255, 255]);
    let mut below = RgbaImage::from_pixel(picture.width(), picture.height(), white);
    image::imageops::overlay(&mut below, &picture, 0, 0);
    DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(below).into_rgb8())
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageFormat, RgbImage};

    fn noise(width: u32, height: u32) -> DynamicImage {
        let mut seed = 1_u32;
        let mut random = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        };
        let picture = RgbImage::from_fn(width, height, |_, _| {
            image::Rgb([random(), random(), random()])
        });
        DynamicImage::ImageRgb8(picture)
    }

    fn written(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let png = written(&noise(8, 8), ImageFormat::Png);
        let fitted = fit(png.clone(), "image/png", 5_000).unwrap();
        assert_eq!(fitted, (png.clone(), "image/png".to_owned()));
        // Slack took it for something else.
        let fitted = fit(png.clone(), "image/jpeg", 5_000).unwrap();
        assert_eq!(fitted, (png, "image/png".to_owned()));
        let fitted = fit(vec![1; 9], "audio/mpeg", 5_000).unwrap();
        assert_eq!(fitted, (vec![1; 9], "audio/mpeg".to_owned()));
    }

    #[test]
    fn what_is_too_large_is_scaled_down_or_refused() {
        let png = written(&noise(400, 300), ImageFormat::Png);
        assert!(png.len() > 300_000);
        let (bytes, content_type) = fit(png, "image/png", 120_000).unwrap();
        assert!(bytes.len() <= 120_000);
        assert_eq!(content_type, "image/jpeg");
        let smaller = image::load_from_memory(&bytes).unwrap();
        assert_eq!((smaller.width(), smaller.height()), (400, 300));
        for (bytes, content_type, unfit) in [
            (vec![0; 600_000], "video/mp4", Unfit::TooLarge),
            (vec![0; 600_000], "image/gif", Unfit::TooLarge),
            (vec![0; 600_000], "image/png", Unfit::Unreadable),
            (vec![0; 10], "image/heic", Unfit::OfNoKind),
            (vec![0; 10], "application/zip", Unfit::OfNoKind),
            (vec![0; 10], "image/webp", Unfit::Unreadable),
        ] {
            assert_eq!(
                fit(bytes, content_type, 100_000),
                Err(unfit),
                "{content_type}"
            );
        }
    }

    #[test]
    fn what_is_transparent_becomes_white() {
        let clear = DynamicImage::ImageRgba8(RgbaImage::new(4, 4));
        let webp = written(&clear, ImageFormat::WebP);
        let (jpeg, content_type) = fit(webp, "image/webp", 100_000).unwrap();
        assert_eq!(content_type, "image/jpeg");
        let pixel = image::load_from_memory(&jpeg).unwrap().into_rgb8();
        assert!(pixel.get_pixel(1, 1).0.iter().all(|part| *part > 250));
    }

    #[test]
    fn a_picture_that_claims_to_be_huge_is_not_decoded() {
        // The head of a PNG of 50,000 by 50,000 pixels.
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        png.extend(50_000_u32.to_be_bytes());
        png.extend(50_000_u32.to_be_bytes());
        png.extend([8, 2, 0, 0, 0, 0, 0, 0, 0]);
        png.resize(200_000, 0);
        assert!(fit(png, "image/png", 100_000).is_err());
    }
}
