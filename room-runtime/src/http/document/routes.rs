//! What each route is for, takes and answers. A test holds this against the router's table.

use utoipa::ToSchema;

use super::Shape;
use crate::http::wire;

/// What an answer is.
pub(super) enum Answer {
    /// One JSON value.
    Json(Shape),
    /// One a line.
    Lines(Shape),
    /// Bytes of this media type.
    File(&'static str),
    /// Nothing to be read; why.
    Bare(&'static str),
}

impl Answer {
    pub(super) fn shape(&self) -> Option<&Shape> {
        match self {
            Self::Json(shape) | Self::Lines(shape) => Some(shape),
            Self::File(_) | Self::Bare(_) => None,
        }
    }
}

/// One route.
pub(super) struct Doc {
    /// Its method and path.
    pub(super) route: &'static str,
    pub(super) summary: &'static str,
    pub(super) query: Vec<(&'static str, &'static str)>,
    pub(super) body: Option<Shape>,
    pub(super) needs_body: bool,
    /// The one field of a form.
    pub(super) form: Option<&'static str>,
    pub(super) answers: Vec<(u16, Answer)>,
    pub(super) refusals: Vec<(u16, &'static str)>,
}

fn at(route: &'static str, summary: &'static str) -> Doc {
    Doc {
        route,
        summary,
        query: Vec::new(),
        body: None,
        needs_body: false,
        form: None,
        answers: Vec::new(),
        refusals: Vec::new(),
    }
}

impl Doc {
    fn takes<T: ToSchema>(self) -> Self {
        Self { body: Some(Shape::of::<T>()), needs_body: true, ..self }
    }

    fn may_take<T: ToSchema>(self) -> Self {
        Self { body: Some(Shape::of::<T>()), ..self }
    }

    fn query(mut self, name: &'static str, what: &'static str) -> Self {
        self.query.push((name, what));
        self
    }

    fn gives<T: ToSchema>(self) -> Self {
        self.gives_with::<T>(200)
    }

    fn gives_with<T: ToSchema>(mut self, status: u16) -> Self {
        self.answers.push((status, Answer::Json(Shape::of::<T>())));
        self
    }

    fn answers(mut self, status: u16, answer: Answer) -> Self {
        self.answers.push((status, answer));
        self
    }

    fn refuses(mut self, status: u16, what: &'static str) -> Self {
        self.refusals.push((status, what));
        self
    }
}

/// Whether a Room can serve, in names.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the answer is written by hand; this is its form")]
struct Fitness {
    ready: bool,
    /// What keeps it from it.
    failed: Vec<String>,
    /// What is not as it should be and does not.
    degraded: Vec<String>,
}

pub(super) fn described() -> Vec<Doc> {
    let mut all = way_in();
    all.extend(reading());
    all.extend(providers());
    all.extend(instance());
    all
}

fn way_in() -> Vec<Doc> {
    let no = "The credential or code is not good; `code` says why.";
    vec![
        at("POST /api/auth/handshake", "Trades the one-time code of a link for a bearer.")
            .takes::<wire::HandshakeRequest>()
            .gives::<wire::Handshake>()
            .refuses(401, no),
        at("POST /api/auth/session", "Trades a token of an issuer for this browser's session.")
            .may_take::<wire::SessionRequest>()
            .gives::<wire::Verified<'static>>()
            .refuses(401, no),
        at("POST /api/auth/pair/redeem", "Signs this browser in by a pairing code.")
            .takes::<wire::RedeemRequest>()
            .gives::<wire::Verified<'static>>()
            .refuses(401, no),
        Doc {
            form: Some("logout_token"),
            ..at("POST /api/auth/backchannel-logout", "An issuer signs a person out.")
                .gives::<wire::Done>()
        },
        at("POST /api/auth/pair", "Makes a code that signs one more device of one's own in.")
            .gives::<wire::Pairing>(),
        at("GET /api/auth/verify", "Says who is asking, and what they may.")
            .gives::<wire::Verified<'static>>(),
        at("DELETE /api/auth/session", "Signs this device out.").gives::<wire::Done>(),
        at("POST /api/auth/ws-ticket", "Makes a ticket that opens one socket.")
            .gives::<wire::Ticket>(),
        at("GET /api/access/sessions", "Lists devices: one's own, or everyone's to managers.")
            .gives::<wire::AccessSessions>(),
        at("DELETE /api/access/sessions/{id}", "Signs a device out.").gives::<wire::Done>(),
        at("POST /api/access/revoke", "Ends a person, a token or a key of the issuer that asks.")
            .takes::<wire::RevokeRequest>()
            .gives::<wire::Done>(),
    ]
}

fn reading() -> Vec<Doc> {
    vec![
        at("GET /healthz", "Says `ok` while the process lives.")
            .answers(200, Answer::File("text/plain")),
        at("GET /readyz", "Says whether it can serve.")
            .gives::<Fitness>()
            .gives_with::<Fitness>(503),
        at("GET /api/bootstrap", "What a page must know before anyone is signed in.")
            .gives::<wire::Bootstrap>(),
        at("GET /api/status", "The Room, and the parts that are asked for.")
            .query("parts", "Of `providers,resources,storage,keys`; all by default.")
            .gives::<wire::RoomStatus>(),
        at("GET /api/activity", "Who did what: the newest events, or those beside one.")
            .query("after", "The oldest events above this number.")
            .query("before", "The newest events below this number.")
            .query("kind", "`access`, `provider` or `instance`.")
            .query("limit", "1 to 200; 50 by default.")
            .gives::<wire::Activity>(),
        at("GET /api/activity.ndjson", "The whole log.")
            .answers(200, Answer::Lines(Shape::of::<wire::ActivityEvent>())),
        at("GET /ws", "Opens a socket, subprotocol `room.v1`.")
            .answers(101, Answer::Bare("A WebSocket; its messages are JSON text."))
            .refuses(401, "No session, bearer or ticket that is good.")
            .refuses(426, "It was not asked for as a WebSocket."),
    ]
}

fn providers() -> Vec<Doc> {
    vec![
        at("GET /api/providers", "The providers: how one signs in, which keys they take.")
            .gives::<wire::Providers>(),
        at("GET /api/providers/status", "How each provider stands, from a cache.")
            .query("refresh", "`1` asks the programs anew and waits; managers only.")
            .gives::<wire::Statuses>(),
        at("POST /api/providers/{provider}/connect", "Opens a sign-in, or joins the live one.")
            .may_take::<wire::ConnectRequest>()
            .gives::<wire::Connected>()
            .refuses(409, "`not_installed`, or something else is under way."),
        at("GET /api/providers/{provider}/session", "The live sign-in, or the last one.")
            .gives::<wire::OneSession>(),
        at("POST /api/providers/{provider}/disconnect", "Signs the program out, and checks.")
            .gives::<wire::Disconnected>(),
        at("POST /api/providers/{provider}/verify", "Asks the program, and the vendor for a key.")
            .gives::<wire::Checked>(),
        at("POST /api/providers/{provider}/install", "Installs the tested version, or joins it.")
            .gives::<wire::Connected>()
            .refuses(409, "Something else is under way, or there is nothing for this machine."),
        at("GET /api/providers/{provider}/install", "The live install, or the last one.")
            .gives::<wire::OneSession>(),
        at("PUT /api/providers/{provider}/api-key", "Takes a key; it is never given back.")
            .takes::<wire::KeyRequest>()
            .gives::<wire::KeySet>()
            .refuses(409, "An account is signed in; send `replace` to let the key take its place.")
            .refuses(422, "It is no key of this provider."),
        at("DELETE /api/providers/{provider}/api-key", "Forgets the key.")
            .gives::<wire::KeyRemoved>(),
        at("GET /api/providers/sessions/{id}", "One sign-in or install.")
            .gives::<wire::OneSession>(),
        at("POST /api/providers/sessions/{id}/input", "Hands the program what was pasted.")
            .takes::<wire::InputRequest>()
            .gives::<wire::OneSession>()
            .refuses(409, "Nothing is asked for.")
            .refuses(422, "It cannot be right; `detail` says why."),
        at("POST /api/providers/sessions/{id}/cancel", "Ends it and everything it started.")
            .gives::<wire::OneSession>(),
    ]
}

fn instance() -> Vec<Doc> {
    vec![
        at("POST /api/instance/backup", "A copy of the database, as `room restore` takes it.")
            .answers(200, Answer::File("application/vnd.sqlite3"))
            .refuses(409, "`backup_running`: another is being made or read.")
            .refuses(507, "`disk_short`: less than twice the database is free."),
        at("POST /api/instance/wipe", "Removes everyone's credentials and sign-ins, and checks.")
            .takes::<wire::WipeRequest>()
            .gives::<wire::Wiped>()
            .gives_with::<wire::Wiped>(409),
    ]
}
