//! What clients see of a program's lines: when each arrived, and when the last one did.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;

use crate::program::{micros_in, now_micros};
use crate::socket::Socket;

/// The last thing the program prints.
const LAST: &str = "the last line";

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where to listen, and to what.
pub(crate) struct Plan {
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
    pub(crate) token: Option<String>,
    /// The channel to subscribe to; none for a server that knows no channels.
    pub(crate) channel: Option<String>,
    pub(crate) sockets: usize,
}

/// What one client saw, in microseconds.
struct Seen {
    /// The way of each line that says when it was written.
    ways: Vec<u64>,
    /// From the newest time in the lines to the last line.
    last: u64,
}

/// Prints `ready`, and when every client has the last line `{p50, p99, lines, last}`, in
/// microseconds; `last` is the slowest client's.
pub(crate) fn listen(plan: &Plan) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut clients = Vec::new();
        for _ in 0..plan.sockets {
            let mut socket = Socket::open(plan.address, &plan.path, plan.token.as_deref()).await?;
            if let Some(channel) = &plan.channel {
                let ask = json!({ "type": "subscribe", "channels": [channel] });
                socket.send(&ask.to_string()).await?;
                // The predecessor answers nothing.
                let answered = async {
                    while let Some(text) = socket.next().await? {
                        if text.contains("snapshot") {
                            break;
                        }
                    }
                    anyhow::Ok(())
                };
                if let Ok(answer) = tokio::time::timeout(Duration::from_millis(300), answered).await
                {
                    answer?;
                }
            }
            clients.push(tokio::spawn(client(socket)));
        }
        println!("ready");
        let (mut ways, mut last) = (Vec::new(), Vec::new());
        for client in clients {
            let seen =
                tokio::time::timeout(PATIENCE, client).await.context("the last line")???;
            ways.extend(seen.ways);
            last.push(seen.last);
        }
        ways.sort_unstable();
        let percentile = |percent: usize| ways.get(ways.len() * percent / 100).copied();
        let summary = json!({
            "p50": percentile(50), "p99": percentile(99), "lines": ways.len(),
            "last": last.iter().max(),
        });
        println!("{summary}");
        Ok(())
    })
}

async fn client(mut socket: Socket) -> anyhow::Result<Seen> {
    let (mut ways, mut newest) = (Vec::new(), 0);
    while let Some(text) = socket.next().await? {
        let now = now_micros();
        for at in micros_in(text) {
            // A picture of the whole shows lines again.
            if at > newest {
                newest = at;
                ways.push(now.saturating_sub(at));
            }
        }
        if text.contains(LAST) {
            return Ok(Seen { ways, last: now.saturating_sub(newest) });
        }
    }
    anyhow::bail!("the server closed the socket before the last line")
}
