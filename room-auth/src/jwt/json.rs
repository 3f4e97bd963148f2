//! A strict reader of JSON, for bytes that a stranger wrote.
//!
//! General readers are built to accept: they keep the last of two members with one name, they
//! round numbers, and some give meaning to magic member names. Two programs that read one token
//! differently are a way past the stricter of the two, so this reader refuses whatever RFC 8259
//! leaves open: a name that occurs twice in an object at any depth (also when one is written with
//! escapes), a byte order mark, lone surrogates, numbers past any double, and anything after the
//! value. Numbers stay text until someone asks for a type, so none is ever rounded on the way.
//!
//! It borrows from its input where it can and never recurses deeper than [`MAX_DEPTH`].

use std::borrow::Cow;

/// How deep arrays and objects may nest. Real claim sets stay under six.
pub(crate) const MAX_DEPTH: usize = 32;

/// Member names with this prefix make `serde_json` read the value as something else.
const MAGIC_PREFIX: &str = "$serde_json::private::";

/// Objects up to this size are checked for duplicates pair by pair; larger ones by sorting, so
/// that a crafted object costs `n log n` and not `n²`.
const PAIRWISE_LIMIT: usize = 16;

/// What a header or a claim set holds, so that reading one asks for memory once.
const USUAL_MEMBERS: usize = 8;

/// Why bytes are not JSON that this crate reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonFault {
    #[error("not UTF-8")]
    NotUtf8,
    #[error("not JSON")]
    Syntax,
    #[error("a member name occurs twice")]
    DuplicateName,
    #[error("a reserved member name")]
    ReservedName,
    #[error("nested too deeply")]
    TooDeep,
    #[error("a number that overflows")]
    Range,
}

