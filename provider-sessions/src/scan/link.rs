//! Which addresses on the screen are sign-in links, and which of those are whole.

use super::explain::{self, Candidate, Trace};
use crate::provider::{LinkRule, Provider, ScanRules};
use crate::redact::Redactor;
use crate::screen::{ELLIPSIS, LETTER, Screen};

/// The longest text that a link may be spread over.
const JOINED_BYTES: usize = 8 * 1024;
/// How much of the words before a link decides whether it is part of an error message.
const LEAD_BYTES: usize = 240;
/// Links that were announced are not announced again; this many are remembered.
const REMEMBERED: usize = 32;

/// What became of an address that was seen; the reasons are there to be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A sign-in link.
    Accepted,
    /// Any other scheme.
    NotHttps,
    /// Characters that do not belong in an address.
    Malformed,
    /// `user@host`: the classic disguise.
    UserInfo,
    /// A sign-in page has no port.
    Port,
    /// Not one of the provider's hosts.
    ForeignHost,
    /// Another page of that host.
    OtherPage,
    /// Something a whole link has is missing.
    Incomplete,
    /// The text says itself that it goes on: `…`.
    CutOff,
    /// Part of an error message, or of another address.
    Quoted,
    /// Nothing follows it yet.
    Open,
}

/// Judges an address by itself.
pub(crate) fn judge(hosts: &[String], rules: &ScanRules, url: &str) -> (Verdict, Option<usize>) {
    let refuse = |verdict| (verdict, None);
    let Some(rest) = url.strip_prefix("https://") else { return refuse(Verdict::NotHttps) };
    if !well_formed(url.as_bytes()) {
        return refuse(Verdict::Malformed);
    }
    // Painted over another one: an address that is handed on inside of one is written with escapes.
    if rest.find("://").is_some_and(|other| rest[other..].contains('?')) {
        return refuse(Verdict::Quoted);
    }
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return refuse(Verdict::UserInfo);
    }
    if authority.contains(':') {
        return refuse(Verdict::Port);
    }
    if !hosts.iter().any(|host| host.eq_ignore_ascii_case(authority)) {
        return refuse(Verdict::ForeignHost);
    }
    let path = &tail[..tail.find(['?', '#']).unwrap_or(tail.len())];
    if rules.ignore.is_match(path) || path.split('/').any(|segment| segment == "..") {
        return refuse(Verdict::OtherPage);
    }
    let Some(kind) = rules.links.iter().position(|rule| has_segments(path, rule)) else {
        return refuse(Verdict::OtherPage);
    };
    match &rules.links[kind].complete {
        Some(complete) if !complete.is_match(url) => (Verdict::Incomplete, Some(kind)),
        _ => (Verdict::Accepted, Some(kind)),
    }
}

fn has_segments(path: &str, rule: &LinkRule) -> bool {
    path.match_indices(rule.path.as_str()).any(|(at, found)| {
        let after = &path[at + found.len()..];
        after.is_empty() || after.starts_with('/')
    })
}

fn well_formed(url: &[u8]) -> bool {
    url.iter().enumerate().all(|(at, &byte)| match byte {
        b'%' => url.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)),
        _ => is_url_byte(byte),
    })
}

/// RFC 3986, section 2: what an address is made of.
fn is_url_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

/// Finds links and remembers what was announced.
#[derive(Clone)]
pub(crate) struct Links {
    hosts: Vec<String>,
    rules: ScanRules,
    announced: Vec<String>,
    joined: Vec<u8>,
}

/// What a line holds.
#[derive(Default)]
pub(crate) struct Found {
    /// Links to announce, in reading order.
    pub(crate) links: Vec<String>,
    /// Another one is not decided yet: look again when something moved.
    pub(crate) open: bool,
}

/// A run of rows as one text: soft-wrapped rows, and rows a program filled to the last column
/// before it went on at the start of the next.
struct Run {
    first: usize,
    /// Where each row begins in the text.
    starts: Vec<usize>,
    /// Where the program, not the terminal, broke the text.
    breaks: Vec<usize>,
}

impl Links {
    pub(crate) fn new(provider: &Provider) -> Self {
        Self {
            hosts: provider.hosts.clone(),
            rules: provider.scan.clone(),
            announced: Vec::new(),
            joined: Vec::new(),
        }
    }

    /// Judges a hyperlink's target (OSC 8), whole by construction.
    pub(crate) fn target(&mut self, url: &str) -> (Verdict, Option<String>) {
        let (verdict, _) = judge(&self.hosts, &self.rules, url);
        let link = (verdict == Verdict::Accepted).then(|| self.announce(url)).flatten();
        (verdict, link)
    }

