//! The servers that `cargo xtask bench auth` compares, the key endpoint behind them, the tokens,
//! and the load: one program, so that all are built alike.

mod keys;
mod load;
mod mint;
mod serve;

use anyhow::{Context as _, bail};

/// The issuer of all tokens.
const ISSUER: &str = "https://id.example";

/// The audience of all tokens.
const AUDIENCE: &str = "quoroom-runtime";

/// The instance of all tokens.
const INSTANCE: &str = "inst-1";

fn main() -> anyhow::Result<()> {
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
        _ => bail!(
            "mint FOLDER COUNT | keys FOLDER | serve KIND URL | load ADDR PATH FILE N SECONDS RATE"
        ),
    }
}
