//! Bytes to terminal functions: the state machine of ECMA-48, with a bound on everything it keeps.

/// The longest operating system command that is kept; a sign-in link with its parameters is under 1 KiB.
const OSC_BYTES: usize = 8 * 1024;
/// The most parameters of a control sequence that mean anything here.
const PARAMS: usize = 16;

/// What the bytes ask for.
pub(crate) trait Sink {
    /// Printable ASCII, 0x20 to 0x7e.
    fn text(&mut self, ascii: &[u8]);
    /// A printable character beyond ASCII; U+FFFD for bytes that are not UTF-8.
    fn print(&mut self, character: char);
    /// A C0 control.
    fn control(&mut self, byte: u8);
    /// `ESC` with an optional intermediate and a final byte.
    fn escape(&mut self, intermediate: Option<u8>, last: u8);
    /// A control sequence.
    fn csi(&mut self, sequence: &Csi);
    /// A whole operating system command, ended by BEL or ST as it should be.
    fn osc(&mut self, payload: &[u8]);
}

/// A control sequence: `ESC [`, an optional private marker, numbers, a final byte.
#[derive(Clone, Copy, Default)]
pub(crate) struct Csi {
    params: [u16; PARAMS],
    count: usize,
    /// Which parameters are parts of the one before, after a colon.
    parts: u32,
    /// `?`, `>`, `=` or `<`, or 0.
    pub(crate) private: u8,
    /// A byte of 0x20 to 0x2f before the final one, or 0.
    pub(crate) intermediate: u8,
    /// What it does.
    pub(crate) last: u8,
}

impl Csi {
    /// The parameters that were written; an empty one is 0.
    pub(crate) fn params(&self) -> &[u16] {
        &self.params[..self.count.min(PARAMS)]
    }

    /// The parameter, 0 when absent.
    pub(crate) fn number(&self, index: usize) -> u16 {
        self.params().get(index).copied().unwrap_or(0)
    }

    /// The parameter as a count: absent and 0 mean 1.
    pub(crate) fn times(&self, index: usize) -> u16 {
        self.number(index).max(1)
    }

    fn digit(&mut self, digit: u8) {
        self.count = self.count.max(1);
        if let Some(param) = self.params.get_mut(self.count - 1) {
            *param = param.saturating_mul(10).saturating_add(u16::from(digit - b'0'));
        }
    }

    /// Whether the parameter is a part of the one before.
    pub(crate) fn is_part(&self, index: usize) -> bool {
        self.parts & (1 << index) != 0
    }

    fn next_param(&mut self, part: bool) {
        self.count = (self.count.max(1) + 1).min(PARAMS + 1);
        self.parts |= u32::from(part) << (self.count - 1);
    }
}

#[derive(Clone, Copy)]
enum State {
    Ground,
    Utf8,
    Escape,
    EscapeIntermediate(u8),
    Csi,
    CsiIgnore,
    Osc,
    OscEscape,
    /// DCS, SOS, PM and APC: nothing in them is shown.
    String,
    StringEscape,
}

/// The state machine.
#[derive(Clone)]
pub(crate) struct Parser {
    state: State,
    csi: Csi,
    osc: Vec<u8>,
    /// Too long or with a control inside: whatever it says is not whole.
    osc_spoilt: bool,
    utf8: [u8; 4],
    utf8_have: usize,
    utf8_want: usize,
}

