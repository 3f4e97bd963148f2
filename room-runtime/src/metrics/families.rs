//! Every series there is: its name, what kind it is, and what it says.

/// A name with all its labels.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// As Prometheus knows it.
    pub name: &'static str,
    /// What may be done with it.
    pub kind: Kind,
    /// In a sentence.
    pub help: &'static str,
}

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows; a restart begins at 0.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counts by how long something took.
    Histogram,
}

impl Kind {
    /// As Prometheus writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

macro_rules! families {
    ($($constant:ident = $kind:ident $name:literal $help:literal;)*) => {
        $(pub(super) const $constant: Family =
            Family { name: $name, kind: Kind::$kind, help: $help };)*

        /// All of them, in the order in which they are written.
        pub const ALL: &[Family] = &[$($constant,)*];
    };
}

families! {
    BUILD = Gauge "room_build_info" "Always 1; which Room this is.";
    REQUESTS = Counter "room_http_requests_total" "Requests answered.";
    ERRORS = Counter "room_http_errors_total" "Requests answered with a 5xx, readiness left out.";
    REQUEST_SECONDS = Histogram "room_http_seconds" "Time from a request's head to its answer's.";
    CONNECTIONS = Gauge "room_connections" "Open TCP connections, sockets among them.";
    SOCKETS = Gauge "room_ws_connections" "WebSockets.";
    SENT = Counter "room_ws_sent_total" "Messages handed to the lines of clients.";
    DROPPED = Counter "room_ws_dropped_total" "Messages that a client with a full queue did not get.";
    CLOSED = Counter "room_ws_closed_total" "WebSockets that ended, by close code.";
    QUEUED = Gauge "room_ws_queue_bytes" "Bytes that wait in the queues of clients.";
    AUTH_FAILURES = Counter "room_auth_failures_total" "Refused credentials.";
    LIMITED = Counter "room_rate_limited_total" "Calls refused because there were too many.";
    ACTIVE = Gauge "room_sessions_active" "Sign-ins and installs that are going on.";
    ENDED = Counter "room_sessions_total" "Sign-ins and installs that are over.";
    SESSION_SECONDS = Histogram "room_session_seconds" "How long sign-ins and installs took.";
    CONNECTED = Gauge "room_provider_connected" "Whether a provider's program is signed in; missing while unknown.";
    ORPHANS = Counter "room_orphans_killed_total" "Processes that outlived their sign-in and were ended.";
    AUDIT_SECONDS = Histogram "room_audit_commit_seconds" "Time to put rows of the activity log on the disk.";
    AUDIT_FAILURES = Counter "room_audit_failures_total" "Commits of the activity log that the disk did not take.";
    KEY_AGE = Gauge "room_jwks_age_seconds" "Time since an issuer last confirmed its keys; missing if it never did.";
    KEY_STATE = Gauge "room_jwks_state" "1 for the state an issuer's keys are in.";
    LEGACY = Counter "room_legacy_secret_uses_total" "Callers let in by the legacy issuer's shared secret.";
    FAILING = Gauge "room_check_failing" "1 while a check fails without which nothing new can begin.";
    DEGRADED = Gauge "room_check_degraded" "1 while something is wrong that does not keep it from serving.";
    PROCESSES = Gauge "room_processes" "Processes below this one.";
    DISK = Gauge "room_disk_bytes" "Size of the disk under the data directory.";
    DISK_FREE = Gauge "room_disk_free_bytes" "What may still be written there.";
    DATABASE = Gauge "room_database_bytes" "Size of the database's files.";
    MEMORY = Gauge "room_memory_limit_bytes" "Memory this machine or container may use.";
    MEMORY_FREE = Gauge "room_memory_available_bytes" "What of it is not in use.";
    CPU = Counter "process_cpu_seconds_total" "CPU time of this process.";
    FILES = Gauge "process_open_fds" "Open file descriptors.";
    MOST_FILES = Gauge "process_max_fds" "How many there may be.";
    RESIDENT = Gauge "process_resident_memory_bytes" "Memory this process holds.";
    VIRTUAL = Gauge "process_virtual_memory_bytes" "Addresses this process has.";
    THREADS = Gauge "process_threads" "Threads of this process.";
    STARTED = Gauge "process_start_time_seconds" "When it began, in seconds since 1970.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_prometheus() {
        for Family { name, kind, help } in ALL {
            assert!(name.starts_with("room_") || name.starts_with("process_"), "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert!(!help.contains(['\n', '\\']) && help.ends_with('.'), "{name}");
            assert_eq!(ALL.iter().filter(|other| other.name == *name).count(), 1, "{name}");
        }
    }
}
