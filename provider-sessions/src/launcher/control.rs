//! What the launcher hears: signals, and the server's pipe.

use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{FORBIDDEN, SIGABRT, SIGBUS, SIGCHLD, SIGHUP, SIGPIPE, SIGTERM, SIGTRAP};
use signal_hook::{flag, low_level};

use super::Order;

/// The longest order: arguments and environment are small, an input is one key.
const ORDER_BYTES: usize = 1024 * 1024;

/// The signals that reached the launcher.
pub(super) struct Signals {
    wake: UnixStream,
    stop: Arc<AtomicBool>,
}

impl Signals {
    /// Catches every signal that can be caught.
    ///
    /// SIGHUP (the terminal was hung up: the server closed its end) and SIGTERM mean "end it".
    /// All others do nothing, and are caught all the same: what a process catches is reset in the
    /// programs it starts, what it ignores stays ignored there, and who started the server may
    /// have ignored anything (`nohup`, a shell's `&`).
    ///
    /// A blocked signal would stay blocked in them too, and a launcher that does not hear SIGCHLD
    /// never learns that its program ended: all are unblocked.
    pub(super) fn catch() -> io::Result<Self> {
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let stop = Arc::new(AtomicBool::new(false));
        let nothing = Arc::new(AtomicBool::new(false));
        for signal in [SIGHUP, SIGTERM] {
            flag::register(signal, Arc::clone(&stop))?;
        }
        for signal in [SIGCHLD, SIGHUP, SIGTERM] {
            low_level::pipe::register(signal, woken.try_clone()?)?;
        }
        // Faults must stay faults, and the standard library resets SIGPIPE in what it starts.
        let left_alone = [SIGABRT, SIGBUS, SIGTRAP, SIGPIPE];
        for signal in (1..32).filter(|signal| !FORBIDDEN.contains(signal)) {
            if !left_alone.contains(&signal) {
                // A number without a signal on this system is refused, which is fine.
                let _ = flag::register(signal, Arc::clone(&nothing));
            }
        }
        unblock_all();
        Ok(Self { wake, stop })
    }

    /// Whether one of them said "end it".
    pub(super) fn asked_to_stop(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Forgets the wake-ups so far; what they were for is looked at afterwards.
    pub(super) fn clear(&mut self) {
        let mut bytes = [0; 64];
        while self.wake.read(&mut bytes).is_ok_and(|count| count > 0) {}
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

/// The standard library hands the mask of blocked signals on as it is, and has no call to change it.
fn unblock_all() {
    let mut none = MaybeUninit::<libc::sigset_t>::uninit();
    #[expect(
        unsafe_code,
        reason = "sigemptyset writes the whole of the set it is given and cannot fail; \
                  pthread_sigmask reads that set, and is told that the old one is not wanted"
    )]
    // SAFETY: `none` is a valid place for a set, and is filled before it is read.
    unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
    }
}

/// Reads the server's order: one line of JSON. Read byte by byte, so that nothing after the line is
/// taken away from the one who waits for it.
pub(super) fn read_order() -> io::Result<Order> {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        match rustix::io::retry_on_intr(|| rustix::io::read(rustix::stdio::stdin(), &mut byte))? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ if byte[0] == b'\n' => break,
            _ if line.len() == ORDER_BYTES => return Err(io::ErrorKind::FileTooLarge.into()),
            _ => line.push(byte[0]),
        }
    }
    Ok(serde_json::from_slice(&line)?)
}