/// One JSON value. Numbers are their text, checked against the grammar.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    String(Cow<'a, str>),
    Array(Vec<Value<'a>>),
    Object(Object<'a>),
}

/// The members of an object, in the order they were written, no name twice.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Object<'a> {
    /// The value of the member called `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Whether there is a member called `name`, whatever its value, `null` too.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

impl<'a> Value<'a> {
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_array(&self) -> Option<&[Value<'a>]> {
        match self {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn as_object(&self) -> Option<&Object<'a>> {
        match self {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }
}

/// Reads one value that fills `bytes` but for white space.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value<'_>, JsonFault> {
    let text = std::str::from_utf8(bytes).map_err(|_| JsonFault::NotUtf8)?;
    let mut reader = Reader { text, at: 0 };
    reader.skip_space();
    let value = reader.value(0)?;
    reader.skip_space();
    if reader.at == text.len() { Ok(value) } else { Err(JsonFault::Syntax) }
}

/// Reads one object that fills `bytes` but for white space.
pub(crate) fn parse_object(bytes: &[u8]) -> Result<Object<'_>, JsonFault> {
    match parse(bytes)? {
        Value::Object(object) => Ok(object),
        _ => Err(JsonFault::Syntax),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonFault> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(JsonFault::Syntax)
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, JsonFault> {
        match self.peek() {
            Some(b'{') => self.object(depth).map(Value::Object),
            Some(b'[') => self.array(depth).map(Value::Array),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => Err(JsonFault::Syntax),
        }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, JsonFault> {
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(JsonFault::Syntax)
        }
    }

    fn object(&mut self, depth: usize) -> Result<Object<'a>, JsonFault> {
        if depth >= MAX_DEPTH {
            return Err(JsonFault::TooDeep);
        }
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Object::default());
        }
        let mut members = Vec::with_capacity(USUAL_MEMBERS);
        loop {
            self.skip_space();
            let name = self.string()?;
            if name.starts_with(MAGIC_PREFIX) {
                return Err(JsonFault::ReservedName);
            }
            self.skip_space();
            self.expect(b':')?;
            self.skip_space();
            let value = self.value(depth + 1)?;
            members.push((name, value));
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(JsonFault::Syntax),
            }
        }
        self.at += 1;
        if has_duplicate(&members) {
            return Err(JsonFault::DuplicateName);
        }
        Ok(Object(members))
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Value<'a>>, JsonFault> {
        if depth >= MAX_DEPTH {
            return Err(JsonFault::TooDeep);
        }
        self.at += 1;
        let mut items = Vec::new();
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(items);
        }
        loop {
            self.skip_space();
            items.push(self.value(depth + 1)?);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(JsonFault::Syntax),
            }
        }
        self.at += 1;
        Ok(items)
    }

    /// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
    fn number(&mut self) -> Result<&'a str, JsonFault> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        // Without an exponent and in fewer digits than this, every number is far below 1e308.
        let mut may_overflow = self.at - start > 300;
        if matches!(self.peek(), Some(b'e' | b'E')) {
            may_overflow = true;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = &self.text[start..self.at];
        if may_overflow && !text.parse().is_ok_and(f64::is_finite) {
            return Err(JsonFault::Range);
        }
        Ok(text)
    }

    fn digits(&mut self) -> Result<(), JsonFault> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(JsonFault::Syntax) }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, JsonFault> {
        self.expect(b'"')?;
        let start = self.at;
        self.skip_plain();
        match self.peek() {
            Some(b'"') => {
                let plain = &self.text[start..self.at];
                self.at += 1;
                Ok(Cow::Borrowed(plain))
            }
            Some(b'\\') => self.escaped_string(start).map(Cow::Owned),
            _ => Err(JsonFault::Syntax),
        }
    }

    /// Moves to the next quote, backslash or control character.
    fn skip_plain(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        let plain = rest.iter().position(|&byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
        self.at += plain.unwrap_or(rest.len());
    }

    fn escaped_string(&mut self, start: usize) -> Result<String, JsonFault> {
        let mut text = self.text[start..self.at].to_owned();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    self.at += 1;
                    text.push(self.escape()?);
                }
                _ => return Err(JsonFault::Syntax),
            }
            let from = self.at;
            self.skip_plain();
            text.push_str(&self.text[from..self.at]);
        }
    }

    fn escape(&mut self) -> Result<char, JsonFault> {
        let kind = self.peek().ok_or(JsonFault::Syntax)?;
        self.at += 1;
        Ok(match kind {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.hex4()?;
                if (0xd800..0xdc00).contains(&unit) {
                    self.expect(b'\\')?;
                    self.expect(b'u')?;
                    let low = self.hex4()?;
                    if !(0xdc00..0xe000).contains(&low) {
                        return Err(JsonFault::Syntax);
                    }
                    let code = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                    char::from_u32(code).ok_or(JsonFault::Syntax)?
                } else {
                    // A lone low surrogate is no character, so this refuses it.
                    char::from_u32(unit).ok_or(JsonFault::Syntax)?
                }
            }
            _ => return Err(JsonFault::Syntax),
        })
    }

    fn hex4(&mut self) -> Result<u32, JsonFault> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).ok_or(JsonFault::Syntax)?;
        let mut unit = 0;
        for &digit in digits {
            let digit = char::from(digit).to_digit(16).ok_or(JsonFault::Syntax)?;
            unit = unit * 16 + digit;
        }
        self.at += 4;
        Ok(unit)
    }
}

