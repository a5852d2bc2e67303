//! Where a query reads: on a connection of the store's reader pool, or inside a transaction.

use std::ops::{Deref, DerefMut};

use anyhow::Context;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool};

use super::{Store, Tx};

/// Where a query reads. A query takes `impl Into<Reads<'_>>`, so that callers pass `&store` or `&mut tx`.
pub(crate) enum Reads<'a> {
    /// Reads what is committed. Never waits for a writer.
    Pool(&'a AnyPool),
    /// Reads what this transaction sees, including its own writes.
    Tx(&'a mut Tx),
}

impl<'a> From<&'a Store> for Reads<'a> {
    fn from(store: &'a Store) -> Self {
        Reads::Pool(store.reader())
    }
}

impl<'a> From<&'a mut Tx> for Reads<'a> {
    fn from(tx: &'a mut Tx) -> Self {
        Reads::Tx(tx)
    }
}

impl<'a> Reads<'a> {
    /// Returns the connection to read on; for a pool, waits until one is free.
    pub(super) async fn connection(self) -> anyhow::Result<ReadConnection<'a>> {
        Ok(match self {
            Reads::Pool(pool) => {
                let connection = pool.acquire().await;
                ReadConnection::Pooled(connection.context("waiting for a connection")?)
            }
            Reads::Tx(tx) => ReadConnection::Tx(&mut tx.inner),
        })
    }
}

/// A connection for one read.
pub(super) enum ReadConnection<'a> {
    Pooled(PoolConnection<Any>),
    Tx(&'a mut AnyConnection),
}

impl Deref for ReadConnection<'_> {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        match self {
            ReadConnection::Pooled(connection) => connection,
            ReadConnection::Tx(connection) => connection,
        }
    }
}

impl DerefMut for ReadConnection<'_> {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        match self {
            ReadConnection::Pooled(connection) => connection,
            ReadConnection::Tx(connection) => connection,
        }
    }
}
