//! Runs a program where the vendors' servers are stand-ins and nobody's account is touched.
//!
//! ```text
//! cargo run -p room-tests --bin room-stage -- target/debug/room serve
//! cargo run -p room-tests --bin room-stage -- --fake target/debug/room serve
//! ```
//!
//! The program gets a home of its own, the pinned real `codex` and `claude` first on its search
//! path (with `--fake` the fake ones), and the proxy. Whoever drives it, a person with curl or a
//! script in a browser, plays the person at the vendor's page on an address that is printed:
//! `GET /code`, `POST /approve`, `/decline` and `/expire` with the code as the body, `POST
//! /sign-in` with the shown address as the body (the answer is the code to paste), `POST /unplug`
//! and `/plug-in`. The fake codex takes the three decisions without a code; a code for the fake
//! claude is `good-` and anything, `#`, and the state at the end of its address.

#![expect(clippy::print_stderr, reason = "it tells the person who runs it where it stands")]

use std::io;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use room_tests::anthropic::Anthropic;
use room_tests::clis::{fake_clis, real_clis, search_path};
use room_tests::fake::Control;
use room_tests::home::TempHome;
use room_tests::openai::OpenAi;
use room_tests::proxy::Proxy;

struct Stage {
    openai: OpenAi,
    anthropic: Anthropic,
    proxy: Proxy,
    fakes: Option<Control>,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (fake, command) = match args.split_first() {
        Some((first, rest)) if first == "--fake" => (true, rest),
        _ => (false, args.as_slice()),
    };
    let Some((program, args)) = command.split_first() else {
        eprintln!("room-stage [--fake] PROGRAM [ARGUMENT…]");
        return ExitCode::from(2);
    };
    match run(fake, program, args) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("room-stage: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(fake: bool, program: &str, args: &[String]) -> io::Result<u8> {
    let home = TempHome::new()?;
    let fakes = if fake { Some(fake_clis()?) } else { None };
    let clis = match &fakes {
        Some(fakes) => fakes.path().to_owned(),
        None => real_clis().map_err(io::Error::other)?,
    };
    let (openai, anthropic) = (OpenAi::start()?, Anthropic::start()?);
    let proxy = Proxy::start(&openai, &anthropic)?;
    let mut env = home.env(&search_path(&clis));
    env.extend(proxy.env());
    let control = fakes.is_some().then(|| Control::new(home.path()));
    let stage = Arc::new(Stage { openai, anthropic, proxy, fakes: control });

    let runtime = tokio::runtime::Runtime::new()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    eprintln!("home: {}", home.text());
    eprintln!("the person's side: http://{}", listener.local_addr()?);
    runtime.spawn(async { axum::serve(listener, routes(stage)).await });

    let mut child = Command::new(program).args(args).env_clear().envs(env).spawn()?;
    let status = child.wait()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

fn routes(stage: Arc<Stage>) -> Router {
    Router::new()
        .route("/code", get(code))
        .route("/sign-in", post(sign_in))
        .route("/{decision}", post(decide))
        .with_state(stage)
}

async fn code(State(stage): State<Arc<Stage>>) -> Result<String, StatusCode> {
    stage.openai.user_code().ok_or(StatusCode::NOT_FOUND)
}

async fn sign_in(State(stage): State<Arc<Stage>>, address: String) -> Response {
    match stage.anthropic.sign_in(address.trim()) {
        Ok(code) => code.into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, error.0).into_response(),
    }
}

async fn decide(
    State(stage): State<Arc<Stage>>,
    Path(decision): Path<String>,
    code: String,
) -> StatusCode {
    let code = code.trim();
    match (decision.as_str(), &stage.fakes) {
        ("approve", Some(fakes)) => fakes.approve(),
        ("decline", Some(fakes)) => fakes.decline(),
        ("expire", Some(fakes)) => fakes.expire(),
        ("unplug", _) => stage.proxy.unplug(),
        ("plug-in", _) => stage.proxy.plug_in(),
        (other, _) => {
            let decided = match other {
                "approve" => stage.openai.approve(code),
                "decline" => stage.openai.decline(code),
                "expire" => stage.openai.expire(code),
                _ => return StatusCode::NOT_FOUND,
            };
            if decided.is_err() {
                return StatusCode::CONFLICT;
            }
        }
    }
    StatusCode::NO_CONTENT
}
