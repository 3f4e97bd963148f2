//! Each fault names its field and its fix.

use crate::provider::{Provider, built_in};

/// A row that is right, as small as one can be.
const SMALL: &str = r#"
id = "acme"
name = "Acme"
vendor = "Acme"
plans = "Acme account"
program = "acme"
hosts = ["login.acme.example"]
[[method]]
id = "device"
label = "Sign in"
kind = "device_code"
args = ["login"]
[install]
command = "apt-get install acme"
tested = "1.0.0"
[home]
folder = ".acme"
strategy = "in_place"
credentials = ["token.json"]
[status]
format = "file"
file = "token.json"
signed_in = "token"
method = "acme"
[logout]
[scan]
code = "[A-Z]{4}-[A-Z]{4}"
links = [{ path = "/device" }]
"#;

fn faults(text: &str) -> Vec<String> {
    let row = Provider::parse(text).unwrap();
    row.faults().iter().map(ToString::to_string).collect()
}

#[test]
fn the_rows_we_ship_have_none() {
    for row in built_in() {
        assert_eq!(row.faults(), [], "{}", row.id);
    }
    assert_eq!(faults(SMALL), [""; 0]);
}

#[test]
fn each_names_its_field() {
    for (from, to, field) in [
        ("id = \"acme\"", "id = \"Acme\"", "id"),
        ("id = \"acme\"", "id = \"../acme\"", "id"),
        ("name = \"Acme\"\nvendor", "name = \" \"\nvendor", "name"),
        ("program = \"acme\"", "program = \"bin/acme\"", "program"),
        ("[\"login.acme.example\"]", "[]", "hosts"),
        ("login.acme.example", "https://login.acme.example", "hosts[0]"),
        ("login.acme.example", "login.acme.example:443", "hosts[0]"),
        ("login.acme.example", "localhost", "hosts[0]"),
        ("login.acme.example", "127.0.0.1", "hosts[0]"),
        ("login.acme.example", "evil.example@acme.example", "hosts[0]"),
        ("folder = \".acme\"", "folder = \"../acme\"", "home.folder"),
        ("folder = \".acme\"", "folder = \"/etc\"", "home.folder"),
        ("folder = \".acme\"", "folder = \"\"", "home.folder"),
        ("[\"token.json\"]", "[\"../../.ssh/id_ed25519\"]", "home.credentials"),
        ("[\"token.json\"]", "[]", "home.credentials"),
        ("\"in_place\"", "\"scratch\"", "home.variable"),
        ("file = \"token.json\"", "file = \"/etc/shadow\"", "status.file"),
        ("kind = \"device_code\"", "kind = \"pasted_code\"", "scan.paste_prompts"),
        ("kind = \"device_code\"", "kind = \"pasted_callback\"", "scan.callbacks"),
        ("args = [\"login\"]", "args = [\"login\"]\nyields = \"token\"", "scan.token"),
        ("args = [\"login\"]", "args = []\nemail_args = [\"-e\"]", "method[0].email_args"),
        ("links = [{ path = \"/device\" }]", "links = []", "scan.links"),
        ("path = \"/device\"", "path = \"device\"", "scan.links[0].path"),
        ("links = [", "fixed_link = \"https://acme.example/\"\nlinks = [", "scan.fixed_link"),
        ("links = [", "fixed_link = \"http://login.acme.example/\"\nlinks = [", "scan.fixed_link"),
        ("links = [", "callbacks = [\"http://acme.example:1/\"]\nlinks = [", "scan.callbacks[0]"),
        (
            "links = [",
            "answer = [{ pattern = \"x\", send = \"\" }]\nlinks = [",
            "scan.answer[0].send",
        ),
        (
            "links = [",
            "answer = [{ pattern = \"x\", send = \"y\", most = 0 }]\nlinks = [",
            "scan.answer[0].most",
        ),
        ("tested = \"1.0.0\"", "tested = \"\"", "install.tested"),
    ] {
        assert!(SMALL.contains(from), "{from}");
        let found = faults(&SMALL.replacen(from, to, 1));
        assert_eq!(found.len(), 1, "{to}: {found:?}");
        assert!(found[0].starts_with(&format!("{field} ")), "{to}: {found:?}");
    }
}

#[test]
fn all_are_told_at_once() {
    let text = SMALL.replace("[\"login.acme.example\"]", "[]").replace(".acme", "/acme");
    assert_eq!(faults(&text).len(), 2);
}

#[test]
fn what_no_row_has_is_refused_with_its_place() {
    for (from, to, word) in [
        ("plans =", "plan =", "plan"),
        ("code = \"[A-Z]{4}-[A-Z]{4}\"", "code = \"[A-Z\"", "[A-Z"),
        ("kind = \"device_code\"", "kind = \"telepathy\"", "telepathy"),
        ("[logout]", "[logut]", "logut"),
    ] {
        let error = Provider::parse(&SMALL.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
