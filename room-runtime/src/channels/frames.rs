//! WebSocket frames (RFC 6455), the server's side of them. Pure: bytes in, messages out.
//!
//! What is sent is a [`Frame`] with its header, made once and shared by all who get it: a server's
//! frames are not masked, so they are the same for everyone. What comes in goes through a
//! [`Reader`], which holds nothing while no message is half here.

use bytes::{Buf as _, Bytes};

/// The longest message a client may send, in however many parts.
pub const MESSAGE_BYTES: usize = 16 * 1024;

/// The longest header of a frame that is not masked.
const HEADER_BYTES: usize = 10;

/// The most a frame of control may carry (section 5.5).
const CONTROL_BYTES: usize = 125;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// A whole message as it goes out, header first. Clones share the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    /// A text that `write` appends; `size_bytes` is a guess at its length.
    ///
    /// # Errors
    /// What `write` says.
    pub fn text<E>(
        size_bytes: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + size_bytes);
        bytes.resize(HEADER_BYTES, 0);
        write(&mut bytes)?;
        Ok(Self::finish(TEXT, bytes))
    }

    /// Are you there?
    pub fn ping() -> Self {
        Self(Bytes::from_static(&[0x80 | PING, 0]))
    }

    /// I am; `payload` comes from the ping.
    pub fn pong(payload: &[u8]) -> Self {
        Self::control(PONG, &[payload])
    }

    /// Goodbye, and why.
    pub fn close(code: u16, reason: &str) -> Self {
        Self::control(CLOSE, &[&code.to_be_bytes(), reason.as_bytes()])
    }

    /// How many bytes go over the line.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never: there is always a header.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What goes over the line.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text without its header.
    #[cfg(test)]
    pub(crate) fn as_text(&self) -> &str {
        let header = match self.0[1] {
            127 => 10,
            126 => 4,
            _ => 2,
        };
        std::str::from_utf8(&self.0[header..]).expect("we send texts")
    }

    fn control(opcode: u8, parts: &[&[u8]]) -> Self {
        let mut bytes = vec![0; HEADER_BYTES];
        for part in parts {
            bytes.extend_from_slice(part);
        }
        debug_assert!(bytes.len() <= HEADER_BYTES + CONTROL_BYTES, "section 5.5");
        Self::finish(opcode, bytes)
    }

    /// Puts the header right before the payload, into the room that was left for the longest one.
    fn finish(opcode: u8, mut bytes: Vec<u8>) -> Self {
        let length = bytes.len() - HEADER_BYTES;
        let start = match u16::try_from(length) {
            Ok(short @ 0..=125) => {
                bytes[9] = short.to_be_bytes()[1];
                8
            }
            Ok(middling) => {
                bytes[7] = 126;
                bytes[8..10].copy_from_slice(&middling.to_be_bytes());
                6
            }
            Err(_) => {
                bytes[1] = 127;
                bytes[2..10].copy_from_slice(&(length as u64).to_be_bytes());
                0
            }
        };
        bytes[start] = 0x80 | opcode;
        let mut bytes = Bytes::from(bytes);
        bytes.advance(start);
        Self(bytes)
    }
}

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A whole text.
    Text(String),
    /// A part of one; more follows.
    Part,
    /// It asks whether we are there.
    Ping(Vec<u8>),
    /// It is there.
    Pong,
    /// It goes, perhaps with a code.
    Close(Option<u16>),
}

/// It is not the protocol; nothing after it makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault;

/// Puts messages together from what arrives.
#[derive(Debug, Default)]
pub struct Reader {
    arrived: Vec<u8>,
    /// The message whose last part is yet to come.
    begun: Option<Vec<u8>>,
}

/// What the first bytes of a frame say about the rest.
struct Header {
    last: bool,
    opcode: u8,
    mask: [u8; 4],
    /// Where the payload begins.
    start: usize,
    length: usize,
}

