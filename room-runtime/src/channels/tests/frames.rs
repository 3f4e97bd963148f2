//! Frames beside those of a well-known implementation.

use std::io::{Cursor, Read, Write};

use bytes::Bytes;
use proptest::prelude::*;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket};

use crate::channels::frames::{Fault, Frame, Incoming, MESSAGE_BYTES, Reader};

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
        assert_eq!(reader.held(), 0, "nothing is kept");
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
    let bytes = [frame(0x01, b"a\xC3"), frame(0x89, b"!"), frame(0x00, b""), frame(0x80, b"\xA9b")];
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
        (vec![0x81, 0xFE, 0x00, 0x7D], "a short length in the middle form"),
        (vec![0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], "a middle length in the long form"),
        (vec![0x81, 0xFE, 0x40, 0x01], "a message of 16 KiB and a byte"),
        (vec![0x81, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0], "a message of half of everything"),
        (frame(0x81, b"\xC3"), "half a character"),
        (frame(0x88, b"\x03"), "half a code"),
        (frame(0x88, b"\x03\xE8\xFF"), "a reason that is no text"),
        (frame(0x88, b"\x03\xED"), "1005, which is never sent"),
        (frame(0x88, b"\x00\x01"), "a code of nobody's"),
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

/// What a client might send, as pieces that each end on a frame.
#[derive(Clone, Debug)]
enum Piece {
    /// A text in so many parts, with a ping after each but the last.
    Text(Vec<String>, bool),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// Too long, or not text, or not masked: whatever comes after is not looked at.
    Bad(Vec<u8>),
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let part = prop_oneof![4 => "\\PC{0,40}", 1 => "[a-zé]{120,130}", 1 => "x{3000,7000}"];
    let control = prop::collection::vec(any::<u8>(), 0..=125);
    let piece = prop_oneof![
        6 => (prop::collection::vec(part, 1..4), any::<bool>())
            .prop_map(|(parts, pings)| Piece::Text(parts, pings)),
        2 => control.clone().prop_map(Piece::Ping),
        2 => control.prop_map(Piece::Pong),
        1 => prop_oneof![
            Just(vec![0x81, 0x01, b'x']),
            Just(frame(0x91, b"x")),
            Just(frame(0x81, b"\xFF")),
            Just(frame(0x80, b"x")),
            Just(frame(0x83, b"x")),
            Just(vec![0x81, 0xFE, 0xFF, 0xFF, 0, 0, 0, 0]),
        ].prop_map(Piece::Bad),
    ];
    prop::collection::vec(piece, 0..8)
}

/// A frame of any length, as a client sends it.
fn long_frame(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut bytes = vec![first];
    match u16::try_from(payload.len()) {
        Ok(short @ 0..=125) => bytes.push(0x80 | short.to_be_bytes()[1]),
        Ok(middling) => {
            bytes.push(0xFE);
            bytes.extend(middling.to_be_bytes());
        }
        Err(_) => {
            bytes.push(0xFF);
            bytes.extend((payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

fn line(pieces: &[Piece], mask: [u8; 4]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Text(parts, pings) => {
                for (at, part) in parts.iter().enumerate() {
                    let last = if at + 1 == parts.len() { 0x80 } else { 0 };
                    let kind = u8::from(at == 0);
                    bytes.extend(long_frame(last | kind, part.as_bytes(), mask));
                    if *pings && last == 0 {
                        bytes.extend(long_frame(0x89, b"between", mask));
                    }
                }
            }
            Piece::Ping(payload) => bytes.extend(long_frame(0x89, payload, mask)),
            Piece::Pong(payload) => bytes.extend(long_frame(0x8A, payload, mask)),
            Piece::Bad(frame) => bytes.extend(frame),
        }
    }
    bytes
}

/// What a well-known server understands of these bytes, and whether it found a fault.
fn understood(bytes: &[u8]) -> (Vec<Incoming>, bool) {
    struct Line(Cursor<Vec<u8>>);
    impl Read for Line {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            match self.0.read(into)? {
                0 => Err(std::io::ErrorKind::WouldBlock.into()),
                count => Ok(count),
            }
        }
    }
    impl Write for Line {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES))
        .max_frame_size(Some(MESSAGE_BYTES));
    let line = Line(Cursor::new(bytes.to_vec()));
    let mut server = WebSocket::from_raw_socket(line, Role::Server, Some(config));
    let mut found = Vec::new();
    loop {
        match server.read() {
            Ok(Message::Text(text)) => found.push(Incoming::Text(text.to_string())),
            Ok(Message::Ping(payload)) => found.push(Incoming::Ping(payload.to_vec())),
            Ok(Message::Pong(_)) => found.push(Incoming::Pong),
            Ok(other) => panic!("not sent: {other}"),
            Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                return (found, false);
            }
            Err(_) => return (found, true),
        }
    }
}

/// What we understand, given the bytes in chunks of these sizes.
fn ours(bytes: &[u8], chunks: &[usize]) -> (Vec<Incoming>, bool) {
    let mut reader = Reader::default();
    let mut found = Vec::new();
    let (mut bytes, mut sizes) = (bytes, chunks.iter().cycle());
    while !bytes.is_empty() {
        let size = sizes.next().copied().unwrap_or(usize::MAX).clamp(1, bytes.len());
        let (chunk, rest) = bytes.split_at(size);
        reader.push(chunk);
        bytes = rest;
        loop {
            match reader.read() {
                Ok(Some(Incoming::Part)) => {}
                Ok(Some(next)) => found.push(next),
                Ok(None) => break,
                Err(Fault) => return (found, true),
            }
        }
    }
    (found, false)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn messages_are_understood_as_others_do_in_any_chunks(
        pieces in pieces(),
        mask in any::<[u8; 4]>(),
        chunks in prop::collection::vec(1..5000usize, 1..6),
    ) {
        let bytes = line(&pieces, mask);
        prop_assert_eq!(ours(&bytes, &chunks), understood(&bytes));
    }

    #[test]
    fn damaged_bytes_are_the_same_in_any_chunks(
        pieces in pieces(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        chunks in prop::collection::vec(1..200usize, 1..6),
    ) {
        let mut bytes = line(&pieces, [7, 0, 255, 1]);
        for (at, byte) in damage {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        let whole = ours(&bytes, &[usize::MAX]);
        prop_assert_eq!(&ours(&bytes, &chunks), &whole);
        prop_assert_eq!(&ours(&bytes, &[1]), &whole);
    }
}