    /// Looks for links in the text that the rows `first..=last` are part of. With `force` nothing
    /// more is coming for now: a link that is surely whole need not be followed by anything.
    pub(crate) fn find(
        &mut self,
        screen: &Screen,
        first: usize,
        last: usize,
        force: bool,
        trace: &mut Trace,
    ) -> Found {
        let mut text = std::mem::take(&mut self.joined);
        let run = join(screen, first, last, &mut text);
        let mut found = Found::default();
        let mut at = 0;
        while let Some(start) = next_address(&text, at) {
            let end = start + text[start..].iter().take_while(|&&byte| is_url_byte(byte)).count();
            at = end;
            let judged = self.candidate(screen, &run, &text, start, end, force);
            if trace.is_on() {
                let (head, tail) = (run.cell(start), run.cell(end.max(start + 1) - 1));
                let writing = is_open(screen, head, tail) && !force;
                if writing && judged.0 != Verdict::Accepted {
                    // Decided when it is written, so that it is told as a whole.
                    found.open = true;
                } else {
                    let shown = judged.1.as_deref().unwrap_or(ascii(&text[start..end]));
                    trace.note(|| {
                        let shown = Redactor::default().line(shown);
                        let ignored = self.ignores(&shown);
                        explain::on_link(Candidate::Link, shown, judged.0, ignored)
                    });
                }
            }
            match judged {
                (Verdict::Accepted, Some(url)) => found.links.extend(self.announce(&url)),
                (Verdict::Open, _) => found.open = true,
                _ => {}
            }
        }
        self.joined = text;
        found
    }

    fn candidate(
        &self,
        screen: &Screen,
        run: &Run,
        text: &[u8],
        start: usize,
        end: usize,
        force: bool,
    ) -> (Verdict, Option<String>) {
        let (row, column) = run.cell(start);
        if screen.row(row).is_linked(column) {
            return (Verdict::Quoted, None);
        }
        // What the terminal wrapped, the program did not: it ends where the program broke it.
        let broken = run
            .breaks
            .iter()
            .copied()
            .find(|&at| at < end && run.soft().any(|row| (start + 1..at).contains(&row)));
        let ended = broken.is_some_and(|at| at > start);
        let end = broken.filter(|_| ended).unwrap_or(end);
        // The longest reading first; a shorter one ends where the program broke the text, and only
        // counts when it is surely whole.
        let breaks = run.breaks.iter().rev().copied().filter(|at| (start + 1..end).contains(at));
        let mut verdict = Verdict::Malformed;
        for (index, stop) in std::iter::once(end).chain(breaks).enumerate() {
            let longest = index == 0;
            let Some(url) = trimmed(text, start, stop) else {
                verdict = if longest { Verdict::CutOff } else { verdict };
                continue;
            };
            let (judged, kind) = judge(&self.hosts, &self.rules, url);
            let whole = kind
                .and_then(|kind| self.rules.links[kind].whole.as_ref())
                .is_some_and(|whole| whole.is_match(url));
            if judged == Verdict::Accepted && (longest || whole) {
                if self.quoted(run, text, start) {
                    return (Verdict::Quoted, None);
                }
                let (head, tail) = (run.cell(start), run.cell(stop - 1));
                let open =
                    if ended { is_behind(screen, head, tail) } else { is_open(screen, head, tail) };
                if !open || (force && whole && !is_inside(screen, head, tail)) {
                    return (Verdict::Accepted, Some(url.to_owned()));
                }
                return (Verdict::Open, None);
            }
            if longest {
                verdict = judged;
            }
        }
        (verdict, None)
    }

    /// Whether the address is part of another one or of an error message.
    fn quoted(&self, run: &Run, text: &[u8], start: usize) -> bool {
        let glued = text[..start].iter().rev().take_while(|&&byte| is_url_byte(byte)).count();
        let before = &text[start - glued..start];
        if before.iter().any(|byte| b"/?@%&".contains(byte))
            || before
                .last()
                .is_some_and(|byte| byte.is_ascii_alphanumeric() || b"-._~+$".contains(byte))
            || start > glued && text[start - glued - 1] == LETTER
        {
            return true;
        }
        let line = run.breaks.iter().copied().filter(|&at| at <= start).max().unwrap_or(0);
        let lead = ascii(&text[line.max(start.saturating_sub(LEAD_BYTES))..start]);
        let invited = self.rules.invitations.find_iter(lead).last().map_or(0, |found| found.end());
        let blamed = self.rules.errors.find_iter(lead).last().map_or(0, |found| found.end());
        blamed > invited
    }

    /// Whether it leads to a page that is never a sign-in's.
    pub(super) fn ignores(&self, url: &str) -> bool {
        let path = url
            .split_once("://")
            .map_or("", |(_, rest)| &rest[rest.find('/').unwrap_or(rest.len())..]);
        self.rules.ignore.is_match(&path[..path.find(['?', '#']).unwrap_or(path.len())])
    }

    /// Whether the text holds a link that was announced, or the beginning of it.
    pub(crate) fn is_announced_in(&self, text: &str) -> bool {
        const ENOUGH: usize = 40;
        let last = self.announced.last();
        last.is_some_and(|url| text.contains(url.get(..ENOUGH).unwrap_or(url)))
    }

