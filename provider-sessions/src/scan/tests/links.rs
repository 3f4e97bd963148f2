//! Which links are announced, and when.

use super::{SMALL, Size, check_whole, claude, codex, events, links};
use crate::{Event, Scanner};

const DEVICE: &str = "https://auth.openai.com/codex/device";

fn claude_url() -> String {
    format!(
        "https://claude.com/cai/oauth/authorize?code=true&state={}",
        "aB3_".repeat(11)[..43].to_owned()
    )
}

/// Checks what is announced in the end; on the way there, a part may look like a link.
#[track_caller]
fn check_last(text: &str, expected: &[&str]) {
    let found = events(&codex(), Size { cols: 200, rows: 24 }, text.as_bytes());
    assert_eq!(links(&found), expected, "{text:?}");
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    check_whole(&codex(), Size { cols: 200, rows: 24 }, text.as_bytes(), expected, &[]);
}

#[test]
fn punctuation_around_a_link_is_not_part_of_it() {
    for (before, after) in [
        ("visit ", "."),
        ("visit (", ")"),
        ("visit (", ")."),
        ("visit <", ">"),
        ("visit \"", "\","),
        ("visit '", "'"),
        ("visit [", "]"),
        ("visit `", "`!"),
        ("visit **", "**"),
        ("visit ", "; then"),
        ("visit:", " now"),
        ("URL=", " now"),
        ("│ ", " │"),
        ("» ", "»"),
    ] {
        check(&format!("{before}{DEVICE}{after}\r\n"), &[DEVICE]);
    }
}

#[test]
fn only_the_providers_own_sign_in_pages_are_links() {
    for other in [
        "https://auth.openai.com.evil.example/codex/device",
        "https://auth.openai.com@evil.example/codex/device",
        "https://evil.example/?x=https://auth.openai.com/codex/device",
        "https://evil.example/https://auth.openai.com/codex/device",
        "https://evil.example/#https://auth.openai.com/codex/device",
        "evil.example/?next=https://auth.openai.com/codex/device",
        "xhttps://auth.openai.com/codex/device",
        "https://user@auth.openai.com/codex/device",
        "https://user:word@auth.openai.com/codex/device",
        "https://auth.openai.com:443/codex/device",
        "https://auth.openai.com:8443/codex/device",
        "https://auth.openai.com./codex/device",
        "https://auth.openai.com\\@evil.example/codex/device",
        "https://auth.openai.com%2eevil.example/codex/device",
        "https://auth.openai.com/codex/device%",
        "https://auth.openai.com/codex/device%2",
        "https://xauth.openai.com/codex/device",
        "https://openai.com/codex/device",
        "https://аuth.openai.com/codex/device",
        "https://auth.openai.com\u{2024}evil.example/codex/device",
        "http://auth.openai.com/codex/device",
        "HTTP://auth.openai.com/codex/device",
        "http://127.0.0.1:8080/codex/device",
        "https://127.0.0.1/codex/device",
        "https://localhost/codex/device",
        "http://localhost:1455.",
        "https://auth.openai.com/",
        "https://auth.openai.com",
        "https://auth.openai.com/codex/devices",
        "https://auth.openai.com/codex/device-help",
        "https://auth.openai.com/oauth/token",
        "https://auth.openai.com/oauth/revoke",
        "https://auth.openai.com/api/accounts/deviceauth/usercode",
        "https://auth.openai.com/docs/codex/device",
        "https://auth.openai.com/settings/codex/device",
        "https://auth.openai.com/evil/../codex/device",
        "https://auth.openai.com/log-out?next=/codex/device",
        "https://auth.openai.com/oauth/authorize?client_id=x",
        "https://auth.openai.com/oauth/authorize?state=short",
        "https://chatgpt.com/#settings/Security",
    ] {
        check_last(&format!("Open this link:\r\n   {other}\r\nand go on\r\n"), &[]);
        check(&format!("\x1b]8;;{other}\x07here\x1b]8;;\x07\r\n"), &[]);
    }
}

