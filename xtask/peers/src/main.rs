//! The servers that `cargo xtask bench` compares Room with, the key endpoint behind them, the
//! tokens, the load and the program in the terminal: one program, so that all are built alike.

mod bare;
mod keys;
mod lines;
mod load;
mod mint;
mod program;
mod serve;
mod socket;

use anyhow::{Context as _, bail};

/// The issuer of all tokens.
const ISSUER: &str = "https://id.example";

/// The audience of all tokens.
const AUDIENCE: &str = "quoroom-runtime";

/// The instance of all tokens.
const INSTANCE: &str = "inst-1";

fn main() -> anyhow::Result<()> {
    if let Some(played) = program::play() {
        return played;
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["mint", folder, count] => mint::mint(folder.as_ref(), count.parse()?),
        ["keys", folder] => keys::keys(folder.as_ref()),
        ["serve", kind, keys_url] => serve::serve(kind.parse()?, keys_url),
        ["load", address, path, tokens, connections, seconds, rate] => load::load(&load::Plan {
            address: address.parse().context("read the address")?,
            path: path.to_owned(),
            tokens: tokens.into(),
            connections: connections.parse()?,
            seconds: seconds.parse()?,
            rate: rate.parse()?,
        }),
        ["listen", address, path, token, channel, sockets] => {
            let given = |text: &str| (text != "-").then(|| text.to_owned());
            lines::listen(&lines::Plan {
                address: address.parse().context("read the address")?,
                path: path.to_owned(),
                token: given(token),
                channel: given(channel),
                sockets: sockets.parse()?,
            })
        }
        ["bare", "file", path] => bare::file(path),
        ["bare", "terminal", program] => bare::terminal(program.into()),
        ["bare", "broadcast"] => bare::broadcast(),
        _ => bail!(
            "mint FOLDER COUNT | keys FOLDER | serve KIND URL | bare file PATH | bare terminal \
             PROGRAM | bare broadcast | load ADDR PATH FILE N SECONDS RATE | listen ADDR PATH \
             TOKEN CHANNEL N"
        ),
    }
}
