//! Programs that Room itself puts on the machine, from a registry that is good or bad.

mod bench;
mod refused;
mod room;

use std::time::Duration;

use provider_sessions::{ConnectOptions, FailureCode, SessionError, Status, Step};
use room_tests::eventually_async;
use room_tests::registry::{Gives, Registry, package};

use self::bench::{Bench, SOON, program, row};

/// What the launcher needs at most to end a tree.
const STOP_BOUND: Duration = Duration::from_secs(6);

#[tokio::test]
async fn a_program_is_installed_and_found_before_the_one_on_the_path() {
    let bench = Bench::new(row("1.0.0", &program("1.0.0")), &Gives::It(program("1.0.0")));
    let before = bench.manager.verify("codex").await.unwrap();
    assert_eq!(before.version.as_deref(), Some("0.0.1"), "{before:?}");
    let started = bench.manager.install("codex", "owner").await.unwrap();
    assert!(!started.reused);
    let view = bench.over(started.view.id).await;
    assert_eq!((view.status, view.step), (Status::Completed, Step::Done), "{view:#?}");
    let status = bench.status();
    assert_eq!(status.version.as_deref(), Some("1.0.0"), "the probe came first");
    assert_eq!(status.install, None);
    assert_eq!(bench.in_use().as_deref(), Some("1.0.0"));
    assert_eq!(bench.registry.asked(), ["/@room/codex/-/codex-1.0.0-test.tgz"]);
    let steps = bench.heard.steps();
    let order = [Step::Launching, Step::Storing, Step::Verifying, Step::Done];
    let places: Vec<_> =
        order.iter().map(|step| steps.iter().position(|seen| seen == step).unwrap()).collect();
    assert!(places.is_sorted(), "{steps:?}");
    bench.nothing_behind();
    // Once more: the same version takes the place of itself.
    let again = bench.install().await;
    assert_eq!(again.status, Status::Completed, "{again:#?}");
    assert_eq!(bench.in_use().as_deref(), Some("1.0.0"));
    bench.nothing_behind();
}

#[tokio::test]
async fn a_new_version_takes_the_place_of_the_old_one() {
    let bench = Bench::new(row("1.0.0", &program("1.0.0")), &Gives::It(program("1.0.0")));
    assert_eq!(bench.install().await.status, Status::Completed);
    let bench = bench.instead(row("2.0.0", &program("2.0.0")), &Gives::It(program("2.0.0"))).await;
    assert_eq!(bench.in_use().as_deref(), Some("1.0.0"), "a start takes nothing away");
    assert_eq!(bench.install().await.status, Status::Completed);
    assert_eq!(bench.in_use().as_deref(), Some("2.0.0"));
    bench.nothing_behind();
}

#[tokio::test]
async fn a_second_call_joins_and_a_cancel_leaves_the_old_one() {
    let bench = Bench::new(row("1.0.0", &program("1.0.0")), &Gives::It(program("1.0.0")));
    assert_eq!(bench.install().await.status, Status::Completed);
    let new = program("2.0.0");
    let bench = bench.instead(row("2.0.0", &new), &Gives::HalfAndWaits(new)).await;
    let first = bench.manager.install("codex", "owner").await.unwrap();
    let second = bench.manager.install("codex", "admin").await.unwrap();
    assert_eq!((second.reused, second.view.id), (true, first.view.id));
    assert_eq!(bench.status().install, Some(first.view.id));
    eventually_async("it is asked for", SOON, async || {
        (!bench.registry.asked().is_empty()).then_some(())
    })
    .await;
    let view = bench.manager.cancel(first.view.id).await.unwrap();
    assert_eq!(view.status, Status::Canceled, "{view:#?}");
    assert_eq!(bench.in_use().as_deref(), Some("1.0.0"));
    bench.nothing_behind();
    assert_eq!(bench.registry.asked().len(), 1);
    let view = bench.manager.cancel(first.view.id).await.unwrap();
    assert_eq!(view.status, Status::Canceled, "it can be said twice");
}

