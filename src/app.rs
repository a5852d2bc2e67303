//! What a handler or a thing that happens is given: configuration, database, clock, and who is who.

use std::ops::Deref;
use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;

use crate::availability::sources::Sources;
use crate::calls::Calls;
use crate::clock::Clock;
use crate::config::{Config, Secrets};
use crate::slack_directory::Directory;
use crate::store::Store;
use crate::thread_sync::ThreadSync;

/// A handle on everything a handler needs; cloning it costs nothing.
#[derive(Debug, Clone)]
pub(crate) struct App(Arc<Inner>);

/// What [`App`] leads to.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) secrets: Secrets,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) directory: Directory,
    pub(crate) thread_sync: ThreadSync,
    pub(crate) sources: Sources,
    pub(crate) calls: Calls,
    pub(crate) metrics: PrometheusHandle,
}

impl App {
    pub(crate) fn new(inner: Inner) -> App {
        App(Arc::new(inner))
    }

    /// What people call the line with this number; empty if it is no longer in the configuration.
    pub(crate) fn line_name(&self, number: &str) -> String {
        self.config
            .line_of(number)
            .map_or_else(String::new, |line| line.name.clone())
    }
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
