//! A store that takes its time, and clients that don't wait for it.

use std::sync::Arc;

use async_trait::async_trait;
use plyr_schemas::{
    LogEntry, LogPosition, Outcome, Pass, Passing, Snapshot, Store, StoreError, Whole,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::served::track;
use crate::*;

/// A store that gives out no snapshot while it is shut.
struct Gated {
    inner: Arc<dyn Store>,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    is_open: watch::Sender<bool>,
    /// Who came to it so far.
    came: watch::Sender<usize>,
    /// Who went away from it while it was shut.
    left: watch::Sender<usize>,
}

struct Coming<'a>(&'a Gate);

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        if !*self.0.is_open.borrow() {
            self.0.left.send_modify(|left| *left += 1);
        }
    }
}

#[async_trait]
impl Store for Gated {
    fn engine(&self) -> &'static str {
        self.inner.engine()
    }

    async fn apply(&self, changes: Vec<Change>) -> Result<Vec<Outcome>, StoreError> {
        self.inner.apply(changes).await
    }

    async fn pass(&self, pass: Pass, so_far: Option<Passing>) -> Result<Passing, StoreError> {
        self.inner.pass(pass, so_far).await
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.gate.came.send_modify(|came| *came += 1);
        let _coming = Coming(&self.gate);
        let mut is_open = self.gate.is_open.subscribe();
        is_open.wait_for(|is_open| *is_open).await.unwrap();
        self.inner.snapshot().await
    }

    async fn whole(&self) -> Result<Box<dyn Whole>, StoreError> {
        self.inner.whole().await
    }

    async fn log_after(
        &self,
        after: &LogPosition,
        limit: usize,
    ) -> Result<Vec<LogEntry>, StoreError> {
        self.inner.log_after(after, limit).await
    }

    async fn log_head(&self) -> Result<LogPosition, StoreError> {
        self.inner.log_head().await
    }

    async fn log_changed(&self, after: &LogPosition) -> Result<(), StoreError> {
        self.inner.log_changed(after).await
    }

    fn writable(&self) -> Result<(), StoreError> {
        self.inner.writable()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.inner.close().await
    }
}

async fn gated() -> (Served, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let shared = gate.clone();
    let wrap = move |inner| {
        Arc::new(Gated {
            inner,
            gate: shared,
        }) as Arc<dyn Store>
    };
    let served = Served::over(2000, wrap).await;
    let uri = "at://did:plc:a/fm.plyr.track/one";
    served.put(uri, 1, track("common")).await;
    served.index().await;
    (served, gate)
}

#[tokio::test]
async fn a_slow_store_keeps_nobody_from_searching() {
    let (served, gate) = gated().await;
    let mut came = gate.came.subscribe();
    // More than there are places to search in, and places in the line for them.
    let cores = std::thread::available_parallelism().unwrap().get();
    let mut asking = Vec::new();
    for number in 1..=(cores + 2) * 5 + 1 {
        let call = served
            .client
            .get(format!("{}/xrpc/{QUERY}?q=common", served.url));
        let mut task = tokio::spawn(call.send());
        tokio::select! {
            came = came.wait_for(|came| *came == number) => { came.unwrap(); }
            answer = &mut task => unreachable!("{:?}", answer.unwrap().unwrap().status()),
        }
        asking.push(task);
    }
    // What goes meanwhile is gone.
    deactivate(&served, "did:plc:a").await;
    gate.is_open.send_replace(true);
    for task in asking {
        let response = task.await.unwrap().unwrap();
        assert_eq!(response.status().as_u16(), 200);
        let found: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!(found["hits"], json!([]));
    }
}

#[tokio::test]
async fn who_goes_away_is_worked_for_no_longer() {
    let (served, gate) = gated().await;
    let (mut came, mut left) = (gate.came.subscribe(), gate.left.subscribe());
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let call = format!("GET /xrpc/{QUERY}?q=common HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(call.as_bytes()).await.unwrap();
    came.wait_for(|came| *came == 1).await.unwrap();
    assert_eq!(*left.borrow(), 0);
    drop(stream);
    left.wait_for(|left| *left == 1).await.unwrap();
}
