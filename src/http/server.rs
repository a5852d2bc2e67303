//! What the listener keeps besides the App: the refusals it told of, the bodies it reads, and whether the database answers.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRef;

use super::operator::Readiness;
use super::refused::Refusals;
use super::unverified::Bodies;
use crate::app::App;

/// The state of every route. Handlers take `State<App>` of it; cloning it costs nothing.
#[derive(Debug, Clone)]
pub(super) struct Server {
    app: App,
    pub(super) refusals: Arc<Refusals>,
    pub(super) bodies: Bodies,
    pub(super) readiness: Arc<Readiness>,
}

impl Server {
    pub(super) fn new(app: App) -> Server {
        Server {
            app,
            refusals: Arc::default(),
            bodies: Bodies::default(),
            readiness: Arc::default(),
        }
    }
}

impl Deref for Server {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}

impl FromRef<Server> for App {
    fn from_ref(server: &Server) -> App {
        server.app.clone()
    }
}
