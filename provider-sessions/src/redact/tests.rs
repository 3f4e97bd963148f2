//! What is masked, and what stays.

use super::*;

fn line(text: &str) -> String {
    Redactor::default().line(text)
}

#[test]
fn known_shapes_are_masked() {
    for (text, safe) in [
        ("key sk-proj-abcdefghij1234 end", "key **** end"),
        ("token sk-ant-oat01-AbC_d-eFgHiJkL.", "token ****"),
        ("API key configured - sk-mock-***bcdef", "API key configured - ****"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln x", "jwt **** x"),
        (
            "http://localhost:1455/success?id_token=eyJh.x.y&n=1",
            "http://localhost:1455/success?id_token=****&n=1",
        ),
        ("id_token=abc access_token=def&x", "id_token=**** access_token=****&x"),
        (
            "GET /auth/callback?code=ac_1234567890&state=x HTTP/1.1",
            "GET /auth/callback?code=****&state=**** HTTP/1.1",
        ),
        (
            "see https://a.example/x?next=%2Fcb%3Fcode%3D1234567890%26state%3Dabc ok",
            "see https://a.example/x?next=%2Fcb%3Fcode%3D**** ok",
        ),
        (
            "http://127.0.0.1:1455/auth/callback?state=abc",
            "http://127.0.0.1:1455/auth/callback?state=****",
        ),
        ("key AIzaSyA1234567890abcdefghijklmnopqrstu!", "key ****!"),
        ("ghp_0123456789abcdefghijABCDEFGHIJ012345", "****"),
        ("token=gho_0123456789abcdefghij.", "token=****."),
        ("github_pat_11ABCDEFG0123456789_abcdefghij x", "**** x"),
        ("export TOKEN=ya29.a0AfH6SMBx1234567890", "export TOKEN=****"),
        ("xsk-ant-oat01-abcdefghijkl", "x****"),
        ("cut off at the edge sk-proj-ab", "cut off at the edge ****"),
        ("cut off at the edge /cb?code=4/0AX", "cut off at the edge /cb?code=****"),
        ("cut off at the edge ghs_abcde", "cut off at the edge ****"),
        ("id_token%3DeyJhbGciOiJub25lIn0.e30.&x", "id_token%3D****&x"),
        ("Authorization: Bearer abcdefghijklmnop", "Authorization: Bearer ****"),
        ("│ **********2uCFxo  │", "│ ****  │"),
        ("••••••••abc", "****"),
        ("refresh rt_abcdefghijklmnopqrstuvwx", "refresh ****"),
    ] {
        assert_eq!(line(text), safe);
    }
}

#[test]
fn what_a_person_needs_stays() {
    let state = "a".repeat(43);
    for text in [
        "Continue only if you started this login in Codex.",
        "https://claude.com/cai/oauth/authorize?code=true&response_type=code&state=abc",
        &format!("https://claude.com/oauth/authorize?code_challenge={state}&state={state}"),
        "https://github.com/login/device?user_code=ABCD-EFGH",
        "   CZ6N-DCWVI",
        "task-list sk-1 ask-me-anything-now",
        "**bold** and *** and ****",
        "a == b; x=1",
        "start eyJ",
    ] {
        assert_eq!(line(text), text);
    }
}

#[test]
fn a_broken_token_is_masked_on_the_next_line_too() {
    let mut redactor = Redactor::default();
    assert_eq!(redactor.line("│ sk-ant-oat01-abcdefghijkl │"), "│ **** │");
    assert_eq!(redactor.line("│ mnop_QRSTUV-0123 │"), "│ **** │");
    assert_eq!(redactor.line("│ wxyz0 │"), "│ **** │");
    assert_eq!(redactor.line("│ ABCD-1234 │"), "│ ABCD-1234 │", "a shorter row was the last");
    redactor.line("sk-ant-oat01-abcdefghijkl");
    assert_eq!(redactor.line("Store it safely"), "Store it safely");
}

#[test]
fn short_answers_are_no_secrets_and_short_secrets_are_words() {
    let mut redactor = Redactor::default();
    redactor.mask("y");
    redactor.mask("1234");
    assert_eq!(redactor.line("y 1234 12345 x1234 (1234)"), "y **** 12345 x1234 (****)");
}

#[test]
fn percent_encoded_secrets_are_masked() {
    let mut redactor = Redactor::default();
    redactor.mask("abcdef#ghijkl");
    assert_eq!(redactor.line("x=abcdef%23ghijkl;"), "x=****;");
}

#[test]
fn a_callback_broken_by_the_program_is_masked_wherever_it_breaks() {
    let address = "http://localhost:1455/auth/callback?code=ac_0123456789abcdefghij&scope=openid&state=QRSTUVWXYZ0123456789qrstuvwxyz";
    for width in 12..address.len() {
        let mut redactor = Redactor::default();
        for piece in address.as_bytes().chunks(width) {
            let safe = redactor.line(std::str::from_utf8(piece).unwrap());
            for secret in ["ac_0123456789abcdefghij", "QRSTUVWXYZ0123456789qrstuvwxyz"] {
                for window in secret.as_bytes().windows(8) {
                    let window = std::str::from_utf8(window).unwrap();
                    assert!(!safe.contains(window), "at {width}: {safe} shows {window}");
                }
            }
        }
    }
}
