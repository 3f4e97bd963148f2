use super::*;
use crate::provider;

const LIMITS: Limits = Limits { timeout: Duration::from_mins(15), max_lines: 3 };

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn exit(code: i32) -> Input {
    Input::Exited(Exit { code: Some(code), signal: None })
}

fn prompt(hint: Option<&str>) -> Input {
    Input::Seen(Event::Prompt { hint: hint.map(ToOwned::to_owned) })
}

fn link(url: &str) -> Input {
    Input::Seen(Event::Link(url.to_owned()))
}

fn failed(code: FailureCode) -> Input {
    Input::Seen(Event::Failed { code, text: String::new() })
}

/// Runs the inputs, a second apart, and returns the login.
fn play(row: usize, inputs: Vec<Input>) -> Login {
    let row = &provider::built_in()[row];
    let method = row.method(None).unwrap();
    let mut login = Login::new(row, method, "owner", LIMITS, at(0));
    for (second, input) in (1..).zip(inputs) {
        login.apply(input, row, at(second));
    }
    login
}

#[track_caller]
fn check(login: &Login, status: Status, step: Step, failure: Option<FailureCode>) {
    let view = login.view();
    assert_eq!((view.status, view.step), (status, step));
    assert_eq!(view.failure.as_ref().map(|failure| failure.code), failure);
    assert_eq!(view.ended_at.is_some(), !status.is_active());
}

#[test]
fn a_device_sign_in_goes_through_its_steps() {
    let mut inputs = vec![Input::Launched];
    check(&play(0, vec![Input::Launched]), Status::Running, Step::Launching, None);
    inputs.push(link("https://auth.openai.com/codex/device"));
    inputs.push(Input::Seen(Event::Code("ABCD-E1F2G".to_owned())));
    let login = play(0, inputs);
    check(&login, Status::Running, Step::AwaitingApproval, None);
    assert_eq!(login.view().device_code.as_deref(), Some("ABCD-E1F2G"));

    let done = play(0, vec![Input::Launched, exit(0)]);
    check(&done, Status::Running, Step::Verifying, None);
    let done = play(0, vec![Input::Launched, exit(0), Input::Answered(Ok(true))]);
    check(&done, Status::Completed, Step::Done, None);
    assert_eq!(done.view().exit_code, Some(0));
}

#[test]
fn exit_code_0_is_not_success_by_itself() {
    let no = play(0, vec![Input::Launched, exit(0), Input::Answered(Ok(false))]);
    check(&no, Status::Failed, Step::Done, Some(FailureCode::NotSignedIn));
    let lost = Input::NotKept("disk full".to_owned());
    let no = play(0, vec![Input::Launched, exit(0), lost]);
    check(&no, Status::Failed, Step::Done, Some(FailureCode::CannotStore));
    assert_eq!(no.view().lines.back().unwrap().text, "disk full");
}

#[test]
fn a_failure_is_what_the_program_said_last() {
    let said = vec![Input::Launched, failed(FailureCode::DeviceCodesOff), exit(1)];
    check(&play(0, said), Status::Failed, Step::Done, Some(FailureCode::DeviceCodesOff));
    let silent = vec![Input::Launched, exit(7)];
    check(&play(0, silent), Status::Failed, Step::Done, Some(FailureCode::ProgramDied));
    let killed = Input::Exited(Exit { code: None, signal: Some(9) });
    let killed = play(0, vec![Input::Launched, killed]);
    check(&killed, Status::Failed, Step::Done, Some(FailureCode::ProgramDied));
    assert_eq!(killed.view().exit_code, Some(137));
    let text = play(0, vec![Input::Launched, failed(FailureCode::Refused), exit(0)]);
    check(&text, Status::Running, Step::Verifying, None);
}

#[test]
fn a_pasted_code_is_asked_for_taken_and_asked_for_again() {
    let asked = play(1, vec![Input::Launched, prompt(None)]);
    check(&asked, Status::Running, Step::AwaitingInput, None);
    assert!(asked.view().awaiting_input);
    let taken = play(1, vec![Input::Launched, prompt(None), Input::Pasted]);
    check(&taken, Status::Running, Step::Storing, None);
    assert!(!taken.view().awaiting_input);
    let again = vec![Input::Launched, prompt(None), Input::Pasted, prompt(Some("not whole"))];
    let again = play(1, again);
    assert!(again.view().awaiting_input);
    assert_eq!(again.view().input_hint.as_deref(), Some("not whole"));
    let device = play(0, vec![Input::Launched, prompt(None)]);
    assert!(!device.view().awaiting_input, "codex never asks for a paste");
}