fn has_duplicate(members: &[(Cow<'_, str>, Value<'_>)]) -> bool {
    if members.len() <= PAIRWISE_LIMIT {
        return members
            .iter()
            .enumerate()
            .any(|(at, (name, _))| members[..at].iter().any(|(earlier, _)| earlier == name));
    }
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_ref()).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, fault: JsonFault) {
        assert_eq!(parse(text.as_bytes()), Err(fault), "{text}");
    }

    #[test]
    fn values_are_read_as_written() {
        let text =
            r#" { "a" : [ 1 , -2.5e+3 , true , false , null ] , "b\u0041" : "\ud83d\ude00\n" } "#;
        let object = parse_object(text.as_bytes()).unwrap();
        let items = object.get("a").unwrap().as_array().unwrap();
        assert_eq!(items[0], Value::Number("1"));
        assert_eq!(items[1], Value::Number("-2.5e+3"));
        assert_eq!(items[4], Value::Null);
        assert_eq!(object.get("bA").unwrap().as_str(), Some("😀\n"));
        assert!(object.has("a") && !object.has("b"));
    }

    #[test]
    fn every_escape_is_what_the_rfc_says() {
        let text = r#""\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00\udbff\udfff""#;
        let value = parse(text.as_bytes()).unwrap();
        assert_eq!(value.as_str(), Some("\"\\/\u{8}\u{c}\n\r\té😀\u{10ffff}"));
    }

    #[test]
    fn a_name_twice_is_refused_at_any_depth_and_however_written() {
        refused(r#"{"a":1,"a":1}"#, JsonFault::DuplicateName);
        refused(r#"{"a":1,"\u0061":2}"#, JsonFault::DuplicateName);
        refused(r#"{"x":[{"y":{"a":1,"b":2,"a":3}}]}"#, JsonFault::DuplicateName);
        let many: Vec<String> = (0..40).map(|n| format!("\"n{n}\":0")).collect();
        assert!(parse(format!("{{{}}}", many.join(",")).as_bytes()).is_ok());
        refused(&format!("{{{},\"n7\":0}}", many.join(",")), JsonFault::DuplicateName);
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "}",
            "[",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "{'a':1}",
            "\u{feff}{}",
            "{}x",
            "{} {}",
            "nul",
            "nulll",
            "tru",
            "NaN",
            "Infinity",
            "-",
            "+1",
            "01",
            "-01",
            ".5",
            "1.",
            "1e",
            "1e+",
            "0x10",
            "1_000",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"\\ud800\"",
            "\"\\udc00\"",
            "\"\\ud800\\u0041\"",
            "\"a",
            "\"\t\"",
            "\"\u{0}\"",
            "{\"a\"}",
            "{\"a\":}",
            "{,}",
            "[,]",
            "/**/{}",
            "{}//",
            "\u{a0}{}",
            "\"\\",
            "\"\\u",
            "\"\\ud83d\\",
        ] {
            refused(text, JsonFault::Syntax);
        }
        assert_eq!(parse(b"\"\xff\""), Err(JsonFault::NotUtf8));
        assert_eq!(parse(b"\"\xed\xa0\x80\""), Err(JsonFault::NotUtf8));
        assert_eq!(parse(b"\"\xc0\xaf\""), Err(JsonFault::NotUtf8));
    }

    #[test]
    fn a_number_that_no_reader_can_hold_is_refused() {
        let huge = format!("1{}", "0".repeat(309));
        let long = format!("0.{}", "3".repeat(400));
        for text in ["1e400", "-1e400", "1e309", "1.8E+308", "17e307999999999999", &huge] {
            refused(text, JsonFault::Range);
            refused(&format!(r#"{{"a":[{text}]}}"#), JsonFault::Range);
        }
        for text in ["1e308", "-1.7e308", "1e-400", "0e999", "18446744073709551616", &long] {
            assert_eq!(parse(text.as_bytes()), Ok(Value::Number(text)));
        }
    }

    #[test]
    fn magic_names_are_refused() {
        refused(r#"{"$serde_json::private::RawValue":"{}"}"#, JsonFault::ReservedName);
        refused(r#"{"a":{"\u0024serde_json::private::Number":"1"}}"#, JsonFault::ReservedName);
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        refused(&nested(MAX_DEPTH + 1), JsonFault::TooDeep);
        refused(&"[".repeat(200_000), JsonFault::TooDeep);
        refused(&"{\"a\":".repeat(200_000), JsonFault::TooDeep);
    }
}
