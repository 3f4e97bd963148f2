//! The real programs' texts in terminals of other widths, and their variants.

use super::{Size, WIDTHS, check_whole, claude, codex, events, lines};

const STATE: &str = "CJXGvV_4qu6Z9tXLCWjwqyvHKPXiLkKXycazk8Lcp0c";

fn claude_url(host_and_path: &str) -> String {
    format!(
        "https://{host_and_path}?code=true&client_id=9d1c250a-e61b-44d9-88ed-5944d1962f5e\
         &response_type=code&redirect_uri=https%3A%2F%2Fplatform.claude.com%2Foauth%2Fcode\
         %2Fcallback&scope=org%3Acreate_api_key+user%3Aprofile+user%3Ainference+user%3Asessions\
         %3Aclaude_code+user%3Amcp_servers+user%3Afile_upload+user%3Aplugins+user\
         %3Aprivacy_consents%3Awrite+org%3Adesktop_config\
         &code_challenge=QT7ORQdnfprHaCBkmpCedY7F5BXuX506IjmTaMuL9OI&code_challenge_method=S256\
         &state={STATE}"
    )
}

fn short_url() -> String {
    format!(
        "https://claude.com/cai/oauth/authorize?code=true&scope=user%3Ainference\
         &code_challenge=avHwtT53HFU1XV1uCCHsudRJn-C0eO_rkpmevQP3ouQ&state={STATE}"
    )
}

/// How a program marks its link.
#[derive(Clone, Copy, Debug)]
enum Hyperlink {
    None,
    Bell,
    StringTerminator,
}

impl Hyperlink {
    const ALL: [Self; 3] = [Self::None, Self::Bell, Self::StringTerminator];

    fn around(self, url: &str, text: &str) -> String {
        match self {
            Self::None => text.to_owned(),
            Self::Bell => format!("\x1b]8;;{url}\x07{text}\x1b]8;;\x07"),
            Self::StringTerminator => {
                format!("\x1b]8;id=a1:x=y;{url}\x1b\\{text}\x1b]8;;\x1b\\")
            }
        }
    }
}

#[test]
fn the_device_prompt_is_read_at_any_width() {
    for colours in [true, false] {
        for code in ["CZ6N-DCWVI", "ABCD-EFGH", "1234-56789", "DSJZ-RD351"] {
            let text = format!(
                "\r\nWelcome to Codex [v\x1b[90m0.169.0\x1b[0m]\r\n\x1b[90mOpenAI's command-line \
                 coding agent\x1b[0m\r\n\r\nFollow these steps to sign in with ChatGPT using \
                 device code authorization:\r\n\r\n1. Open this link in your browser and sign in \
                 to your account\r\n   \x1b[94mhttps://auth.openai.com/codex/device\x1b[0m\r\n\r\n\
                 2. Enter this one-time code \x1b[90m(expires in 15 minutes)\x1b[0m\r\n   \
                 \x1b[94m{code}\x1b[0m\r\n\r\n\x1b[90mContinue only if you started this login in \
                 Codex. If a website or another person gave you this code, cancel.\x1b[0m\r\n\r\n\
                 Successfully logged in\r\n"
            );
            let plain = text.replace("\x1b[90m", "").replace("\x1b[94m", "").replace("\x1b[0m", "");
            let text = if colours { text } else { plain };
            for cols in WIDTHS {
                let size = Size { cols, rows: 24 };
                let url = "https://auth.openai.com/codex/device";
                check_whole(&codex(), size, text.as_bytes(), &[url], &[code]);
            }
        }
    }
}

#[test]
fn lines_are_whole_at_any_width() {
    let text = "2. Enter this one-time code (expires in 15 minutes)\r\n   CZ6N-DCWVI\r\n";
    for cols in WIDTHS {
        let found = events(&codex(), Size { cols, rows: 5 }, text.as_bytes());
        assert_eq!(
            lines(&found),
            ["2. Enter this one-time code (expires in 15 minutes)", "   CZ6N-DCWVI"],
            "{cols} columns"
        );
    }
}

