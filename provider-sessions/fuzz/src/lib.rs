//! What the targets share: a scanner for what the fuzzer chose, and what its events must be.

use provider_sessions::provider::{Provider, built_in};
use provider_sessions::{Event, Scanner, Size};

/// The choices that stand before the terminal's bytes.
pub const HEAD: usize = 6;

/// What the first bytes choose: the row, the method, the size, the length of a read.
pub struct Chosen {
    pub provider: &'static Provider,
    method: usize,
    pub size: Size,
    pub chunk: usize,
}

impl Chosen {
    /// Reads the choices; nothing when there are too few bytes.
    pub fn read(data: &[u8]) -> Option<(Self, &[u8])> {
        let (head, bytes) = data.split_at_checked(HEAD)?;
        let rows = built_in();
        let provider = &rows[usize::from(head[0]) % rows.len()];
        let cols = u16::from_be_bytes([head[2] & 0x03, head[3]]) + 1;
        let chosen = Self {
            provider,
            method: usize::from(head[1]) % provider.methods.len(),
            size: Size { cols, rows: u16::from(head[4] & 0x3f) + 1 },
            chunk: usize::from(head[5]) + 1,
        };
        Some((chosen, bytes))
    }

    pub fn scanner(&self) -> Scanner {
        Scanner::for_method(self.provider, &self.provider.methods[self.method], self.size)
    }
}

/// What holds of every event, whatever was printed.
pub fn check(provider: &Provider, event: &Event) {
    match event {
        Event::Line(text) => {
            assert!(text.len() <= 4096, "a line of {} bytes", text.len());
            assert!(!text.chars().any(char::is_control), "a control in {text:?}");
        }
        Event::Link(url) => {
            let host = url.strip_prefix("https://").expect("https alone");
            let host = &host[..host.find(['/', '?', '#']).unwrap_or(host.len())];
            assert!(provider.hosts.iter().any(|one| one.eq_ignore_ascii_case(host)), "{url}");
            assert!(url.bytes().all(|byte| byte.is_ascii_graphic()), "{url:?}");
        }
        Event::Code(code) => {
            let shape = provider.scan.code.as_ref().expect("a row without codes has none");
            assert_eq!(shape.find(code).map(|found| found.as_str()), Some(code.as_str()));
        }
        Event::Token(token) => {
            let shape = provider.scan.token.as_ref().expect("a row without tokens has none");
            let found = shape.find(token.expose()).map(|found| found.as_str());
            assert_eq!(found, Some(token.expose()));
        }
        Event::Answer(bytes) => {
            let known = |rule: &provider_sessions::provider::AnswerRule| rule.send.as_bytes() == bytes;
            assert!(provider.scan.answers.iter().any(known));
        }
        Event::Reply(bytes) => assert!(bytes.starts_with(b"\x1b[") && bytes.len() < 32),
        Event::Failed { text, .. } => assert!(text.len() <= 4096),
        Event::Prompt { .. } | Event::PromptGone | Event::Stored => {}
    }
}