#[test]
fn ending_waits_for_the_tree_and_says_why() {
    let cancel = || Input::Ending(Ending::Cancelled);
    let going = play(0, vec![Input::Launched, cancel(), exit(143)]);
    check(&going, Status::Running, Step::Cancelling, None);
    let gone = play(0, vec![Input::Launched, cancel(), exit(143), Input::Gone]);
    check(&gone, Status::Canceled, Step::Done, Some(FailureCode::Canceled));
    // The server is stopped; whoever cancelled before has the first word.
    let stop = || Input::Ending(Ending::Shutdown);
    let stopped = play(0, vec![Input::Launched, stop(), exit(143), Input::Gone]);
    check(&stopped, Status::Failed, Step::Done, Some(FailureCode::ServerRestarted));
    let both = play(0, vec![Input::Launched, cancel(), stop(), exit(143), Input::Gone]);
    check(&both, Status::Canceled, Step::Done, Some(FailureCode::Canceled));
    let late = vec![Input::Launched, cancel(), link("https://auth.openai.com/codex/device")];
    assert_eq!(play(0, late).view().verification_url, None);

    let slow = || Input::Ending(Ending::TimedOut);
    let no_code = play(0, vec![Input::Launched, slow(), Input::Gone]);
    check(&no_code, Status::TimedOut, Step::Done, Some(FailureCode::Timeout));
    let code = Input::Seen(Event::Code("ABCD-EFGH".to_owned()));
    let unused = play(0, vec![Input::Launched, code, slow(), cancel(), Input::Gone]);
    check(&unused, Status::TimedOut, Step::Done, Some(FailureCode::Expired));
}

#[test]
fn what_is_over_stays_as_it_is() {
    let inputs = vec![Input::Launched, exit(0), Input::Answered(Ok(true)), Input::Gone, exit(1)];
    check(&play(0, inputs), Status::Completed, Step::Done, None);
}

#[test]
fn a_program_that_says_nothing_or_something_unknown_gets_a_notice() {
    let silent = play(0, vec![Input::Launched, Input::Stuck]);
    check(&silent, Status::Running, Step::Launching, None);
    assert_eq!(silent.view().notice.as_ref().unwrap().code, FailureCode::NoAnswer);
    let row = &provider::built_in()[0];
    let mut asking = play(0, vec![Input::Launched]);
    asking.write(Stream::Terminal, vec!["Continue? ".to_owned()], at(2));
    asking.apply(Input::Stuck, row, at(22));
    assert_eq!(asking.view().notice.as_ref().unwrap().code, FailureCode::Unrecognised);
    let mut asking_without_end = play(0, vec![Input::Launched]);
    asking_without_end.writes("Continue? ".to_owned());
    asking_without_end.apply(Input::Stuck, row, at(22));
    let notice = asking_without_end.view().notice.as_ref().unwrap().code;
    assert_eq!(notice, FailureCode::Unrecognised);
    asking_without_end.apply(exit(1), row, at(23));
    assert_eq!(asking_without_end.view().current_line, None, "nothing is written any more");
    asking.apply(link("https://auth.openai.com/codex/device"), row, at(23));
    assert_eq!(asking.view().notice, None);
}

#[test]
fn the_deadline_is_the_codes_or_our_own_whichever_is_first() {
    let login = play(0, vec![Input::Launched]);
    assert_eq!(login.view().deadline, at(900));
    let login = play(0, vec![Input::Seen(Event::Code("ABCD-EFGH".to_owned()))]);
    assert_eq!(login.view().deadline, at(900), "our own limit began first");
}

#[test]
fn old_lines_go_first_and_are_counted() {
    let mut login = play(0, vec![Input::Launched]);
    let texts = (1..=5).map(|number| number.to_string()).collect();
    let new = login.write(Stream::Terminal, texts, at(9));
    assert_eq!(new.len(), 5, "a listener still hears all of them");
    let kept: Vec<_> = login.view().lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(kept, ["3", "4", "5"]);
    assert_eq!((login.view().dropped_lines, login.view().lines[0].id), (2, 3));
}

#[test]
fn lines_that_were_left_out_are_counted_and_what_is_kept_has_no_hole() {
    let mut login = play(0, vec![Input::Launched]);
    let texts = |all: &[&str]| all.iter().map(|&text| text.to_owned()).collect();
    login.write(Stream::Terminal, texts(&["1", "2"]), at(8));
    login.leave_out(5);
    let new = login.write(Stream::Terminal, texts(&["8", "9", "10"]), at(9));
    assert_eq!(new.iter().map(|line| line.id).collect::<Vec<_>>(), [8, 9, 10]);
    let view = login.view();
    assert_eq!((view.dropped_lines, view.lines[0].id, view.lines.len()), (7, 8, 3));
    login.leave_out(0);
    assert_eq!(login.view().lines.len(), 3);
}
