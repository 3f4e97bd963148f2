//! The table of all rows, and where it stands in `docs/benchmarks.md`.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

pub(super) const REPORT: &str = "docs/benchmarks.md";

/// The table stands between these; what is around it stays.
const MARKS: [&str; 2] = ["<!-- rows: begin -->", "<!-- rows: end -->"];

/// A row of the table.
pub(super) struct Row {
    pub(super) what: &'static str,
    pub(super) goal: &'static str,
    pub(super) ours: String,
    /// Whether the goal is met, where there is one.
    pub(super) met: Option<bool>,
    /// What others reach.
    pub(super) peers: Vec<(&'static str, String)>,
}

impl Row {
    pub(super) fn new(what: &'static str, goal: &'static str, ours: String, met: bool) -> Self {
        Self { what, goal, ours, met: Some(met), peers: Vec::new() }
    }

    pub(super) fn beside(mut self, name: &'static str, figure: String) -> Self {
        self.peers.push((name, figure));
        self
    }
}

/// The rows as Markdown.
pub(super) fn table(rows: &[Row]) -> anyhow::Result<String> {
    let mut text = String::new();
    writeln!(text, "| what | goal | Room | | others |\n| --- | --- | --- | --- | --- |")?;
    for Row { what, goal, ours, met, peers } in rows {
        let met = match met {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "",
        };
        let peers: Vec<_> =
            peers.iter().map(|(name, figure)| format!("{name}: {figure}")).collect();
        writeln!(text, "| {what} | {goal} | {ours} | {met} | {} |", peers.join("; "))?;
    }
    Ok(text)
}

/// Puts the table of all rows into the report.
pub(super) fn write(rows: &[Row], load: &str) -> anyhow::Result<()> {
    let text = format!("{}\n\n{}", machine("cargo xtask bench", load)?, table(rows)?);
    replace(MARKS, &text)
}

/// Puts a text between its marks, or at the end of a report that has none yet.
pub(super) fn replace([begin, end]: [&str; 2], text: &str) -> anyhow::Result<()> {
    let report = fs::read_to_string(REPORT).unwrap_or_else(|_| "# Benchmarks\n".to_owned());
    let table = format!("{begin}\n{}\n{end}", text.trim());
    let marked = report.split_once(begin).and_then(|(before, rest)| {
        rest.split_once(end).map(|(_, after)| format!("{before}{table}{after}"))
    });
    let report = marked.unwrap_or_else(|| format!("{}\n\n{table}\n", report.trim_end()));
    Ok(fs::write(REPORT, report)?)
}

/// Where and when it was measured, and what else the machine had to do.
pub(super) fn machine(program: &str, load: &str) -> anyhow::Result<String> {
    let line = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output();
        let text = output.map(|output| {
            let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
            String::from_utf8_lossy(&text).into_owned()
        });
        text.unwrap_or_default().lines().next().unwrap_or("not installed").to_owned()
    };
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("");
    let cores = std::thread::available_parallelism()?;
    Ok(format!(
        "Measured on {} by `{program}`: {cores} cores of {}, Linux {}, {}, node {}, {}, {}. Load \
         average {load}: the load generators share the cores with the servers, so processor time \
         says more than time on the wall.",
        line("date", &["-u", "+%Y-%m-%d"]),
        model.trim_start_matches([' ', '\t', ':']).trim(),
        line("uname", &["-r"]),
        line("rustc", &["--version"]),
        line("node", &["--version"]),
        line("haproxy", &["-v"]).split(" - ").next().unwrap_or_default(),
        line("nginx", &["-v"]).trim_start_matches("nginx version: "),
    ))
}

pub(super) fn load_average() -> anyhow::Result<String> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').next().unwrap_or_default().to_owned())
}

pub(super) fn thousands(value: f64) -> String {
    match value {
        1e6.. => format!("{:.2}M", value / 1e6),
        1e4.. => format!("{:.0}k", value / 1e3),
        1e3.. => format!("{:.1}k", value / 1e3),
        _ => format!("{value:.0}"),
    }
}

pub(super) fn megabytes(bytes: f64) -> String {
    format!("{:.1} MB", bytes / 1e6)
}

/// Of microseconds.
pub(super) fn millis(micros: f64) -> String {
    if micros < 1e4 { format!("{:.1} ms", micros / 1e3) } else { format!("{:.0} ms", micros / 1e3) }
}

/// The middle one.
pub(super) fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
