//! The people of a hosted Room and their devices, and when a device lapses. Pure: the time and the
//! state of the key endpoints are handed in, and what is on the disk is someone else's.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use room_auth::revocation::{Revocation, Target};
use room_auth::{Identity, Profile, Role, TokenHash};

/// How long a person from an issuer keeps their devices after their last token on any of them.
pub const AFTER_A_TOKEN: Duration = Duration::from_hours(24);

/// The same while the server cannot reach the issuer's key endpoint: an outage signs nobody out.
pub const IN_AN_OUTAGE: Duration = Duration::from_hours(7 * 24);

/// How long people have, once an outage is over, to fetch the token they could not get.
pub const AFTER_AN_OUTAGE: Duration = Duration::from_hours(1);

/// How long a device of `room pair` lives without being used, and at most.
pub const OWN_UNUSED: Duration = Duration::from_hours(30 * 24);
/// See [`OWN_UNUSED`].
pub const OWN_AT_MOST: Duration = Duration::from_hours(90 * 24);

/// How many devices one person may have; past it the one not used for longest goes.
pub const DEVICES_EACH: usize = 32;

/// How many devices there may be; past it the one not used for longest goes.
pub const DEVICES: usize = 10_000;

/// The subject a person's own devices carry who came by `room pair`.
pub const OWN_ISSUER: &str = "room:";

/// A person, as their last token described them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub identity: Identity,
    /// As what.
    pub role: Role,
    /// Their name and address, for display.
    pub profile: Profile,
    /// When their last token was taken.
    pub granted_at: Timestamp,
}

impl Person {
    /// Whether no issuer stands behind them: they came by `room pair`.
    pub fn is_own(&self) -> bool {
        self.identity.issuer.starts_with(OWN_ISSUER)
    }
}

/// What a device's sign-in stands on; a revocation may name any of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grounds {
    /// The token's `jti`.
    pub token_id: Option<String>,
    /// The `kid` of the key that signed it.
    pub key_id: Option<String>,
    /// The key's thumbprint.
    pub thumbprint: Option<String>,
    /// The issuer's own session (`sid`).
    pub session_id: Option<String>,
    /// When the token was made.
    pub issued_at: Timestamp,
}

/// One device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its id, which is not its cookie.
    pub id: String,
    /// SHA-256 of its cookie.
    pub hash: TokenHash,
    /// Whose it is.
    pub identity: Identity,
    /// What it is called.
    pub name: String,
    /// The device that paired it.
    pub paired_from: Option<String>,
    /// The Cloudflare Access subject it is bound to.
    pub gate: Option<String>,
    /// What it stands on.
    pub grounds: Grounds,
    /// When it was signed in.
    pub created_at: Timestamp,
    /// When it was used last.
    pub last_used_at: Timestamp,
}

/// How the key endpoint of an issuer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// It answers, or there is none.
    Answers,
    /// It does not.
    Down,
    /// It does again, since then.
    BackSince(Timestamp),
}

/// When a device lapses unless its person brings a new token.
pub fn lapses_at(person: &Person, device: &Device, endpoint: Endpoint) -> Timestamp {
    if person.is_own() {
        return (device.last_used_at + OWN_UNUSED).min(device.created_at + OWN_AT_MOST);
    }
    let usual = person.granted_at + AFTER_A_TOKEN;
    let longest = person.granted_at + IN_AN_OUTAGE;
    match endpoint {
        Endpoint::Answers => usual,
        Endpoint::Down => longest,
        Endpoint::BackSince(at) => usual.max(at + AFTER_AN_OUTAGE).min(longest),
    }
}

/// Everyone and their devices.
#[derive(Debug, Default)]
pub struct Devices {
    people: HashMap<Identity, Person>,
    by_id: HashMap<String, Device>,
    by_hash: HashMap<TokenHash, String>,
}

impl Devices {
    /// What the disk has kept.
    pub fn new(people: Vec<Person>, devices: Vec<Device>) -> Self {
        let mut all = Self::default();
        for person in people {
            all.people.insert(person.identity.clone(), person);
        }
        for device in devices {
            all.insert(device);
        }
        all
    }

    /// Takes over what a person's token says of them. Whether their role became another one.
    pub fn put_person(&mut self, person: Person) -> bool {
        let role = person.role;
        let before = self.people.insert(person.identity.clone(), person);
        before.is_some_and(|before| before.role != role)
    }

