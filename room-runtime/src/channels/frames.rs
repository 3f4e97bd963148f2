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

    /// How much room is kept for what is half here.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.arrived.capacity()
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
        // The shortest form of a length is the only one (section 5.2).
        let shortest = match wide.len() {
            0 => 0,
            2 => 126,
            _ => 1 << 16,
        };
        let length = usize::try_from(length).map_err(|_| Fault)?;
        if length < shortest || length > most {
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
                [high, low, reason @ ..] => {
                    let code = u16::from_be_bytes([*high, *low]);
                    let said = may_be_sent(code) && std::str::from_utf8(reason).is_ok();
                    if said { Ok(Incoming::Close(Some(code))) } else { Err(Fault) }
                }
                [_] => Err(Fault),
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

/// Whether a close may carry that code (section 7.4 and the register of IANA).
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
