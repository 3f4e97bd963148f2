//! Fetches an archive whose size and digest are known beforehand.

use std::fs::File;
use std::io::Write;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::{Client, StatusCode, header};
use sha2::{Digest, Sha512};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::{InstallError, Stop};

/// How often a person is told how far it is.
const PROGRESS: Duration = Duration::from_secs(1);

/// Pieces of the download that wait for the disk; one has 16 KiB or so.
const PIECES: usize = 16;

/// The SHA-512 of an archive, as lock files write it: `sha512-` and base 64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Integrity([u8; 64]);

impl Integrity {
    /// Reads one; nothing for another algorithm or length.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.strip_prefix("sha512-")?).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

/// What is fetched.
pub(crate) struct Wanted<'a> {
    pub(crate) url: &'a str,
    pub(crate) size_bytes: u64,
    pub(crate) integrity: &'a Integrity,
    /// How long nothing may come.
    pub(crate) stall: Duration,
}

/// Downloads into `file` and gives it back when it is, byte for byte, what was wanted. `progress`
/// hears how many bytes are there, at most once a second.
///
/// # Errors
/// A registry that does not give it, a download that is something else, a disk that does not take
/// it, or the wish to stop. Nothing is written any more when this returns.
pub(crate) async fn download(
    client: &Client,
    wanted: &Wanted<'_>,
    file: File,
    stop: &Stop,
    progress: impl FnMut(u64),
) -> Result<File, InstallError> {
    let (pieces, taken) = mpsc::channel(PIECES);
    // The disk and the digest have a thread of their own; the channel makes the network wait.
    let writer = tokio::task::spawn_blocking(move || write(file, taken));
    let received = tokio::select! {
        received = receive(client, wanted, pieces, progress) => received,
        () = stop.asked() => Err(InstallError::Stopped),
    };
    let written = writer.await.map_err(|_| InstallError::Stopped)?;
    match (received, written) {
        // A full disk ends the download too, and is the reason.
        (_, Err(error)) => Err(InstallError::Disk(error)),
        (Err(error), _) => Err(error),
        (Ok(()), Ok((file, digest))) if digest == *wanted.integrity => Ok(file),
        (Ok(()), Ok(_)) => Err(InstallError::OtherDigest),
    }
}

async fn receive(
    client: &Client,
    wanted: &Wanted<'_>,
    pieces: mpsc::Sender<Bytes>,
    mut progress: impl FnMut(u64),
) -> Result<(), InstallError> {
    let stalled = |_| InstallError::Stalled(wanted.stall);
    let request = client.get(wanted.url).header(header::ACCEPT, "application/octet-stream");
    let mut response = timeout(wanted.stall, request.send())
        .await
        .map_err(stalled)?
        .map_err(|error| InstallError::Unreachable(error.without_url()))?;
    if response.status() != StatusCode::OK {
        return Err(InstallError::Answered(response.status()));
    }
    if response.content_length().is_some_and(|length| length != wanted.size_bytes) {
        return Err(InstallError::OtherSize);
    }
    let mut told = interval_at(Instant::now() + PROGRESS, PROGRESS);
    told.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut got: u64 = 0;
    loop {
        let next = timeout(wanted.stall, response.chunk());
        let mut next = std::pin::pin!(next);
        let piece = loop {
            tokio::select! {
                piece = &mut next => break piece.map_err(stalled)?,
                _ = told.tick() => progress(got),
            }
        };
        let cut_off = InstallError::CutOff { got, expected: wanted.size_bytes };
        let Some(piece) = piece.map_err(|_| cut_off)? else { break };
        got += piece.len() as u64;
        if got > wanted.size_bytes {
            return Err(InstallError::OtherSize);
        }
        if pieces.send(piece).await.is_err() {
            // The writer has given up, and says why.
            return Err(InstallError::Stopped);
        }
    }
    if got == wanted.size_bytes {
        Ok(())
    } else {
        Err(InstallError::CutOff { got, expected: wanted.size_bytes })
    }
}

fn write(mut file: File, mut pieces: mpsc::Receiver<Bytes>) -> std::io::Result<(File, Integrity)> {
    let mut digest = Sha512::new();
    while let Some(piece) = pieces.blocking_recv() {
        digest.update(&piece);
        file.write_all(&piece)?;
    }
    Ok((file, Integrity(digest.finalize().into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_sha512_is_a_digest() {
        let empty = "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==";
        let (sender, pieces) = mpsc::channel(1);
        drop(sender);
        let (_, digest) = write(tempfile::tempfile().unwrap(), pieces).unwrap();
        assert_eq!(Integrity::parse(empty), Some(digest));
        for bad in ["", "sha512-", "sha512-AAAA", &empty[7..], &empty.replace("512", "256")] {
            assert_eq!(Integrity::parse(bad), None, "{bad:?}");
        }
    }
}
