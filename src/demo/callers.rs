//! The callers whose phones are on the page.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A caller with a phone on the page.
#[derive(Debug, Clone)]
pub struct Caller {
    pub name: String,
    /// E.164.
    pub number: String,
    pub city: String,
    /// Two letters.
    pub state: String,
}

/// All callers of the demo, in the order in which they appear.
const PEOPLE: [(&str, &str, &str, &str); 8] = [
    ("Rosa", "+16195550142", "SAN DIEGO", "CA"),
    ("Omar", "+18585550163", "LA JOLLA", "CA"),
    ("Mei", "+12125550187", "NEW YORK", "NY"),
    ("Ken", "+16195550151", "CHULA VISTA", "CA"),
    ("Ines", "+17605550128", "OCEANSIDE", "CA"),
    ("Yusuf", "+13105550174", "LOS ANGELES", "CA"),
    ("Lena", "+14155550139", "SAN FRANCISCO", "CA"),
    ("Tom", "+16025550116", "PHOENIX", "AZ"),
];

/// How many callers the page shows at the start.
const AT_FIRST: usize = 3;

/// The callers on the page. Clones share the same list.
#[derive(Debug, Clone)]
pub struct Callers(Arc<Mutex<usize>>);

impl Default for Callers {
    fn default() -> Self {
        Callers(Arc::new(Mutex::new(AT_FIRST)))
    }
}

impl Callers {
    /// Returns the callers on the page.
    pub fn list(&self) -> Vec<Caller> {
        PEOPLE[..*self.count()]
            .iter()
            .copied()
            .map(caller)
            .collect()
    }

    /// Returns the caller with this number.
    pub fn with_number(&self, number: &str) -> Option<Caller> {
        self.list().into_iter().find(|one| one.number == number)
    }

    /// Adds a caller, or returns `None` when all are on the page.
    pub(super) fn add(&self) -> Option<Caller> {
        let mut count = self.count();
        let new = PEOPLE.get(*count)?;
        *count += 1;
        Some(caller(*new))
    }

    fn count(&self) -> MutexGuard<'_, usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn caller((name, number, city, state): (&str, &str, &str, &str)) -> Caller {
    Caller {
        name: name.to_owned(),
        number: number.to_owned(),
        city: city.to_owned(),
        state: state.to_owned(),
    }
}
