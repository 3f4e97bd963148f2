//! `room pair` and `room token`: what a shell on the machine can hand out.

use std::path::Path;
use std::process::ExitCode;

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use super::arguments::{Pair, Token};
use super::{complain, not_given, say};
use crate::control::{self, Answer, Ask};

const PAIR_LOCALLY: &str = "\
To reach a Room in local mode from a phone, forward its port over a connection you trust, for example
  ssh -L 3700:localhost:3700 THIS-COMPUTER      (in a terminal app on the phone)
and open the link that `room open` prints here.";

/// Prints a link, its QR code, and the same to be typed.
pub(super) fn pair(directory: &Path, asked: &Pair) -> ExitCode {
    match control::ask(directory, &Ask::Pair { role: asked.role.clone() }) {
        Ok(Answer::Pairing { pairing_url, code, expires_at }) => {
            if let Ok(qr) = QrCode::new(&pairing_url) {
                let drawn = qr.render::<Dense1x2>().quiet_zone(true).build();
                say(&drawn);
            }
            say(&format!("Open  {pairing_url}"));
            say(&format!("or type  {code}  on the sign-in page, as {}.", asked.role));
            say(&format!("Both work once, until {expires_at}."));
            ExitCode::SUCCESS
        }
        Ok(Answer::Refused { error }) => {
            complain(&error);
            if error.starts_with("this Room answers its own computer") {
                say(PAIR_LOCALLY);
            }
            ExitCode::FAILURE
        }
        answer @ Err(_) => {
            let code = not_given(directory, answer);
            say(PAIR_LOCALLY);
            code
        }
        answer => not_given(directory, answer),
    }
}

/// Prints a bearer, and nothing else on standard output, so that a script can take it.
pub(super) fn token(directory: &Path, asked: &Token) -> ExitCode {
    let ask = Ask::Token { role: asked.role.clone(), minutes: asked.minutes };
    match control::ask(directory, &ask) {
        Ok(Answer::Token { token, expires_at }) => {
            say(&token);
            complain(&format!("works until {expires_at}"));
            ExitCode::SUCCESS
        }
        answer => not_given(directory, answer),
    }
}