    /// Lets a device in, in place of the one with its id.
    pub fn insert(&mut self, device: Device) {
        if let Some(before) = self.by_id.get(&device.id) {
            self.by_hash.remove(&before.hash);
        }
        self.by_hash.insert(device.hash, device.id.clone());
        self.by_id.insert(device.id.clone(), device);
    }

    /// The devices that must go so that one more of a person has a place.
    pub fn no_place_for(&self, identity: &Identity) -> Vec<String> {
        let of_person = self.by_id.values().filter(|device| device.identity == *identity);
        let too_many = |mut some: Vec<&Device>, most: usize| {
            some.sort_by_key(|device| device.last_used_at);
            let over = (some.len() + 1).saturating_sub(most);
            some.into_iter().take(over).map(|device| device.id.clone()).collect::<Vec<_>>()
        };
        let theirs = too_many(of_person.collect(), DEVICES_EACH);
        if !theirs.is_empty() || self.by_id.len() < DEVICES {
            return theirs;
        }
        too_many(self.by_id.values().collect(), DEVICES)
    }

    /// The device a cookie belongs to, with its person.
    pub fn find(&self, hash: &TokenHash) -> Option<(&Device, &Person)> {
        self.get(self.by_hash.get(hash)?)
    }

    /// The device of that id, with its person.
    pub fn get(&self, id: &str) -> Option<(&Device, &Person)> {
        let device = self.by_id.get(id)?;
        Some((device, self.people.get(&device.identity)?))
    }

    /// Everyone's devices, in the order of their sign-ins.
    pub fn all(&self) -> Vec<(&Device, &Person)> {
        let mut all: Vec<_> = self.by_id.keys().filter_map(|id| self.get(id)).collect();
        all.sort_by(|(a, _), (b, _)| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        all
    }

    /// The devices of one person.
    pub fn ids_of(&self, identity: &Identity) -> Vec<String> {
        let theirs = self.by_id.values().filter(|device| device.identity == *identity);
        theirs.map(|device| device.id.clone()).collect()
    }

    /// Notes a use. Returns when it was used before.
    pub fn touch(&mut self, id: &str, now: Timestamp) -> Option<Timestamp> {
        let device = self.by_id.get_mut(id)?;
        Some(std::mem::replace(&mut device.last_used_at, now))
    }

    /// Takes a device away.
    pub fn remove(&mut self, id: &str) -> Option<Device> {
        let device = self.by_id.remove(id)?;
        self.by_hash.remove(&device.hash);
        if !self.by_id.values().any(|other| other.identity == device.identity) {
            self.people.remove(&device.identity);
        }
        Some(device)
    }

    /// The devices that have lapsed.
    pub fn lapsed(&self, now: Timestamp, endpoint: impl Fn(&str) -> Endpoint) -> Vec<String> {
        let over = |(device, person): &(&Device, &Person)| {
            lapses_at(person, device, endpoint(&person.identity.issuer)) <= now
        };
        self.all().into_iter().filter(over).map(|(device, _)| device.id.clone()).collect()
    }

    /// The devices a revocation ends: those that stand on what it names, and those they paired.
    pub fn ended_by(&self, revocation: &Revocation) -> Vec<String> {
        let not_before = Timestamp::try_from(revocation.not_before).unwrap_or(Timestamp::MAX);
        let names = |device: &Device| {
            let grounds = &device.grounds;
            let is = |found: &Option<String>, name: &String| found.as_ref() == Some(name);
            device.identity.issuer == revocation.issuer
                && match &revocation.target {
                    // Whoever has the key writes any date, and a token's own dates do not matter.
                    Target::Token(id) => is(&grounds.token_id, id),
                    Target::Key(id) => is(&grounds.key_id, id) || is(&grounds.thumbprint, id),
                    Target::Subject(subject) => {
                        device.identity.subject == *subject && grounds.issued_at < not_before
                    }
                    Target::Session(id) => {
                        is(&grounds.session_id, id) && grounds.issued_at < not_before
                    }
                    Target::Instance => grounds.issued_at < not_before,
                }
        };
        let mut ended: Vec<String> =
            self.by_id.values().filter(|one| names(one)).map(|one| one.id.clone()).collect();
        let mut next = 0;
        while let Some(from) = ended.get(next).cloned() {
            let paired = self.by_id.values().filter(|one| one.paired_from.as_ref() == Some(&from));
            let paired: Vec<String> = paired.map(|one| one.id.clone()).collect();
            for id in paired {
                if !ended.contains(&id) {
                    ended.push(id);
                }
            }
            next += 1;
        }
        ended
    }

    /// How many devices there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether nobody is signed in.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

#[cfg(test)]
mod tests;
