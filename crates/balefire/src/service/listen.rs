//! Answers questions on a socket: one thread, a bounded number of connections, each with a deadline.
//!
//! In: a listening socket (TCP or Unix) and what to answer. Out: one answer per connection, then it is closed. A peer that is
//! slow, silent or endless costs one of [`MOST_CONNECTIONS`] places for [`PATIENCE`]; when all are taken the oldest makes
//! room, so nobody can keep others out. Not its job: what is asked (`metrics`, `control`).

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::exit::Failure;

/// Connections at a time: some scrapers and a person or two.
pub(crate) const MOST_CONNECTIONS: usize = 16;

/// From accepting to the last byte of the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest question taken.
pub(crate) const MOST_QUESTION_BYTES: usize = 8 * 1024;

/// How long a thread sleeps at most between looks.
const NAP: Duration = Duration::from_secs(1);

/// What is asked and answered.
pub(crate) trait Answerer: Send {
    /// The answer, once the question is whole; `None` to wait for more of it. `ended` says that no more will come.
    fn answer(&mut self, question: &[u8], ended: bool) -> Option<Vec<u8>>;

    /// What is said to a question longer than [`MOST_QUESTION_BYTES`].
    fn too_long(&self) -> Vec<u8>;
}

/// Where questions come from.
#[derive(Debug)]
pub(crate) enum Door {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Answers on a thread of its own, which lives as long as the program.
pub(crate) fn serve(name: &str, door: Door, mut answerer: Box<dyn Answerer>) -> Result<(), Failure> {
    let refused = |error: io::Error| Failure::failed(format!("{name}: {error}"));
    match &door {
        Door::Tcp(listener) => listener.set_nonblocking(true),
        Door::Unix(listener) => listener.set_nonblocking(true),
    }
    .map_err(refused)?;
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let mut callers: Vec<Caller> = Vec::new();
            loop {
                round(&door, &mut callers, &mut *answerer);
            }
        })
        .map_err(refused)?;
    Ok(())
}

/// One wait, and what became possible with it.
fn round(door: &Door, callers: &mut Vec<Caller>, answerer: &mut dyn Answerer) {
    let mut watched = vec![PollFd::from_borrowed_fd(door.as_fd(), PollFlags::IN)];
    for caller in callers.iter() {
        watched.push(PollFd::from_borrowed_fd(caller.stream.as_fd(), caller.wants()));
    }
    let timeout = Timespec {
        tv_sec: NAP.as_secs().cast_signed(),
        tv_nsec: 0,
    };
    let woken = poll(&mut watched, Some(&timeout));
    let knocks = !watched[0].revents().is_empty();
    drop(watched);
    callers.retain_mut(|caller| caller.begun.elapsed() < PATIENCE && caller.go_on(answerer));
    if knocks {
        match door.accept() {
            Ok(stream) => {
                if callers.len() >= MOST_CONNECTIONS {
                    callers.remove(0);
                }
                callers.push(Caller::new(stream));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // Out of descriptors, or a peer that left at once: not a reason to spin.
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    } else if woken.is_err() {
        thread::sleep(Duration::from_millis(20));
    }
}

impl Door {
    fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                Ok(Box::new(stream))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                Ok(Box::new(stream))
            }
        }
    }
}

impl AsFd for Door {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}

/// A connection, whichever kind.
trait Stream: Read + Write + AsFd + Send + fmt::Debug {}

impl<T: Read + Write + AsFd + Send + fmt::Debug> Stream for T {}

/// One connection.
#[derive(Debug)]
struct Caller {
    stream: Box<dyn Stream>,
    begun: Instant,
    question: Vec<u8>,
    answer: Option<Vec<u8>>,
    written: usize,
}

impl Caller {
    fn new(stream: Box<dyn Stream>) -> Self {
        Self {
            stream,
            begun: Instant::now(),
            question: Vec::new(),
            answer: None,
            written: 0,
        }
    }

    fn wants(&self) -> PollFlags {
        if self.answer.is_some() {
            PollFlags::OUT
        } else {
            PollFlags::IN
        }
    }

    /// Reads and writes what is possible now; whether there is more to do.
    fn go_on(&mut self, answerer: &mut dyn Answerer) -> bool {
        if self.answer.is_none() && !self.listen(answerer) {
            return false;
        }
        let Some(answer) = &self.answer else { return true };
        while self.written < answer.len() {
            match self.stream.write(&answer[self.written..]) {
                Ok(0) => return false,
                Ok(bytes) => self.written += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        false
    }

    /// Whether the connection is still of use.
    fn listen(&mut self, answerer: &mut dyn Answerer) -> bool {
        let mut buffer = [0; 1024];
        loop {
            let ended = match self.stream.read(&mut buffer) {
                Ok(0) => true,
                Ok(bytes) => {
                    self.question.extend_from_slice(&buffer[..bytes]);
                    false
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return false,
            };
            if self.question.len() > MOST_QUESTION_BYTES {
                // The rest is not read: it could be endless.
                self.answer = Some(answerer.too_long());
                return true;
            }
            self.answer = answerer.answer(&self.question, ended);
            if self.answer.is_some() || ended {
                return self.answer.is_some();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpStream};

    use super::*;

    /// Answers a line with itself.
    struct Echo;

    impl Answerer for Echo {
        fn answer(&mut self, question: &[u8], ended: bool) -> Option<Vec<u8>> {
            (ended || question.ends_with(b"\n")).then(|| question.to_vec())
        }

        fn too_long(&self) -> Vec<u8> {
            b"too long\n".to_vec()
        }
    }

    fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        serve("echo", Door::Tcp(listener), Box::new(Echo)).unwrap();
        address
    }

    fn ask(address: SocketAddr, question: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(4))).unwrap();
        stream.write_all(question).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    }

    #[test]
    fn a_question_in_pieces_is_answered_once() {
        let address = echo();
        let mut stream = TcpStream::connect(address).unwrap();
        for piece in [&b"he"[..], b"llo", b"\n"] {
            stream.write_all(piece).unwrap();
            thread::sleep(Duration::from_millis(30));
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "hello\n");
    }

    #[test]
    fn silent_callers_keep_nobody_out() {
        let address = echo();
        let silent: Vec<TcpStream> = (0..3 * MOST_CONNECTIONS)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        assert_eq!(ask(address, b"still there?\n"), b"still there?\n");
        drop(silent);
    }

    #[test]
    fn a_question_that_is_too_long_is_told_so() {
        assert_eq!(ask(echo(), &[b'x'; MOST_QUESTION_BYTES + 1]), b"too long\n");
    }

    #[test]
    fn an_endless_question_ends_the_connection() {
        let address = echo();
        let mut stream = TcpStream::connect(address).unwrap();
        // The peer resets the connection at some point: that is the aim.
        let all = (0..64).try_for_each(|_| {
            thread::sleep(Duration::from_millis(2));
            stream.write_all(&[b'x'; 1024])
        });
        assert!(all.is_err());
        assert_eq!(ask(address, b"next\n"), b"next\n");
    }
}