    /// The link, unless it was announced before or is a piece of the one that was.
    fn announce(&mut self, url: &str) -> Option<String> {
        let known = self.announced.iter().any(|old| old == url);
        let piece = self.announced.last().is_some_and(|last| last.starts_with(url));
        if known || piece {
            return None;
        }
        if self.announced.len() == REMEMBERED {
            self.announced.remove(0);
        }
        self.announced.push(url.to_owned());
        Some(url.to_owned())
    }
}

/// The address without the punctuation of the sentence around it; nothing when it says that it
/// goes on.
fn trimmed(text: &[u8], start: usize, end: usize) -> Option<&str> {
    let mut url = &text[start..end];
    if matches!(text.get(end), Some(&ELLIPSIS | &LETTER)) || url.ends_with(b"..") {
        return None;
    }
    while let Some(&last) = url.last() {
        let unpaired = match last {
            b')' => !url.contains(&b'('),
            b']' => !url.contains(&b'['),
            _ => b".,;:!?'*".contains(&last),
        };
        if !unpaired {
            break;
        }
        url = &url[..url.len() - 1];
        if url.ends_with(b"..") {
            return None;
        }
    }
    std::str::from_utf8(url).ok()
}

impl Run {
    /// Where the terminal wrapped the text.
    fn soft(&self) -> impl Iterator<Item = usize> {
        self.starts.iter().copied().filter(|start| self.breaks.binary_search(start).is_err())
    }

    /// The row and the column of a place in the text.
    fn cell(&self, at: usize) -> (usize, usize) {
        let row = self.starts.partition_point(|&start| start <= at) - 1;
        (self.first + row, at - self.starts[row])
    }
}

/// Whether what stands from `start` to `last`, both a row and a column, may still become longer:
/// the cursor is in it, or just behind it.
pub(crate) fn is_open(screen: &Screen, start: (usize, usize), last: (usize, usize)) -> bool {
    let next = last.0 + 1;
    is_behind(screen, start, last)
        // It fills its row: it may go on at the start of the next one, where the cursor stands.
        || last.1 + 1 == screen.columns()
            && next < screen.total()
            && cursor(screen) == (next, 0)
            && !screen.row(next).is_filled(0)
}

fn is_behind(screen: &Screen, start: (usize, usize), last: (usize, usize)) -> bool {
    (start..=(last.0, last.1 + 1)).contains(&cursor(screen))
}

/// Whether it is just being repainted.
pub(crate) fn is_inside(screen: &Screen, start: (usize, usize), last: (usize, usize)) -> bool {
    (start..=last).contains(&cursor(screen))
}

fn cursor(screen: &Screen) -> (usize, usize) {
    (screen.cursor_row(), screen.cursor_column())
}

/// Where the next address begins.
fn next_address(text: &[u8], from: usize) -> Option<usize> {
    ascii(text).get(from..)?.find("https://").map(|at| from + at)
}

/// A row's stand-in bytes as text; they are all ASCII.
pub(crate) fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// Whether a program that broke its text after row `row` may go on with an address in the next.
fn goes_on(screen: &Screen, row: usize) -> bool {
    let columns = screen.columns();
    row + 1 < screen.total()
        && !screen.row(row).wrapped
        && !screen.row(row).closed
        && screen.row(row).len() == columns
        && is_url_byte(screen.row(row).byte(columns - 1))
        && screen.row(row + 1).len() > 0
        && is_url_byte(screen.row(row + 1).byte(0))
}

/// Whether the soft-wrapped line of rows `first..=last`, whose text is `line`, has to do with an
/// address; notes it on the rows, so that the next one knows.
pub(crate) fn concerns(screen: &mut Screen, first: usize, last: usize, line: &[u8]) -> bool {
    let above = first.checked_sub(1);
    let concerned = ascii(line).contains("https://")
        || above.is_some_and(|above| screen.row(above).address && goes_on(screen, above));
    for row in first..=last {
        screen.row_mut(row).address = concerned;
    }
    concerned
}

/// Puts the rows around `first..=last` together.
fn join(screen: &Screen, first: usize, last: usize, text: &mut Vec<u8>) -> Run {
    let columns = screen.columns();
    let rows = JOINED_BYTES.div_ceil(columns);
    let mut first = first.max((last + 1).saturating_sub(rows));
    let mut last = last;
    while first > 0
        && last - first < rows
        && (screen.row(first - 1).wrapped || goes_on(screen, first - 1))
    {
        first -= 1;
    }
    while last + 1 < screen.total()
        && last - first < rows
        && (screen.row(last).wrapped || goes_on(screen, last))
    {
        last += 1;
    }
    text.clear();
    let mut run = Run { first, starts: Vec::new(), breaks: Vec::new() };
    for row in first..=last {
        run.starts.push(text.len());
        if row > first && !screen.row(row - 1).wrapped {
            run.breaks.push(text.len());
        }
        screen.row(row).push_bytes(text);
    }
    run
}
