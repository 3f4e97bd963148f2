//! Walks over the frames of a server without keeping them.

/// The longest header of a frame that is not masked.
const HEADER_BYTES: usize = 10;

/// Where one client stands in the stream of frames.
#[derive(Debug, Default)]
pub(super) struct Walker {
    header: [u8; HEADER_BYTES],
    header_length: usize,
    /// What is left of the frame's payload; none between frames.
    left: Option<u64>,
    /// The payload of a frame of control, which is short.
    control: Vec<u8>,
    close_code: Option<u16>,
}

/// What was walked over.
pub(super) enum Seen<'a> {
    /// The beginning of a message, as far as it is here.
    Begin(&'a [u8]),
    /// The end of a message.
    End,
    /// A whole ping.
    Ping(&'a [u8]),
}

impl Walker {
    /// Why the server closed; 0 if it did not say.
    pub(super) fn close_code(&self) -> Option<u16> {
        self.close_code
    }

    /// Walks on.
    pub(super) fn walk(&mut self, mut bytes: &[u8], mut tell: impl FnMut(Seen<'_>)) {
        loop {
            let left = match self.left {
                Some(left) => left,
                None => match self.begin(&mut bytes) {
                    Some(length) => {
                        if !self.is_control() {
                            let here =
                                bytes.len().min(usize::try_from(length).unwrap_or(usize::MAX));
                            tell(Seen::Begin(&bytes[..here]));
                        }
                        length
                    }
                    None => return,
                },
            };
            let here = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let (payload, rest) = bytes.split_at(here);
            if self.is_control() {
                self.control.extend_from_slice(payload);
            }
            bytes = rest;
            let left = left - here as u64;
            if left > 0 {
                self.left = Some(left);
                return;
            }
            self.left = None;
            match self.header[0] & 0x0F {
                0x8 => {
                    let code = self.control.first_chunk().map(|code| u16::from_be_bytes(*code));
                    self.close_code = Some(code.unwrap_or(0));
                }
                0x9 => tell(Seen::Ping(&self.control)),
                0xA => {}
                _ => tell(Seen::End),
            }
            self.control.clear();
            self.header_length = 0;
        }
    }

    fn is_control(&self) -> bool {
        self.header[0] & 0x08 != 0
    }

    /// Reads a header, and gives the length of what follows it.
    fn begin(&mut self, bytes: &mut &[u8]) -> Option<u64> {
        loop {
            let needed = match (self.header_length, self.header[1] & 0x7F) {
                (0 | 1, _) => 2,
                (_, 126) => 4,
                (_, 127) => 10,
                _ => 2,
            };
            if self.header_length >= needed {
                let long = &self.header[2..needed];
                let fold = |length: u64, byte: &u8| length << 8 | u64::from(*byte);
                return Some(match long {
                    [] => u64::from(self.header[1] & 0x7F),
                    long => long.iter().fold(0, fold),
                });
            }
            let (first, rest) = bytes.split_first()?;
            self.header[self.header_length] = *first;
            self.header_length += 1;
            *bytes = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_however_they_are_cut() {
        let mut bytes = vec![0x81, 2, b'a', b'b', 0x89, 1, b'p', 0x81, 126, 0, 200];
        bytes.extend([b'x'; 200]);
        bytes.extend([0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        bytes.extend(vec![b'y'; 65_536]);
        bytes.extend([0x81, 0, 0x88, 2, 0x11, 0x38]);
        let edges = (0..260).chain([bytes.len() - 5, bytes.len() - 1, bytes.len()]);
        for cut in edges {
            let mut walker = Walker::default();
            let (mut begins, mut ends, mut pings) = (0, 0, 0);
            for part in [&bytes[..cut], &bytes[cut..]] {
                walker.walk(part, |seen| match seen {
                    Seen::Begin(_) => begins += 1,
                    Seen::End => ends += 1,
                    Seen::Ping(payload) => pings += usize::from(payload == b"p"),
                });
            }
            assert_eq!((begins, ends, pings), (4, 4, 1), "cut at byte {cut}");
            assert_eq!(walker.close_code(), Some(4408));
        }
    }
}
