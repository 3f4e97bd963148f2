//! What holds only for a user who is not root, to whom `/proc` shows everything: the server is run
//! as nobody when the tests run as root.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::{Room, eventually, fixture, helper};

const NOBODY: u32 = 65_534;

/// A server that does not outlive a failed test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// A server with one program, as a user without privileges.
fn serve(room: &Room, command: &[&str]) -> Server {
    let folder = room.data.path();
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    // The build's own folder may be closed to others.
    for program in [helper(), fixture("stubborn")] {
        let copy = folder.join(program.file_name().unwrap());
        std::fs::copy(program, &copy).unwrap();
        std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut server = Command::new(folder.join("in-terminal"));
    server.args(["--home", "/", "--data"]).arg(folder).args(command);
    server.env_clear().env("PATH", "/usr/bin:/bin").env("ROOM_SECRET", "of the server");
    server.stdin(Stdio::piped()).stdout(Stdio::piped());
    if rustix::process::geteuid().is_root() {
        server.uid(NOBODY).gid(NOBODY);
    }
    Server(server.spawn().unwrap())
}

fn path(room: &Room, name: &str) -> String {
    room.data.path().join(name).to_str().unwrap().to_owned()
}

#[test]
fn a_program_cannot_read_the_servers_environment() {
    let room = Room::new();
    let script = "read -r _ _ _ server _ < /proc/$PPID/stat
        tr '\\0' '\\n' < /proc/$PPID/environ; echo
        cat /proc/$server/environ && echo READ";
    let mut server = serve(&room, &["sh", "-c", script]);
    let mut text = String::new();
    server.0.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    server.0.wait().unwrap();
    let (launcher, servers) = text.split_once("\r\n\r\n").unwrap();
    assert!(launcher.starts_with("ROOM_SESSION=") && launcher.lines().count() == 1, "{text}");
    assert!(servers.contains("Permission denied"), "{text}");
    assert!(!text.contains("of the server") && !text.contains("READ"), "{text}");
}

/// The inner server makes its environment unreadable and, by way of its starter, ignores the
/// hang-up that comes with a launcher's death: only its place in the launcher's session gives it
/// away.
#[tokio::test]
async fn a_program_that_hides_its_environment_is_swept_too() {
    let room = Room::new();
    let other = room.data.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o777)).unwrap();
    let (inner, stubborn) = (path(&room, "in-terminal"), path(&room, "stubborn"));
    let other = other.to_str().unwrap().to_owned();
    let command =
        ["env", "--ignore-signal=HUP,TERM", &inner, "--home", "/", "--data", &other, &stubborn];
    let mut server = serve(&room, &command);
    let mut lines = BufReader::new(server.0.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap().trim_end(), "ready");
    let server_pid = i32::try_from(server.0.id()).unwrap();
    let launcher = child_of(server_pid);
    let hidden = child_of(launcher);
    assert!(owned_by_root(hidden) || !rustix::process::geteuid().is_root());
    let status = Command::new("/bin/kill").args(["-s", "9", &launcher.to_string()]).status();
    assert!(status.unwrap().success());
    // The pipe closes with the server, which waits until all are gone.
    assert!(lines.all(|line| line.is_ok()));
    assert_eq!(server.0.wait().unwrap().code(), Some(255), "nobody knows how the program ended");
    assert!(!Path::new(&format!("/proc/{hidden}/exe")).exists(), "it lives");
    eventually("its own program is gone too", || {
        !std::fs::read_dir("/proc").unwrap().flatten().any(|process| {
            std::fs::read(process.path().join("cmdline")).is_ok_and(|line| {
                line.windows(stubborn.len()).any(|part| part == stubborn.as_bytes())
            })
        })
    })
    .await;
}

fn child_of(pid: i32) -> i32 {
    let task = format!("/proc/{pid}/task");
    let mut lists = std::fs::read_dir(task).unwrap().flatten().filter_map(|task| {
        std::fs::read_to_string(task.path().join("children")).ok()?.trim().parse().ok()
    });
    lists.next().unwrap()
}

fn owned_by_root(pid: i32) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(format!("/proc/{pid}/environ")).unwrap().uid() == 0
}
