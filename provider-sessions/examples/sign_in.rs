//! Signs a program in from this terminal, without Room: `cargo run --example sign_in -- claude`.
//! The link and the code are printed; what the page gives back is typed here.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use provider_sessions::{
    ConnectOptions, InMemory, InstallSettings, Launcher, Line, Observer, ProviderStatus,
    SessionManager, SessionView, Settings, Status, provider, run_launcher_if_asked,
};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// Hands every change to the loop in `main`.
struct Changes(UnboundedSender<SessionView>);

impl Observer for Changes {
    fn status(&self, view: &SessionView) {
        let _ = self.0.send(view.clone());
    }
    fn lines(&self, _: &SessionView, _: &[Line]) {}
    fn provider(&self, _: &ProviderStatus) {}
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    run_launcher_if_asked(); // This very program is what stands around the one that signs in.
    tokio::runtime::Runtime::new()?.block_on(sign_in())
}

async fn sign_in() -> Result<(), Box<dyn std::error::Error>> {
    let provider = std::env::args().nth(1).unwrap_or_else(|| "codex".to_owned());
    let home = std::env::home_dir().ok_or("nobody's home")?;
    let settings = Settings {
        data_dir: home.join(".sign-in-example"),
        provider_home: home,
        environment: std::env::vars().collect(),
        launcher: Launcher::current_exe()?,
        login_timeout: Duration::from_mins(15),
        max_lines: 100,
        keep: Duration::from_mins(1),
        install: InstallSettings::default(),
        keys: Arc::new(InMemory),
    };
    std::fs::create_dir_all(&settings.data_dir)?;
    let (changes, mut views) = unbounded_channel();
    let rows = provider::built_in().to_vec();
    let manager = SessionManager::new(settings, rows, Arc::new(Changes(changes)));
    let id = manager.connect(&provider, ConnectOptions::default(), "this terminal").await?.view.id;
    let mut out = std::io::stdout();
    let (mut shown, mut asked) = (None, false);
    while let Some(view) = views.recv().await {
        let offer = (view.verification_url.clone(), view.device_code.clone());
        if offer.0.is_some() && shown.as_ref() != Some(&offer) {
            writeln!(out, "open {}", offer.0.as_deref().unwrap_or_default())?;
            offer.1.iter().try_for_each(|code| writeln!(out, "type {code}"))?;
            shown = Some(offer);
        }
        while view.awaiting_input && !asked {
            write!(out, "paste what the page gives you: ").and_then(|()| out.flush())?;
            let line = tokio::task::spawn_blocking(|| std::io::stdin().lines().next()).await?;
            match manager.input(id, &line.ok_or("nothing was pasted")??) {
                Ok(_) => asked = true,
                Err(refused) => writeln!(out, "{refused}")?,
            }
        }
        asked = view.awaiting_input;
        if !view.is_active() {
            let why = view.failure.map(|failure| format!("{} {}", failure.title, failure.action));
            writeln!(out, "{}", why.unwrap_or_else(|| "signed in".to_owned()))?;
            manager.shutdown().await;
            return if view.status == Status::Completed {
                Ok(())
            } else {
                Err("not signed in".into())
            };
        }
    }
    Ok(())
}
