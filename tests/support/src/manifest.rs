//! The parts of the Slack app's manifest that the suite reads.

/// The text of the file.
pub const TEXT: &str = include_str!("../../../manifest.yaml");

/// The list below a key.
pub fn list(key: &str) -> Vec<String> {
    let heading = format!("{key}:");
    let below = TEXT.lines().skip_while(|line| line.trim() != heading);
    let items: Vec<String> = below
        .skip(1)
        .map_while(|line| line.trim().strip_prefix("- "))
        .map(str::to_owned)
        .collect();
    assert!(!items.is_empty(), "{key} is not in the manifest");
    items
}

/// Every value of a key, in order.
pub fn values(key: &str) -> Vec<&'static str> {
    let heading = format!("{key}: ");
    TEXT.lines()
        .filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix(&heading))
        .collect()
}