impl Parser {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Ground,
            csi: Csi::default(),
            osc: Vec::new(),
            osc_spoilt: false,
            utf8: [0; 4],
            utf8_have: 0,
            utf8_want: 0,
        }
    }

    /// Feeds bytes; any division of the input gives the same calls, but for how [`Sink::text`]
    /// runs are divided.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], sink: &mut impl Sink) {
        while let Some(&first) = bytes.first() {
            if matches!(self.state, State::Ground) {
                let run = bytes.iter().take_while(|byte| matches!(byte, 0x20..=0x7e)).count();
                if run > 0 {
                    sink.text(&bytes[..run]);
                    bytes = &bytes[run..];
                    continue;
                }
            }
            self.step(first, sink);
            bytes = &bytes[1..];
        }
    }

    fn step(&mut self, byte: u8, sink: &mut impl Sink) {
        match self.state {
            State::Ground => self.ground(byte, sink),
            State::Utf8 => self.continuation(byte, sink),
            State::Escape => self.escape(byte, sink),
            State::EscapeIntermediate(intermediate) => match byte {
                0x20..=0x2f => {}
                0x30..=0x7e => {
                    self.state = State::Ground;
                    sink.escape(Some(intermediate), byte);
                }
                _ => self.anywhere(byte, sink),
            },
            State::Csi => self.csi(byte, sink),
            State::CsiIgnore => match byte {
                0x20..=0x3f => {}
                0x40..=0x7e => self.state = State::Ground,
                _ => self.anywhere(byte, sink),
            },
            State::Osc => self.osc(byte, sink),
            State::OscEscape => {
                if byte == b'\\' {
                    self.end_osc(sink);
                } else {
                    self.state = State::Escape;
                    self.step(byte, sink);
                }
            }
            State::String => match byte {
                0x1b => self.state = State::StringEscape,
                0x18 | 0x1a => self.state = State::Ground,
                _ => {}
            },
            State::StringEscape => {
                self.state = State::Escape;
                if byte == b'\\' {
                    self.state = State::Ground;
                } else {
                    self.step(byte, sink);
                }
            }
        }
    }

    fn ground(&mut self, byte: u8, sink: &mut impl Sink) {
        match byte {
            0x20..=0x7e => sink.text(&[byte]),
            0x00..=0x1f => self.anywhere(byte, sink),
            0xc2..=0xf4 => {
                self.utf8[0] = byte;
                self.utf8_have = 1;
                self.utf8_want = match byte {
                    0xc2..=0xdf => 2,
                    0xe0..=0xef => 3,
                    _ => 4,
                };
                self.state = State::Utf8;
            }
            0x7f => {}
            _ => sink.print(char::REPLACEMENT_CHARACTER),
        }
    }

    fn continuation(&mut self, byte: u8, sink: &mut impl Sink) {
        if !matches!(byte, 0x80..=0xbf) {
            self.state = State::Ground;
            sink.print(char::REPLACEMENT_CHARACTER);
            self.step(byte, sink);
            return;
        }
        self.utf8[self.utf8_have] = byte;
        self.utf8_have += 1;
        if self.utf8_have == self.utf8_want {
            self.state = State::Ground;
            let decoded = std::str::from_utf8(&self.utf8[..self.utf8_have]).ok();
            let character = decoded.and_then(|text| text.chars().next());
            sink.print(character.unwrap_or(char::REPLACEMENT_CHARACTER));
        }
    }

    /// Controls mean the same in every state but strings.
    fn anywhere(&mut self, byte: u8, sink: &mut impl Sink) {
        match byte {
            0x1b => self.state = State::Escape,
            0x18 | 0x1a => self.state = State::Ground,
            0x00..=0x1f => sink.control(byte),
            0x7f => {}
            _ => {
                self.state = State::Ground;
                self.ground(byte, sink);
            }
        }
    }

    fn escape(&mut self, byte: u8, sink: &mut impl Sink) {
        match byte {
            b'[' => {
                self.csi = Csi::default();
                self.state = State::Csi;
            }
            b']' => {
                self.osc.clear();
                self.osc_spoilt = false;
                self.state = State::Osc;
            }
            b'P' | b'X' | b'^' | b'_' => self.state = State::String,
            0x20..=0x2f => self.state = State::EscapeIntermediate(byte),
            0x30..=0x7e => {
                self.state = State::Ground;
                sink.escape(None, byte);
            }
            _ => self.anywhere(byte, sink),
        }
    }

    fn csi(&mut self, byte: u8, sink: &mut impl Sink) {
        match byte {
            b'0'..=b'9' => self.csi.digit(byte),
            b';' | b':' => self.csi.next_param(byte == b':'),
            b'<'..=b'?' if self.csi.count == 0 && self.csi.private == 0 => self.csi.private = byte,
            b'<'..=b'?' => self.state = State::CsiIgnore,
            0x20..=0x2f => self.csi.intermediate = byte,
            0x40..=0x7e => {
                self.csi.last = byte;
                self.state = State::Ground;
                let sequence = self.csi;
                sink.csi(&sequence);
            }
            _ => self.anywhere(byte, sink),
        }
    }

    fn osc(&mut self, byte: u8, sink: &mut impl Sink) {
        match byte {
            0x07 => self.end_osc(sink),
            0x1b => self.state = State::OscEscape,
            0x18 | 0x1a => self.state = State::Ground,
            0x00..=0x1f => self.osc_spoilt = true,
            _ if self.osc.len() < OSC_BYTES => self.osc.push(byte),
            _ => self.osc_spoilt = true,
        }
    }

    fn end_osc(&mut self, sink: &mut impl Sink) {
        self.state = State::Ground;
        if !self.osc_spoilt {
            sink.osc(&self.osc);
        }
        self.osc.clear();
    }
}
