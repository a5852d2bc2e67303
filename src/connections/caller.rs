//! A handle by which a request and its handler reach their connection in the table.

use std::sync::Arc;

use super::table::{Connection, Place, Table};

/// A handle on the connection of a request, stored in the request's extensions.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    table: Arc<Table>,
    connection: Arc<Connection>,
}

impl Caller {
    /// Returns a handle on the connection that has this place.
    pub(super) fn of(place: &Place) -> Caller {
        let (table, connection) = place.parts();
        Caller { table, connection }
    }

    /// Records received bytes.
    pub(super) fn has_read(&self) {
        self.connection.has_read();
    }

    /// Marks the connection as proven: one of its requests had a valid signature.
    pub(crate) fn prove(&self) {
        self.table.prove(&self.connection);
    }

    /// Records the begin of a request.
    pub(super) fn begin(&self, is_h2: bool) -> Asking {
        self.table.begin(&self.connection, is_h2);
        Asking(self.clone())
    }
}

/// A request in progress. Dropping it reports the end of the request.
#[derive(Debug)]
pub(super) struct Asking(Caller);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.table.end(&self.0.connection);
    }
}