#[tokio::test]
async fn a_program_that_hangs_when_it_is_tried_can_be_cancelled() {
    let script = b"#!/bin/sh\nsetsid sleep 1000 & sleep 1000\n";
    let hanging = package(&[("package/bin/codex", 0o755, script)]);
    let bench = Bench::new(row("1.0.0", &hanging), &Gives::It(hanging));
    let id = bench.manager.install("codex", "owner").await.unwrap().view.id;
    bench.until(id, |view| view.step == Step::Verifying).await;
    eventually_async("it is being tried", SOON, async || (bench.processes() >= 3).then_some(()))
        .await;
    let start = std::time::Instant::now();
    let view = bench.manager.cancel(id).await.unwrap();
    assert_eq!(view.status, Status::Canceled, "{view:#?}");
    assert!(start.elapsed() < STOP_BOUND, "{:?}", start.elapsed());
    assert_eq!(bench.processes(), 0);
    assert_eq!(bench.in_use(), None);
    bench.nothing_behind();
}

#[tokio::test]
async fn an_install_and_a_sign_in_of_one_provider_wait_for_each_other() {
    let new = program("1.0.0");
    let bench = Bench::new(row("1.0.0", &new), &Gives::HalfAndWaits(new));
    let signing_in = bench.manager.connect("codex", ConnectOptions::default(), "owner").await;
    let signing_in = signing_in.unwrap().view.id;
    let refused = bench.manager.install("codex", "owner").await;
    assert!(matches!(refused, Err(SessionError::SigningIn { .. })), "{refused:?}");
    bench.manager.cancel(signing_in).await.unwrap();

    let installing = bench.manager.install("codex", "owner").await.unwrap().view.id;
    let refused = bench.manager.connect("codex", ConnectOptions::default(), "owner").await;
    assert!(matches!(refused, Err(SessionError::Installing { .. })), "{refused:?}");
    bench.manager.cancel(installing).await.unwrap();
    let after = bench.manager.connect("codex", ConnectOptions::default(), "owner").await.unwrap();
    bench.manager.cancel(after.view.id).await.unwrap();
    bench.nothing_behind();
}

#[tokio::test]
async fn a_shutdown_ends_an_install() {
    let new = program("1.0.0");
    let bench = Bench::new(row("1.0.0", &new), &Gives::HalfAndWaits(new));
    let id = bench.manager.install("codex", "owner").await.unwrap().view.id;
    tokio::time::timeout(SOON, bench.manager.shutdown()).await.unwrap();
    let view = bench.over(id).await;
    assert_eq!(view.status, Status::Failed, "{view:#?}");
    assert_eq!(view.failure.unwrap().code, FailureCode::ServerRestarted);
    bench.nothing_behind();
    let late = bench.manager.install("codex", "owner").await;
    assert!(matches!(late, Err(SessionError::Stopping)), "{late:?}");
}

#[tokio::test]
async fn what_is_not_there_to_install_is_said_with_what_to_do() {
    let mut row = row("1.0.0", &program("1.0.0"));
    row.install.archives[0].platform = "plan9-mips".to_owned();
    let bench = Bench::new(row, &Gives::Silence);
    let refused = bench.manager.install("codex", "owner").await.unwrap_err();
    assert!(matches!(refused, SessionError::NotInstallable { .. }), "{refused:?}");
    assert!(refused.to_string().contains("npm install -g"), "{refused}");
    let unknown = bench.manager.install("nobody", "owner").await;
    assert!(matches!(unknown, Err(SessionError::UnknownProvider)), "{unknown:?}");
    assert!(bench.manager.latest_install("codex").unwrap().is_none());
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_a_network_failure() {
    let registry = Registry::start(Gives::Silence).unwrap();
    let url = registry.url();
    drop(registry);
    let bench = Bench::new(row("1.0.0", &program("1.0.0")), &Gives::Silence).asking(&url);
    let view = bench.install().await;
    assert_eq!(view.failure.unwrap().code, FailureCode::Network);
    bench.nothing_behind();
}
