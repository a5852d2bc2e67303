//! Where a caller is, as Twilio guesses from the number.

/// The place in one phrase, "San Diego, CA"; empty where Twilio knows neither.
pub fn place(city: Option<&str>, state: Option<&str>) -> String {
    let known: Vec<String> = [city.map(title_case), state.map(str::to_owned)]
        .into_iter()
        .flatten()
        .filter(|part| !part.trim().is_empty())
        .collect();
    known.join(", ")
}

/// Twilio writes cities in capitals.
fn title_case(city: &str) -> String {
    city.split_whitespace()
        .map(|word| {
            let mut letters = word.chars();
            letters.next().map_or_else(String::new, |first| {
                first.to_uppercase().collect::<String>() + &letters.as_str().to_lowercase()
            })
        })
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_what_twilio_knows_of_it() {
        for (city, state, expected) in [
            (Some("SAN DIEGO"), Some("CA"), "San Diego, CA"),
            (Some("LA MESA"), None, "La Mesa"),
            (None, Some("CA"), "CA"),
            (Some(""), Some(""), ""),
            (None, None, ""),
        ] {
            assert_eq!(place(city, state), expected);
        }
    }
}
