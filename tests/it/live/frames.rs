//! Every rule of RFC 6455 that the live link rests on, asked of the real server byte by byte, and
//! a well-known client beside it.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use room_tests::app::{Setup, TestApp};
use room_tests::socket::upgrade;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};

async fn server() -> TestApp {
    let setup = Setup::new().unwrap().var("ROOM_AUTH_FAILURES_PER_MINUTE", "off");
    setup.start().await.unwrap()
}

/// A socket without a client behind it, past `hello`.
struct Line(TcpStream);

impl Line {
    fn open(app: &TestApp) -> Self {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, app.port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(25))).unwrap();
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\n\
             Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            app.port(),
            app.token(),
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        // The example of section 1.3.
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        let mut line = Self(stream);
        let (first, hello) = line.next();
        assert_eq!(first, 0x81);
        assert!(hello.starts_with(br#"{"type":"hello""#));
        line
    }

    fn send(&mut self, bytes: &[u8]) {
        // It may be closed already, for what came before.
        let _ = self.0.write_all(bytes);
    }

    /// The next frame: its first byte, and what it carries.
    fn next(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).expect("a frame in time");
        let length = match head[1] {
            126 => {
                let mut long = [0; 2];
                self.0.read_exact(&mut long).unwrap();
                usize::from(u16::from_be_bytes(long))
            }
            short => usize::from(short),
        };
        assert!(length < 1 << 16 && head[1] < 127, "short, and not masked");
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).unwrap();
        (head[0], payload)
    }

    /// The code of a close.
    fn code(&mut self) -> u16 {
        let (first, payload) = self.next();
        assert_eq!(first, 0x88, "{payload:?}");
        u16::from_be_bytes([payload[0], payload[1]])
    }
}