#[test]
fn the_pasted_code_flow_is_read_at_any_width() {
    let hosts = [
        "claude.com/cai/oauth/authorize",
        "platform.claude.com/oauth/authorize",
        "claude.ai/oauth/authorize",
        "console.anthropic.com/oauth/authorize",
    ];
    for (host, hyperlink) in hosts.into_iter().zip(Hyperlink::ALL.into_iter().cycle()) {
        let url = claude_url(host);
        let shown = hyperlink.around(&url, &format!("\x1b[94m{url}\x1b[39m"));
        let text = format!(
            "Opening browser to sign in…\r\nIf the browser didn't open, visit: {shown}\r\n\
             Paste code here if prompted > "
        );
        for cols in WIDTHS {
            check_whole(&claude(), Size { cols, rows: 24 }, text.as_bytes(), &[&url], &[]);
        }
    }
}

#[test]
fn the_other_wording_is_read_at_any_width() {
    let url = claude_url("claude.com/cai/oauth/authorize");
    let text = format!(
        "The browser can't return the sign-in to Claude Code automatically. After you sign in, \
         paste the code shown.\r\nSign in at: {url}\r\nPaste code here > "
    );
    for cols in WIDTHS {
        check_whole(&claude(), Size { cols, rows: 24 }, text.as_bytes(), &[&url], &[]);
    }
}

#[test]
fn a_link_that_the_program_cuts_at_the_edge_is_put_together() {
    for url in [claude_url("claude.com/cai/oauth/authorize"), short_url()] {
        for hyperlink in Hyperlink::ALL {
            for cols in WIDTHS {
                let pieces = url.as_bytes().chunks(cols.into());
                let shown: Vec<String> = pieces
                    .map(|piece| hyperlink.around(&url, std::str::from_utf8(piece).unwrap()))
                    .collect();
                let text = format!(
                    "\x1b[2GBrowser\x1b[10Gdidn't\x1b[17Gopen?\r\r\n\r\r\n{}\r\r\n\r\r\n\
                     \x1b[2GPaste\x1b[8Gcode\x1b[13Ghere\x1b[18Gif\x1b[21Gprompted\r\r\n",
                    shown.join("\r\r\n")
                );
                check_whole(&claude(), Size { cols, rows: 40 }, text.as_bytes(), &[&url], &[]);
            }
        }
    }
}

#[test]
fn a_cut_link_is_put_together_with_text_right_below() {
    // The last piece may fill its row, too: then the sentence below must not become a part of it.
    let url = short_url();
    for cols in 20..=200_u16 {
        let pieces: Vec<&str> = url
            .as_bytes()
            .chunks(cols.into())
            .map(|piece| std::str::from_utf8(piece).unwrap())
            .collect();
        let text = format!("Visit\r\n{}\r\nPaste code here > ", pieces.join("\r\n"));
        check_whole(&claude(), Size { cols, rows: 40 }, text.as_bytes(), &[&url], &[]);
    }
}

#[test]
fn a_painted_device_prompt_is_read() {
    let url = "https://auth.openai.com/codex/device";
    for cols in [60, 80, 120, 1000] {
        // Painted over an older screen, letters that stay the same left out.
        let text = format!(
            "\x1b[?2026h\x1b[3;3HPreparing device code login\x1b[5;3HRequesting a one-time \
             code...\x1b[?2026l\x1b[?2026h\x1b[3;3HFinish signing in via\x1b[3;25Hy\x1b[3;27Hur \
             browser\x1b[K\x1b[5;1H  1. Open this link in your browser\x1b[K\x1b[7;3H\x1b]8;;{url}\
             \x07{url}\x1b]8;;\x07\x1b[9;3H2.\x1b[9;6HEnter\x1b[9;12Hthis\x1b[9;17Hone-time\
             \x1b[9;26Hcode\x1b[11;3H\x1b[1mABCD-E1F2G\x1b[13;1H  Continue only if\x1b[?2026l"
        );
        check_whole(&codex(), Size { cols, rows: 24 }, text.as_bytes(), &[url], &["ABCD-E1F2G"]);
        let unmarked = text.replace(&format!("\x1b]8;;{url}\x07"), "").replace("\x1b]8;;\x07", "");
        let unheld = unmarked.replace("\x1b[?2026h", "").replace("\x1b[?2026l", "");
        for text in [unmarked, unheld] {
            check_whole(
                &codex(),
                Size { cols, rows: 24 },
                text.as_bytes(),
                &[url],
                &["ABCD-E1F2G"],
            );
        }
    }
}
