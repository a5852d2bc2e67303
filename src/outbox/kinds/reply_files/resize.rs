//! Fits a file to a phone: scales down pictures that are too large, refuses types that no carrier accepts.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits, Rgba, RgbaImage};

use crate::delivery::Unfit;
use crate::media::{self, Fitness, MOST_BYTES_AS_IT_IS};

/// The most pixels: what cameras of phones make when they do not join several into one. Whoever sends more wants our memory.
const MOST_PIXELS: u64 = 50_000_000;

/// The most bytes those may take once they are decoded: enough for that many in color, without transparency.
const MOST_DECODED: u64 = 150_000_000;

/// The longest side.
const LONGEST: u32 = 20_000;

/// What the decoder may take beside them.
const MOST_MEMORY: u64 = 192 * 1024 * 1024;

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
        Fitness::InboundFile if bytes.len() <= most => {
            // Twilio refuses a type that does not fit the bytes, whatever Slack took them for.
            let found = image::guess_format(&bytes).map(|format| format.to_mime_type());
            Ok(match found {
                Ok(found) if media::fitness(found) == Fitness::InboundFile => {
                    (bytes, found.to_owned())
                }
                _ if essence == "image/jpg" => (bytes, "image/jpeg".to_owned()),
                _ => (bytes, essence),
            })
        }
        // Of a moving picture only its first moment would be left.
        Fitness::InboundFile if essence == "image/gif" => Err(Unfit::TooLarge),
        Fitness::InboundFile | Fitness::OtherPicture => {
            let smaller = scale(&bytes, most)?;
            Ok((smaller, "image/jpeg".to_owned()))
        }
    }
}

fn scale(bytes: &[u8], most: usize) -> Result<Vec<u8>, Unfit> {
    let decoded = decode(bytes).map_err(|error| {
        tracing::info!(error = %error, "a dispatcher's picture cannot be read");
        Unfit::Unreadable
    })?;
    let (picture, orientation) = decoded?;
    // Made small before anything is copied: the pixels as they came are the most of it that is ever held.
    let (longest, _) = TRIES[0];
    let mut picture = match on_white_in_place(picture) {
        picture if picture.width().max(picture.height()) > longest => {
            picture.thumbnail(longest, longest)
        }
        picture => picture,
    };
    picture.apply_orientation(orientation);
    let mut picture = on_white(picture);
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

/// The pixels as they are stored, and how they have to be turned.
fn decode(bytes: &[u8]) -> image::ImageResult<Result<(DynamicImage, Orientation), Unfit>> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST);
    limits.max_image_height = Some(LONGEST);
    limits.max_alloc = Some(MOST_MEMORY);
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MOST_PIXELS || decoder.total_bytes() > MOST_DECODED {
        return Ok(Err(Unfit::TooLarge));
    }
    // A phone held upright writes that beside the pixels, and it is lost when they are written anew.
    let orientation = decoder.orientation()?;
    Ok(Ok((DynamicImage::from_decoder(decoder)?, orientation)))
}

/// Puts the most common kind of transparent picture on white without a copy, so that its edges are right when it is made
/// smaller; others are left as they are.
fn on_white_in_place(mut picture: DynamicImage) -> DynamicImage {
    if let DynamicImage::ImageRgba8(pixels) = &mut picture {
        for pixel in pixels.pixels_mut() {
            let [.., alpha] = pixel.0;
            let alpha = u32::from(alpha);
            for part in &mut pixel.0[..3] {
                let mixed = (u32::from(*part) * alpha + 255 * (255 - alpha) + 127) / 255;
                *part = u8::try_from(mixed).unwrap_or(u8::MAX);
            }
            pixel.0[3] = u8::MAX;
        }
    }
    picture
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

    /// The most memory this process has held since it was last asked to forget that, in MiB.
    fn peak() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM"));
        let kilobytes = line.unwrap().split_whitespace().nth(1).unwrap();
        kilobytes.parse::<u64>().unwrap() / 1024
    }

    #[test]
    #[ignore = "a measurement, to be run alone"]
    fn the_largest_pictures_take_no_more_memory_than_this() {
        for (width, height, is_transparent, format) in [
            (20_000, 3_000, true, ImageFormat::Png),
            (8_000, 6_000, false, ImageFormat::Png),
            (8_000, 6_000, false, ImageFormat::Jpeg),
            (6_000, 6_000, true, ImageFormat::Png),
        ] {
            let picture = if is_transparent {
                DynamicImage::ImageRgba8(RgbaImage::new(width, height))
            } else {
                DynamicImage::ImageRgb8(RgbImage::new(width, height))
            };
            let bytes = written(&picture, format);
            drop(picture);
            std::fs::write("/proc/self/clear_refs", "5").unwrap();
            let before = peak();
            let fitted = fit(bytes, format.to_mime_type(), 2_000);
            let took = peak() - before;
            println!(
                "{width} by {height} {format:?} transparent {is_transparent}: {took} MiB, {:?}",
                fitted.map(|(bytes, _)| bytes.len())
            );
            assert!(took < 256, "{took} MiB");
        }
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

    /// The first bytes of a PNG of this size with 8 bits a channel; what is behind them is no picture.
    fn head_of_png(width: u32, height: u32, color_type: u8) -> Vec<u8> {
        let mut head = b"IHDR".to_vec();
        head.extend(width.to_be_bytes());
        head.extend(height.to_be_bytes());
        head.extend([8, color_type, 0, 0, 0]);
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\r".to_vec();
        png.extend(&head);
        png.extend(crc32(&head).to_be_bytes());
        png.extend(b"\0\0\0\0IDAT");
        png.extend(crc32(b"IDAT").to_be_bytes());
        png.resize(200_000, 0);
        png
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ (0xedb8_8320 * (crc & 1))
            })
        })
    }

    #[test]
    fn a_picture_with_too_many_pixels_is_refused_before_it_is_decoded() {
        const COLOR: u8 = 2;
        const TRANSPARENT: u8 = 6;
        for (width, height, color_type, unfit) in [
            (20_000, 3_000, TRANSPARENT, Unfit::TooLarge),
            (20_000, 3_000, COLOR, Unfit::TooLarge),
            (8_000, 6_000, TRANSPARENT, Unfit::TooLarge),
            // These would be decoded, and then it shows that there is nothing.
            (8_000, 6_000, COLOR, Unfit::Unreadable),
            (6_000, 4_000, TRANSPARENT, Unfit::Unreadable),
            (50_000, 50_000, COLOR, Unfit::Unreadable),
        ] {
            let png = head_of_png(width, height, color_type);
            assert_eq!(
                fit(png, "image/png", 100_000),
                Err(unfit),
                "{width} by {height}"
            );
        }
    }
}
