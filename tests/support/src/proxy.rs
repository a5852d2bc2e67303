//! A proxy for a database or a Redis that can cut connections or fall silent.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    /// Connections are cut and refused.
    Cut,
    /// Connections are kept and accepted, and nothing passes.
    Silent,
}

/// Forwards connections, unless it is cut or silent.
#[derive(Debug, Clone)]
pub struct Proxy {
    pub address: SocketAddr,
    way: Arc<watch::Sender<Way>>,
}

impl Proxy {
    pub async fn to(there: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let way = Arc::new(watch::Sender::new(Way::Open));
        tokio::spawn(serve(listener, there.to_owned(), way.subscribe()));
        Proxy { address, way }
    }

    pub fn cut(&self) {
        self.way.send_replace(Way::Cut);
    }

    pub fn fall_silent(&self) {
        self.way.send_replace(Way::Silent);
    }

    pub fn open(&self) {
        self.way.send_replace(Way::Open);
    }
}

async fn serve(listener: TcpListener, there: String, way: watch::Receiver<Way>) {
    let mut connections = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        if *way.borrow() != Way::Cut {
            connections.spawn(lead(near, there.clone(), way.clone()));
        }
    }
}

async fn lead(mut near: TcpStream, there: String, mut way: watch::Receiver<Way>) {
    // What is asked in silence is never answered, also when the way is open again: like packets that are lost.
    let waited = way
        .wait_for(|way| *way != Way::Silent)
        .await
        .map(|way| *way);
    if !waited.is_ok_and(|way| way == Way::Open) {
        return;
    }
    let Ok(mut far) = TcpStream::connect(&there).await else {
        return;
    };
    let mut changes = way.clone();
    let closed = async {
        let closed = changes.wait_for(|way| *way != Way::Open).await;
        closed.map(|way| *way)
    };
    let closed = tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => return,
        closed = closed => closed,
    };
    if closed.is_ok_and(|way| way == Way::Silent) {
        let _ = way.wait_for(|way| *way != Way::Silent).await;
    }
}
