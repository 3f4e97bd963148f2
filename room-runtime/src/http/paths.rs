//! Which route an address belongs to: for the log and the metrics, which know routes and never
//! addresses, and must know them before the router does and where it does not.

/// The patterns of the routes, numbered; after them come the dashboard and everything else.
pub(super) struct Paths {
    /// Patterns without a parameter, sorted, with their numbers.
    plain: Vec<(&'static str, usize)>,
    /// The segments of the others, with their numbers.
    patterns: Vec<(Vec<&'static str>, usize)>,
    names: Vec<&'static str>,
}

/// What the dashboard's files and pages are called.
const PAGE: &str = "page";

/// What is called so belongs to no route.
const NONE: &str = "none";

impl Paths {
    pub(super) fn new(mut routes: Vec<&'static str>) -> Self {
        routes.sort_unstable();
        routes.dedup();
        let numbered = || routes.iter().copied().zip(0..);
        let plain = numbered().filter(|(route, _)| !route.contains('{')).collect();
        let patterns = numbered().filter(|(route, _)| route.contains('{'));
        let patterns = patterns.map(|(route, at)| (route.split('/').collect(), at)).collect();
        let names = routes.iter().copied().chain([PAGE, NONE]).collect();
        Self { plain, patterns, names }
    }

    /// The number of the route that a path belongs to.
    pub(super) fn find(&self, path: &str) -> usize {
        if let Ok(at) = self.plain.binary_search_by_key(&path, |(route, _)| route) {
            return self.plain[at].1;
        }
        let none = self.names.len() - 1;
        if !super::guard::is_api(path) {
            return none - 1;
        }
        let fits = |pattern: &Vec<&str>| {
            let mut segments = path.split('/');
            let all = pattern.iter().all(|wanted| {
                segments.next().is_some_and(|found| found == *wanted || wanted.starts_with('{'))
            });
            all && segments.next().is_none()
        };
        self.patterns.iter().find(|(pattern, _)| fits(pattern)).map_or(none, |(_, at)| *at)
    }

    /// What the route of that number is called.
    pub(super) fn name(&self, number: usize) -> &'static str {
        self.names[number]
    }

    /// All of them, in the order of their numbers.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.names.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_belongs_to_its_route_and_to_no_longer_one() {
        let paths = Paths::new(vec![
            "/ws",
            "/api/sessions/{id}",
            "/api/{p}/connect",
            "/api/status",
            "/api/status",
            "/healthz",
        ]);
        let name = |path| paths.name(paths.find(path));
        for plain in ["/ws", "/api/status", "/healthz"] {
            assert_eq!(name(plain), plain);
        }
        assert_eq!(name("/api/sessions/0/"), "none");
        assert_eq!(name("/api/sessions/7"), "/api/sessions/{id}");
        assert_eq!(name("/api/codex/connect"), "/api/{p}/connect");
        assert_eq!(name("/api/codex/connect/x"), "none");
        assert_eq!((name("/api"), name("/api/else")), ("none", "none"));
        assert_eq!((name("/"), name("/assets/app.js"), name("//")), ("page", "page", "page"));
        assert_eq!(paths.names().count(), 7);
    }
}