/// A frame as a client sends it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [9, 8, 7, 200];
    let mut bytes = vec![first];
    if payload.len() < 126 {
        bytes.push(0x80 | u8::try_from(payload.len()).unwrap());
    } else {
        bytes.push(0xFE);
        bytes.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

#[tokio::test]
async fn what_breaks_the_protocol_ends_the_socket() {
    let app = server().await;
    let text = frame(0x81, br#"{"type":"ping"}"#);
    let mut unmasked = vec![0x81, 15];
    unmasked.extend(br#"{"type":"ping"}"#);
    let unfinished = frame(0x01, br#"{"type""#);
    for (bytes, rule) in [
        (unmasked, "5.1: a client masks"),
        (frame(0xC1, b"x"), "5.2: no extension, no reserved bit"),
        (frame(0xA1, b"x"), "5.2: the second reserved bit"),
        (frame(0x91, b"x"), "5.2: the third reserved bit"),
        (frame(0x83, b"x"), "5.2: an unknown kind"),
        (frame(0x8F, b"x"), "5.2: an unknown kind of control"),
        (
            [vec![0x81, 0xFE, 0, 5], frame(0, b"hello")[2..].to_vec()].concat(),
            "5.2: minimal length",
        ),
        (vec![0x81, 0xFF, 0, 0, 0, 0, 0, 0, 1, 0, 1, 2, 3, 4], "5.2: minimal long length"),
        (vec![0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4], "5.2: the highest bit is 0"),
        (frame(0x80, b"x"), "5.4: nothing to continue"),
        ([unfinished.clone(), text.clone()].concat(), "5.4: a text within a text"),
        (frame(0x09, b"x"), "5.5: a ping is whole"),
        (frame(0x89, &[b'x'; 126]), "5.5: a ping is short"),
        (frame(0x88, b"\x03"), "5.5.1: half a code"),
        (frame(0x88, b"\x03\xEDx"), "7.4.1: 1005 is never sent"),
        (frame(0x88, b"\x03\xE8\xFF\xFE"), "5.5.1: a reason is text"),
        (frame(0x81, b"\"\xC3\x28\""), "5.6: a text is UTF-8"),
        ([frame(0x01, b"\"\xC3"), frame(0x80, b"\x28\"")].concat(), "5.6: in parts, too"),
        (frame(0x82, br#"{"type":"ping"}"#), "bytes are none of ours"),
        (frame(0x81, &vec![b' '; 16 * 1024 + 1]), "16 KiB"),
        ([frame(0x01, &[b' '; 9000]), frame(0x80, &[b' '; 9000])].concat(), "16 KiB in parts"),
    ] {
        let mut line = Line::open(&app);
        line.send(&bytes);
        line.send(&text);
        assert_eq!(line.code(), 4400, "{rule}");
    }
}

#[tokio::test]
async fn what_keeps_to_it_is_answered() {
    let app = server().await;
    let mut line = Line::open(&app);
    line.send(&frame(0x89, b"are you there"));
    assert_eq!(line.next(), (0x8A, b"are you there".to_vec()));
    line.send(&frame(0x8A, b"unasked"));
    // In parts, with a ping between them, and an empty one.
    line.send(&frame(0x01, br#"{"type":"pi"#));
    line.send(&frame(0x89, b""));
    line.send(&frame(0x00, b""));
    line.send(&frame(0x80, br#"ng","id":"1"}"#));
    assert_eq!(line.next(), (0x8A, Vec::new()));
    assert_eq!(line.next(), (0x81, br#"{"type":"pong","id":"1"}"#.to_vec()));
    // A character cut in two, a byte at a time.
    let message = r#"{"type":"ping","id":"ü€😀"}"#.as_bytes();
    let (head, tail) = message.split_at(22);
    for byte in [frame(0x01, head), frame(0x80, tail)].concat() {
        line.send(&[byte]);
    }
    assert_eq!(line.next().1, r#"{"type":"pong","id":"ü€😀"}"#.as_bytes());
    let longest = format!("{:width$}", r#"{"type":"ping","id":"2"}"#, width = 16 * 1024);
    line.send(&frame(0x81, longest.as_bytes()));
    assert_eq!(line.next().1, br#"{"type":"pong","id":"2"}"#);
    line.send(&frame(0x88, b"\x03\xE8bye"));
    assert_eq!(line.code(), 1000, "a goodbye is answered");
    let mut rest = Vec::new();
    assert_eq!(line.0.read_to_end(&mut rest).unwrap(), 0, "and the server hangs up first");
}

#[tokio::test]
async fn a_handshake_asks_for_a_socket_of_this_version() {
    let app = server().await;
    let good = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let wrong = [
        ("connection", "keep-alive"),
        ("upgrade", "h2c"),
        ("sec-websocket-version", "8"),
        ("sec-websocket-key", "c2hvcnQ="),
    ];
    for (name, value) in wrong {
        let mut request = app.request(reqwest::Method::GET, "/ws");
        for (other, good) in good {
            request = request.header(other, if other == name { value } else { good });
        }
        assert_eq!(request.send().await.unwrap().status(), 400, "{name}: {value}");
    }
}

/// Texts of all sizes, whole and in parts, come back as they were sent, by a client that is not
/// ours.
#[tokio::test]
async fn another_client_is_understood_whatever_it_sends() {
    let app = server().await;
    let mut seed: u32 = 1;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize % below
    };
    let letters = ['a', 'é', '€', '😀', '"', '\\', '\u{7f}', '\n'];
    let mut stream = None;
    for round in 0..150 {
        // Each may say thirty things a second, and a few at once.
        if round % 15 == 0 {
            let request = upgrade(app.port(), Some(app.token()));
            let (mut new, _) = tokio_tungstenite::connect_async(request).await.unwrap();
            let _hello = new.next().await;
            stream = Some(new);
        }
        let stream = stream.as_mut().unwrap();
        let size = [8, 40, 110, 400, 5000][random(5)];
        let id: String = (0..random(size)).map(|_| letters[random(letters.len())]).collect();
        let text = json!({ "type": "ping", "id": id }).to_string();
        if round % 2 == 0 {
            stream.send(Message::text(text)).await.unwrap();
        } else {
            let cut = random(text.len());
            let (head, tail) = text.as_bytes().split_at(cut);
            for (opcode, part, last) in [
                (OpCode::Data(Data::Text), head, false),
                (OpCode::Control(Control::Ping), b"between".as_slice(), true),
                (OpCode::Data(Data::Continue), tail, true),
            ] {
                let header = FrameHeader { is_final: last, opcode, ..FrameHeader::default() };
                let frame = Frame::from_payload(header, part.to_vec().into());
                stream.send(Message::Frame(frame)).await.unwrap();
            }
            let pong = stream.next().await.unwrap().unwrap();
            assert_eq!(pong, Message::Pong("between".into()));
        }
        let answer = stream.next().await.unwrap().unwrap();
        let answer: Value = serde_json::from_str(answer.to_text().unwrap()).unwrap();
        assert_eq!(answer["id"], id.as_str());
    }
}
