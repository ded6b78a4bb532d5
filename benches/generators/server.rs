//! The server under load: it answers orders with a hundred bytes of JSON, and holds whatever socket is opened.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use axum::Json;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use benches::process;
use serde::{Deserialize, Serialize};

/// A running server. Ends when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().context("the server has no output")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        Ok(Self { child, address: line.trim().parse().context("the server did not start")? })
    }

    /// CPU time that it has used so far.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        process::cpu(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Deserialize)]
struct Order {
    product_id: String,
    quantity: u32,
}

#[derive(Serialize)]
struct Accepted {
    order_id: &'static str,
    product_id: String,
    quantity: u32,
    status: &'static str,
}

/// Serves until standard input ends.
pub(crate) fn serve() -> anyhow::Result<()> {
    process::raise_descriptor_limit()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let app = axum::Router::new().route("/order", post(order)).route("/ws/{id}", get(hold));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let orphaned = tokio::task::spawn_blocking(|| {
            // Whatever it says: the parent is gone then.
            let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        });
        tokio::select! {
            served = async { axum::serve(listener, app).await } => Ok(served?),
            _ = orphaned => Ok(()),
        }
    })
}

async fn order(Json(Order { product_id, quantity }): Json<Order>) -> impl IntoResponse {
    let order_id = "0e6a5ad2-7e5f-4c53-a4f1-3c6f9f0f6d11";
    (StatusCode::CREATED, Json(Accepted { order_id, product_id, quantity, status: "created" }))
}

async fn hold(upgrade: WebSocketUpgrade) -> Response {
    upgrade.read_buffer_size(4096).write_buffer_size(0).on_upgrade(|mut socket| async move {
        let greeting = r#"{"type":"order_update","status":"created"}"#;
        if socket.send(Message::text(greeting)).await.is_err() {
            return;
        }
        while let Some(Ok(message)) = socket.recv().await {
            if let Message::Text(_) = message
                && socket.send(message).await.is_err()
            {
                return;
            }
        }
    })
}
