//! A server of a case: it takes every connection and does with it what it was told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How often it looks whether it should end, in milliseconds.
const LOOK: u8 = 100;

/// How long it waits for somebody who came.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) struct Server {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Answers here, in the network where it is called.
    pub(super) fn start(address: SocketAddr, answer: fn(&TcpStream)) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let ends = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ends);
        let serve = move || {
            while !seen.load(Ordering::Relaxed) {
                let mut comes = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
                // Of what went wrong accept says more, and the case that nobody is served.
                let _ = poll(&mut comes, PollTimeout::from(LOOK));
                if let Ok((stream, _)) = listener.accept() {
                    answer(&stream);
                }
            }
        };
        Self { ends, thread: Some(thread::spawn(serve)) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // That it failed shows in the case.
            let _ = thread.join();
        }
    }
}

/// Says nothing and closes.
pub(super) fn silent(_: &TcpStream) {}

/// Takes whatever is written to it, as a remote storage does. Whoever breaks off is not answered.
pub(super) fn storage(stream: &TcpStream) {
    let _ = take(stream);
}

fn take(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    let (mut length, mut line) = (0, String::new());
    while reader.read_line(&mut line)? > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
    let mut answers = stream;
    answers.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
}