impl Reader {
    /// Takes what has arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.arrived.extend_from_slice(bytes);
    }

    /// The next of what was sent, if it is here.
    ///
    /// # Errors
    /// It is not the protocol: no mask, unknown bits or kinds, bytes instead of text, more than
    /// [`MESSAGE_BYTES`]. Said as soon as the header shows it, whatever has arrived of the rest.
    pub fn read(&mut self) -> Result<Option<Incoming>, Fault> {
        let Some(header) = self.header()? else { return Ok(None) };
        let end = header.start + header.length;
        if self.arrived.len() < end {
            return Ok(None);
        }
        let mut payload = self.arrived[header.start..end].to_vec();
        if self.arrived.len() == end {
            // A quiet client keeps no buffer.
            self.arrived = Vec::new();
        } else {
            self.arrived.drain(..end);
        }
        for (byte, mask) in payload.iter_mut().zip(header.mask.iter().cycle()) {
            *byte ^= mask;
        }
        self.take(&header, payload).map(Some)
    }

    fn header(&self) -> Result<Option<Header>, Fault> {
        let &[first, second, ref rest @ ..] = self.arrived.as_slice() else { return Ok(None) };
        let (last, reserved, opcode) = (first & 0x80 != 0, first & 0x70, first & 0x0F);
        let (masked, short) = (second & 0x80 != 0, second & 0x7F);
        if reserved != 0 || !masked {
            return Err(Fault);
        }
        let begun = self.begun.as_ref().map(Vec::len);
        let most = match (opcode, begun) {
            (TEXT, None) => MESSAGE_BYTES,
            (CONTINUATION, Some(length)) => MESSAGE_BYTES - length,
            (CLOSE | PING | PONG, _) if last => CONTROL_BYTES,
            _ => return Err(Fault),
        };
        let wide = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some((wide, rest)) = rest.split_at_checked(wide) else { return Ok(None) };
        let length = match wide.len() {
            0 => u64::from(short),
            _ => wide.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
        };
        let length = usize::try_from(length).map_err(|_| Fault)?;
        if length > most {
            return Err(Fault);
        }
        let Some(mask) = rest.first_chunk() else { return Ok(None) };
        let start = 2 + wide.len() + mask.len();
        Ok(Some(Header { last, opcode, mask: *mask, start, length }))
    }

    fn take(&mut self, header: &Header, payload: Vec<u8>) -> Result<Incoming, Fault> {
        match header.opcode {
            PING => Ok(Incoming::Ping(payload)),
            PONG => Ok(Incoming::Pong),
            CLOSE => match payload.as_slice() {
                [] => Ok(Incoming::Close(None)),
                [high, low, reason @ ..] if std::str::from_utf8(reason).is_ok() => {
                    Ok(Incoming::Close(Some(u16::from_be_bytes([*high, *low]))))
                }
                _ => Err(Fault),
            },
            _ => {
                let whole = match self.begun.take() {
                    None => payload,
                    Some(mut begun) => {
                        begun.extend_from_slice(&payload);
                        begun
                    }
                };
                if header.last {
                    return String::from_utf8(whole).map(Incoming::Text).map_err(|_| Fault);
                }
                self.begun = Some(whole);
                Ok(Incoming::Part)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read, Write};

    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
    use tokio_tungstenite::tungstenite::{Message, WebSocket};

    use super::*;

    /// What a well-known client sends for these messages.
    fn sent(messages: &[Message]) -> Vec<u8> {
        struct Line(Vec<u8>);
        impl Read for Line {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::WouldBlock.into())
            }
        }
        impl Write for Line {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.write(bytes)
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut client = WebSocket::from_raw_socket(Line(Vec::new()), Role::Client, None);
        for message in messages {
            client.send(message.clone()).unwrap();
        }
        client.get_ref().0.clone()
    }

    /// What a well-known client hears in these bytes.
    fn heard(bytes: &[u8]) -> Vec<Message> {
        let config = WebSocketConfig::default();
        let line = Cursor::new(bytes.to_vec());
        let mut client = WebSocket::from_raw_socket(line, Role::Client, Some(config));
        std::iter::from_fn(|| client.read().ok()).collect()
    }

    fn text(text: &str) -> Frame {
        let write = |bytes: &mut Vec<u8>| -> Result<(), Fault> {
            bytes.extend_from_slice(text.as_bytes());
            Ok(())
        };
        Frame::text(0, write).unwrap()
    }

    /// All that is in the bytes, however they are cut in two.
    #[track_caller]
    fn check(bytes: &[u8], expected: &[Incoming]) {
        let step = (bytes.len() / 200).max(1);
        for cut in (0..=bytes.len()).step_by(step) {
            let mut reader = Reader::default();
            let mut found = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                reader.push(part);
                while let Some(next) = reader.read().expect("the protocol") {
                    found.push(next);
                }
            }
            assert_eq!(found, expected, "cut at byte {cut}");
            assert_eq!(reader.arrived.capacity(), 0, "nothing is kept");
        }
    }

    /// A frame from a client, masked with a key that changes something.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let length = u8::try_from(payload.len()).unwrap();
        let mut bytes = vec![first, 0x80 | length];
        bytes.extend(mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    #[test]
    fn what_is_sent_is_heard() {
        let sizes = [0, 1, 125, 126, 127, 65_535, 65_536, 300_000];
        let texts: Vec<String> = sizes.iter().map(|size| "é1"[..].repeat(size / 3 + 1)).collect();
        let texts = texts.iter().zip(sizes).map(|(text, size)| {
            let mut end = size;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text[..end].to_owned()
        });
        for expected in texts.chain(["x".repeat(125), "x".repeat(126), "x".repeat(65_536)]) {
            let frame = text(&expected);
            assert_eq!(frame.as_text(), expected);
            assert_eq!(heard(frame.bytes()), [Message::text(expected)]);
        }
        assert_eq!(heard(Frame::ping().bytes()), [Message::Ping(Bytes::new())]);
        assert_eq!(heard(Frame::pong(b"abc").bytes()), [Message::Pong("abc".into())]);
        let close = heard(Frame::close(4408, "too slow").bytes());
        let [Message::Close(Some(close))] = close.as_slice() else { panic!("{close:?}") };
        assert_eq!((u16::from(close.code), close.reason.as_str()), (4408, "too slow"));
    }

    #[test]
    fn what_a_client_sends_is_read_however_it_is_cut() {
        let long = "ü".repeat(MESSAGE_BYTES / 2);
        let messages = [
            Message::text("{}"),
            Message::Ping("p".into()),
            Message::text(""),
            Message::text(long.clone()),
            Message::Pong(Bytes::new()),
            Message::Close(None),
        ];
        let expected = [
            Incoming::Text("{}".into()),
            Incoming::Ping(b"p".to_vec()),
            Incoming::Text(String::new()),
            Incoming::Text(long),
            Incoming::Pong,
            Incoming::Close(None),
        ];
        check(&sent(&messages), &expected);
    }

    #[test]
    fn parts_are_put_together_with_pings_between_them() {
        let bytes =
            [frame(0x01, b"a\xC3"), frame(0x89, b"!"), frame(0x00, b""), frame(0x80, b"\xA9b")];
        let expected = [
            Incoming::Part,
            Incoming::Ping(b"!".to_vec()),
            Incoming::Part,
            Incoming::Text("aéb".into()),
        ];
        check(&bytes.concat(), &expected);
        check(&frame(0x88, &[0x03, 0xE9, b'x']), &[Incoming::Close(Some(1001))]);
    }

    #[test]
    fn what_is_not_the_protocol_is_a_fault_at_once() {
        let begun = frame(0x01, b"a");
        for (bytes, why) in [
            (vec![0x81, 0x01], "not masked"),
            (vec![0xC1, 0x81], "a reserved bit"),
            (vec![0x82, 0x81], "bytes"),
            (vec![0x83, 0x81], "an unknown kind"),
            (vec![0x8B, 0x81], "an unknown kind of control"),
            (vec![0x80, 0x81], "the end of nothing"),
            (vec![0x09, 0x81], "a ping in parts"),
            (vec![0x89, 0xFE, 0x00, 0x7E], "a long ping"),
            (vec![0x81, 0xFE, 0x40, 0x01], "a message of 16 KiB and a byte"),
            (vec![0x81, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0], "a message of half of everything"),
            (frame(0x81, b"\xC3"), "half a character"),
            (frame(0x88, b"\x03"), "half a code"),
            (frame(0x88, b"\x03\xE8\xFF"), "a reason that is no text"),
            ([begun.clone(), frame(0x81, b"b")].concat(), "a text within a text"),
        ] {
            let mut reader = Reader::default();
            reader.push(&bytes);
            let end = loop {
                match reader.read() {
                    Ok(Some(_)) => {}
                    end => break end,
                }
            };
            assert_eq!(end, Err(Fault), "{why}");
        }
    }

    #[test]
    fn parts_together_are_no_longer_than_a_message() {
        let mut reader = Reader::default();
        let mut whole = 0;
        reader.push(&frame(0x01, &[b'x'; 125]));
        while reader.read() == Ok(Some(Incoming::Part)) {
            whole += 125;
            reader.push(&frame(0x00, &[b'x'; 125]));
        }
        assert!(whole <= MESSAGE_BYTES && whole + 125 > MESSAGE_BYTES, "{whole}");
        assert_eq!(reader.read(), Err(Fault));
    }
}
