//! Requests: by route, method and status, and how long they took.

use std::time::Duration;

use http::{Method, StatusCode};

use super::{Counter, Histogram};

/// A request that finds its answer in memory takes microseconds; one that waits for a program may
/// take a minute.
const ENDS: [Duration; 11] = [
    Duration::from_micros(100),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(15),
];

/// The methods that are told apart.
pub const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "other"];

/// The statuses that are told apart: those that Room answers with.
const STATUSES: [(u16, &str); 25] = [
    (101, "101"),
    (200, "200"),
    (202, "202"),
    (204, "204"),
    (206, "206"),
    (303, "303"),
    (304, "304"),
    (400, "400"),
    (401, "401"),
    (403, "403"),
    (404, "404"),
    (405, "405"),
    (406, "406"),
    (408, "408"),
    (409, "409"),
    (411, "411"),
    (413, "413"),
    (414, "414"),
    (415, "415"),
    (421, "421"),
    (422, "422"),
    (429, "429"),
    (500, "500"),
    (502, "502"),
    (503, "503"),
];

const OTHER: &str = "other";

/// The route that says with a 503 that all is as it should be told.
const READINESS: &str = "/readyz";

/// The counts of every request, by the number its route has.
#[derive(Debug)]
pub struct Requests {
    routes: Vec<Route>,
}

#[derive(Debug)]
struct Route {
    name: &'static str,
    /// By method, then by status, the last of which is all others.
    counts: [[Counter; STATUSES.len() + 1]; METHODS.len()],
    seconds: Histogram,
}

impl Requests {
    /// For these routes.
    pub fn new(names: impl IntoIterator<Item = &'static str>) -> Self {
        let route = |name| {
            let counts = std::array::from_fn(|_| std::array::from_fn(|_| Counter::default()));
            Route { name, counts, seconds: Histogram::new(&ENDS) }
        };
        Self { routes: names.into_iter().map(route).collect() }
    }

    /// One was answered.
    pub fn answered(&self, route: usize, method: usize, status: StatusCode, took: Duration) {
        let Some(route) = self.routes.get(route) else { return };
        let status = STATUSES.binary_search_by_key(&status.as_u16(), |(code, _)| *code);
        route.counts[method][status.unwrap_or(STATUSES.len())].one();
        route.seconds.took(took);
    }

    /// How many were answered with a fault of ours; that readiness says no is none.
    pub(super) fn errors(&self) -> u64 {
        let routes = self.routes.iter().filter(|route| route.name != READINESS);
        let counts = routes.flat_map(|route| route.counts.iter());
        let errors = counts
            .flat_map(|counts| STATUSES.iter().zip(counts).filter(|((code, _), _)| *code >= 500));
        errors.map(|(_, count)| count.count()).sum()
    }

    /// Each route with a name for what was counted, method, status and count, and the times;
    /// without those nobody asked for.
    pub(super) fn read(
        &self,
    ) -> impl Iterator<Item = (&'static str, Vec<(&'static str, &'static str, u64)>, &Histogram)>
    {
        let statuses = || STATUSES.iter().map(|(_, name)| *name).chain([OTHER]);
        self.routes.iter().filter_map(move |route| {
            let rows = METHODS.iter().zip(&route.counts).flat_map(|(method, counts)| {
                statuses().zip(counts).map(|(status, count)| (*method, status, count.count()))
            });
            let rows: Vec<_> = rows.filter(|(.., count)| *count > 0).collect();
            (!rows.is_empty()).then_some((route.name, rows, &route.seconds))
        })
    }
}

/// The number of a method, for [`Requests::answered`].
pub fn method(method: &Method) -> usize {
    let name = method.as_str();
    METHODS.iter().position(|known| *known == name).unwrap_or(METHODS.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_on_a_list_is_counted_as_other() {
        assert!(STATUSES.is_sorted());
        let requests = Requests::new(["/a", "/b", READINESS]);
        let answered = |method: &str, status: u16| {
            let method = super::method(&Method::from_bytes(method.as_bytes()).unwrap());
            let status = StatusCode::from_u16(status).unwrap();
            requests.answered(1, method, status, Duration::ZERO);
        };
        answered("GET", 200);
        answered("GET", 200);
        answered("BREW", 418);
        requests.answered(3, 0, StatusCode::OK, Duration::ZERO);
        assert_eq!(requests.errors(), 0);
        requests.answered(0, 0, StatusCode::INTERNAL_SERVER_ERROR, Duration::ZERO);
        requests.answered(2, 0, StatusCode::SERVICE_UNAVAILABLE, Duration::ZERO);
        assert_eq!(requests.errors(), 1);
        let rows: Vec<_> = requests.read().map(|(route, rows, _)| (route, rows)).collect();
        let expected = [
            ("/a", vec![("GET", "500", 1)]),
            ("/b", vec![("GET", "200", 2), ("other", "other", 1)]),
            (READINESS, vec![("GET", "503", 1)]),
        ];
        assert_eq!(rows, expected);
    }
}
