//! Signs a program in from this terminal, without Room: `cargo run --example sign_in -- claude`.
#![expect(clippy::print_stdout, reason = "it talks to a person at a terminal")]

use std::collections::HashSet;
use std::io::Write as _;

use provider_sessions::{ConnectOptions, Latest, SessionManager, Settings, provider};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // This very program is also what stands around the one that signs in.
    provider_sessions::run_launcher_if_asked();
    tokio::runtime::Runtime::new()?.block_on(sign_in())
}

async fn sign_in() -> Result<(), Box<dyn std::error::Error>> {
    let provider = std::env::args().nth(1).unwrap_or_else(|| "codex".to_owned());
    let home = std::env::home_dir().ok_or("nobody's home")?;
    let (latest, mut views) = Latest::channel();
    let settings = Settings::new(home.join(".sign-in-example"))?;
    let manager = SessionManager::new(settings, provider::built_in().to_vec(), latest);
    let id = manager.connect(&provider, ConnectOptions::default(), "this terminal").await?.view.id;
    let mut told = HashSet::new();
    while views.changed().await.is_ok() {
        let Some(view) = views.borrow_and_update().clone() else { continue };
        let link = view.verification_url.as_ref().map(|link| format!("open {link}"));
        let code = view.device_code.as_ref().map(|code| format!("type {code}"));
        for line in link.into_iter().chain(code).filter(|line| told.insert(line.clone())) {
            println!("{line}");
        }
        let mut asked = view.awaiting_input;
        while asked {
            print!("paste what the page gives you: ");
            std::io::stdout().flush()?;
            let typed = tokio::task::spawn_blocking(|| std::io::stdin().lines().next()).await?;
            let answer = manager.input(id, &typed.ok_or("nothing was pasted")??);
            asked = answer.inspect_err(|refused| println!("{refused}")).is_err();
        }
        if !view.is_active() {
            manager.shutdown().await;
            if let Some(why) = view.failure {
                return Err(format!("{} {}", why.title, why.action).into());
            }
            println!("signed in");
            break;
        }
    }
    Ok(())
}