#[test]
fn a_disguised_target_is_not_a_link() {
    for target in [
        "https://evil.example/?x=https://auth.openai.com/codex/device",
        "https://auth.openai.com@evil.example/codex/device",
        "https://auth.openai.com/codex/device\t",
        "https://auth.openai.com/codex/device é",
        "javascript:https://auth.openai.com/codex/device",
        " https://auth.openai.com/codex/device",
        "file:///codex/device",
    ] {
        check(&format!("\x1b]8;;{target}\x07here\x1b]8;;\x07\r\n"), &[]);
    }
}

#[test]
fn a_link_in_an_error_message_is_not_for_signing_in() {
    for text in [
        "Error logging in: error sending request for url (https://auth.openai.com/codex/device)",
        "error: https://auth.openai.com/codex/device answered 500",
        "Request to https://x.example failed: https://auth.openai.com/codex/device",
        "Could not reach https://auth.openai.com/codex/device",
    ] {
        check(&format!("{text}\r\n"), &[]);
    }
    for text in [
        "Failed to open the browser. Visit https://auth.openai.com/codex/device",
        "Couldn't open your browser: https://auth.openai.com/codex/device",
        "Error before.\r\nhttps://auth.openai.com/codex/device",
    ] {
        check(&format!("{text}\r\n"), &[DEVICE]);
    }
}

#[test]
fn a_later_link_replaces_the_first() {
    let other = format!(
        "https://auth.openai.com/oauth/authorize?state={}&originator=codex",
        "x".repeat(43)
    );
    check(&format!("{DEVICE}\r\nor\r\n{other}\r\n"), &[DEVICE, &other]);
    check(&format!("{DEVICE} or {other} .\r\n{DEVICE}\r\n"), &[DEVICE, &other]);
}

#[test]
fn a_hyperlinks_target_counts_not_its_text() {
    let url = claude_url();
    let check = |text: String, expected: &[&str]| {
        check_whole(&claude(), SMALL, text.as_bytes(), expected, &[]);
    };
    for end in ["\x07", "\x1b\\"] {
        check(format!("\x1b]8;;{url}{end}Sign in{}8;;{end}\r\n", "\x1b]"), &[&url]);
        check(format!("\x1b]8;id=7;{url}{end}{}…\x1b]8;;{end}\r\n", &url[..60]), &[&url]);
        // The text is another good link: the target is what a click would open.
        let other = url.replace("code=true", "code=false");
        check(format!("\x1b]8;;{url}{end}{other}\x1b]8;;{end}\r\nmore\r\n"), &[&url]);
    }
    // Cut off by another sequence, by a control, or too long: not whole, so nothing.
    check(format!("\x1b]8;;{url}\x1b[0mtext\r\n"), &[]);
    check(format!("\x1b]8;;{url}\x18text\r\n"), &[]);
    check(format!("\x1b]8;;{}\r\n{}\x07text\r\n", &url[..40], &url[40..]), &[]);
    check(format!("\x1b]8;;{url}&x={}\x07text\r\n", "y".repeat(9000)), &[]);
}

#[test]
fn a_link_that_says_it_is_cut_off_is_none() {
    let url = format!("https://auth.openai.com/oauth/authorize?state={}&x=", "x".repeat(43));
    check(&format!("{url}…\r\n"), &[]);
    check(&format!("{url}abc...\r\n"), &[]);
    check(&format!("{url}abc...)\r\n"), &[]);
}

#[test]
fn a_link_without_its_state_is_none() {
    let url = claude_url();
    for cut in [&url[..url.len() - 1], &url[..60]] {
        check_whole(&claude(), SMALL, format!("visit: {cut}\r\nPaste\r\n").as_bytes(), &[], &[]);
    }
    let longer = format!("visit: {url}x\r\n");
    assert_eq!(links(&events(&claude(), SMALL, longer.as_bytes())), [""; 0]);
    let more = format!("{url}&login_hint=a%40b.example");
    let text = format!("visit: {more}\r\n");
    assert_eq!(links(&events(&claude(), SMALL, text.as_bytes())), [more]);
}

