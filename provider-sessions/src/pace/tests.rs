use super::*;

/// As many lines as a person can look back over here.
const KEPT: usize = 50;

/// A program and who hears it, with a clock of their own.
struct World {
    pace: Pace,
    start: Instant,
    now: Instant,
    /// When each message was told.
    told: Vec<(Duration, Message)>,
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        Self { pace: Pace::new(KEPT), start: now, now, told: Vec::new() }
    }

    fn wait(&mut self, millis: u64, current: &str) {
        let until = self.now + Duration::from_millis(millis);
        while let Some(next) = self.pace.next().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.hear(current);
        }
        self.now = until;
    }

    fn hear(&mut self, current: &str) {
        let messages = self.pace.take(self.now, || current.to_owned());
        let at = self.now - self.start;
        self.told.extend(messages.into_iter().map(|message| (at, message)));
    }

    fn print(&mut self, lines: &[&str], current: &str) {
        for line in lines {
            self.pace.add((*line).to_owned(), self.now);
        }
        self.pace.printed(self.now);
        self.hear(current);
    }

    /// Lines by number, those that were left out are not there.
    fn numbers(&self) -> Vec<u64> {
        let mut next = 1;
        let mut heard = Vec::new();
        for (_, message) in &self.told {
            next += message.left_out;
            for line in &message.lines {
                let own: u64 = line.trim().parse().expect("a number");
                assert_eq!(own, next, "what is left out is counted where it is missing");
                heard.push(next);
                next += 1;
            }
        }
        heard
    }

    fn currents(&self) -> Vec<(u128, &str)> {
        let currents = self.told.iter().map(|(at, one)| (at.as_millis(), one.current.as_str()));
        currents.collect()
    }
}

#[test]
fn the_first_line_is_told_at_once_and_the_next_share_a_message() {
    let mut world = World::new();
    world.print(&["1"], "");
    world.wait(3, "");
    world.print(&["2"], "");
    world.wait(3, "");
    world.print(&["3"], "");
    world.wait(500, "");
    world.print(&["4"], "");
    let told: Vec<_> =
        world.told.iter().map(|(at, one)| (at.as_millis(), one.lines.len())).collect();
    assert_eq!(told, [(0, 1), (20, 2), (506, 1)]);
}

#[test]
fn a_flood_is_left_out_of_the_middle_and_counted_at_a_bounded_rate() {
    for width in [1, 30, 400, 4000] {
        let mut world = World::new();
        let mut number = 0;
        // A hundred lines in a millisecond, for half a second.
        for _ in 0..500 {
            let lines: Vec<String> = (0..100)
                .map(|_| {
                    number += 1;
                    format!("{number:width$}")
                })
                .collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            world.print(&lines, "");
            world.wait(1, "");
        }
        world.wait(1000, "");
        let heard = world.numbers();
        assert_eq!((heard[0], heard[heard.len() - 1]), (1, number), "the first and the last");
        let kept = u64::try_from(KEPT.min(WAITING_BYTES / (width + AROUND))).expect("few");
        let end = &heard[heard.len() - usize::try_from(kept).expect("few")..];
        assert_eq!(end[0], number + 1 - kept, "what a person can look back over has no hole");
        assert!(world.told.len() < 40, "{} messages", world.told.len());
        for (_, message) in &world.told {
            let bytes: usize = message.lines.iter().map(|line| cost(line)).sum();
            assert!(bytes < BATCH_BYTES + 5000, "{bytes}");
        }
        let last = world.told.last().expect("some").0;
        assert!(last < Duration::from_millis(800), "{last:?}");
    }
}

#[test]
fn what_waits_is_bounded() {
    let mut world = World::new();
    for number in 1..100_000 {
        world.pace.add(format!("{number:2000}"), world.now);
        assert!(world.pace.bytes <= WAITING_BYTES && world.pace.waiting.len() <= KEPT.max(200));
        assert!(world.pace.ready.len() < 5);
    }
}

#[test]
fn a_slow_talker_loses_no_line() {
    let mut world = World::new();
    for number in 1..=2000_u64 {
        world.print(&[&number.to_string()], "");
        world.wait(1 + number % 7, "");
    }
    world.wait(1000, "");
    assert_eq!(world.numbers().len(), 2000);
}

#[test]
fn the_line_being_written_is_told_soon_and_no_more_often_than_a_spinner_deserves() {
    let mut world = World::new();
    world.print(&[], "Paste code here > ");
    world.wait(100, "Paste code here > ");
    assert_eq!(world.currents(), [(20, "Paste code here > ")]);
    for turn in 0..1000 {
        let progress = format!("{turn} of 1000");
        world.print(&[], &progress);
        world.wait(10, &progress);
    }
    assert!((40..60).contains(&world.told.len()), "{} in ten seconds", world.told.len());
}

#[test]
fn what_has_not_changed_is_not_told_again_and_an_end_is() {
    let mut world = World::new();
    world.print(&[], "wait");
    world.wait(300, "wait");
    world.print(&[], "wait");
    world.wait(300, "wait");
    world.print(&["1"], "");
    world.wait(300, "");
    assert_eq!(world.currents(), [(20, "wait"), (600, "")]);
    world.print(&[], "   ");
    world.wait(300, "   ");
    assert_eq!(world.told.len(), 2, "blanks are nothing");
}

#[test]
fn lines_bring_the_one_being_written_with_them() {
    let mut world = World::new();
    world.print(&["1"], "and");
    world.print(&["2"], "and so");
    world.wait(19, "and so");
    assert_eq!(world.currents(), [(0, "and")]);
    world.wait(1, "and so");
    assert_eq!(world.currents(), [(0, "and"), (20, "and so")]);
    let rest = world.pace.take_all(world.now, String::new());
    assert_eq!(rest, [Message { left_out: 0, lines: vec![], current: String::new() }]);
    assert_eq!(world.pace.take_all(world.now, String::new()), []);
}