#[test]
fn a_link_at_the_very_end_waits_until_nothing_follows() {
    let url = claude_url();
    let mut scanner = Scanner::new(&claude(), SMALL);
    let pushed = scanner.push(format!("visit: {url}").as_bytes());
    assert_eq!(links(&pushed), [""; 0]);
    assert_eq!(links(&scanner.clone().finish()), [&url]);
    assert_eq!(links(&scanner.settle()), [&url]);
    // One that might go on is not announced, however long nothing comes.
    let mut scanner = Scanner::new(&codex(), SMALL);
    let open = format!("https://auth.openai.com/oauth/authorize?state={}&scop", "x".repeat(43));
    let mut events = scanner.push(open.as_bytes());
    events.extend(scanner.settle());
    assert_eq!(links(&events), [""; 0]);
    let events = scanner.push(b"e=openid\r\n");
    assert_eq!(links(&events), [format!("{open}e=openid")]);
}

#[test]
fn what_is_drawn_and_wiped_at_once_is_not_missed() {
    for wipe in
        ["\x1b[2J\x1b[H", "\x1b[2K\r", "\r\x1b[K", "\x1b[1;1H\x1b[J", "\x1b[?1049h", "\x1bc"]
    {
        check(&format!("visit {DEVICE} {wipe}other\r\n"), &[DEVICE]);
    }
}

#[test]
fn a_link_on_the_alternate_screen_is_one() {
    check(&format!("\x1b[?1049h\x1b[H{DEVICE}\x1b[2;1Hnext\x1b[?1049l"), &[DEVICE]);
}

#[test]
fn a_link_that_scrolls_out_while_it_is_written_is_whole() {
    let url = format!("{}&pad={}", claude_url(), "p".repeat(900));
    let text = format!("Visit: {url}\r\nPaste code here > ");
    for cols in [10, 15, 20] {
        let found = events(&claude(), Size { cols, rows: 6 }, text.as_bytes());
        assert_eq!(links(&found), [&url], "{cols} columns");
    }
}

#[test]
fn the_same_link_is_announced_once() {
    let events = events(&codex(), SMALL, format!("{DEVICE}\r\n").repeat(50).as_bytes());
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Link(_))).count(), 1);
}

#[test]
fn a_short_link_counts_from_its_scopes_and_its_challenge_on() {
    let size = Size { cols: 200, rows: 24 };
    let found = |query: &str| {
        let text =
            format!("visit:\r\nhttps://claude.ai/oauth/authorize?{query}\r\nPaste code here > ");
        let found = events(&claude(), size, text.as_bytes());
        links(&found).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let challenge = &"aB3_".repeat(11)[..43];
    for scopes in ["I", "z-", "BAA"] {
        for more in ["", "&login_method=sso", "&login_hint=a%40b.example&login_method=sso"] {
            let query = format!("{scopes}{challenge}{more}");
            assert_eq!(found(&query), [format!("https://claude.ai/oauth/authorize?{query}")]);
        }
    }
    for cut in [challenge.to_owned(), format!("z-{}", &challenge[..41]), "error=x".to_owned()] {
        assert_eq!(found(&cut), [""; 0], "{cut}");
    }
    assert_eq!(found(&format!("code={challenge}")), [""; 0], "a parameter is no challenge");
}

#[test]
fn nothing_goes_on_over_the_beginning_of_another_screen() {
    let size = Size { cols: 40, rows: 2 };
    let head = &claude_url()[..40];
    for cleared in ["\x1bc", "\x1b[?1049h"] {
        // It fills its row, and is the last one that scrolled out.
        let text = format!("{head}\r\n\r\n{cleared}{}\r\n", &claude_url()[40..]);
        let mut scanner = Scanner::new(&claude(), size);
        scanner.explain();
        scanner.push(text.as_bytes());
        scanner.finish();
        let glued = |decision: &crate::scan::Decision| decision.text.len() > head.len();
        assert!(!scanner.decisions().iter().any(glued), "{:?}", scanner.decisions());
    }
}
