//! Where alerts go: files, standard output, a syslog server or the machine's own syslog.
//!
//! In: [`Event`]s. Out: lines and datagrams. A file that was moved away is opened anew by its name, so logrotate needs no
//! signal. An output that fails is complained of once until it works again, and never waited for. Not its job: what is worth
//! an alert.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use balefire_report::{clean, rfc3339};

use super::Event;
use super::orders::Reopened;
use crate::exit::Failure;
use crate::output;
use crate::values::{Syslog, SyslogFormat};

/// All outputs.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    all: Vec<Place>,
}

/// An output, and how it fares.
#[derive(Debug)]
struct Place {
    output: Output,
    counts: OutputCounts,
    /// Complained of, and not mended since.
    is_broken: bool,
}

/// What became of the alerts of one output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OutputCounts {
    /// `file`, `stdout` or `syslog`.
    pub(crate) kind: &'static str,
    pub(crate) taken: u64,
    pub(crate) failed: u64,
}

/// One of them.
#[derive(Debug)]
pub(crate) enum Output {
    File {
        path: PathBuf,
        file: File,
    },
    Stdout,
    Udp {
        socket: UdpSocket,
        header: Header,
    },
    Unix {
        socket: UnixDatagram,
        path: PathBuf,
        header: Header,
    },
}

/// What a syslog message is made with.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    /// This machine's name in it.
    host: String,
    format: SyslogFormat,
}

impl Outputs {
    pub(crate) fn new(all: Vec<Output>) -> Self {
        let place = |output: Output| Place {
            counts: OutputCounts {
                kind: output.kind(),
                ..OutputCounts::default()
            },
            output,
            is_broken: false,
        };
        Self {
            all: all.into_iter().map(place).collect(),
        }
    }

    /// Of each.
    pub(super) fn counts(&self) -> Vec<OutputCounts> {
        self.all.iter().map(|place| place.counts).collect()
    }

    /// Whether every output took it; none of several is left out because another failed.
    pub(super) fn send(&mut self, event: &Event) -> bool {
        let Ok(line) = event.line() else { return false };
        let mut all_took_it = true;
        for place in &mut self.all {
            all_took_it &= place.send(event, &line);
        }
        all_took_it
    }

    /// Opens files anew by their names, for whoever moved them away; the names, or what is wrong with the first that cannot be.
    pub(super) fn reopen(&mut self) -> Reopened {
        let mut names = Vec::new();
        for place in &mut self.all {
            if let Output::File { path, file } = &mut place.output {
                *file = open(path).map_err(|error| format!("{}: {error}; the old file stays open", path.display()))?;
                names.push(clean(&path.display().to_string()));
            }
        }
        Ok(names)
    }
}

impl Place {
    /// Whether it took the alert.
    fn send(&mut self, event: &Event, line: &str) -> bool {
        let sent = self.output.send(event, line);
        let name = self.output.name();
        match &sent {
            Err(error) if !self.is_broken => output::complain(&format!(
                "alerts to {name}: {error}; further failures there are only counted"
            )),
            Ok(()) if self.is_broken => output::complain(&format!("alerts to {name} are taken again")),
            _ => {}
        }
        self.is_broken = sent.is_err();
        *(if sent.is_ok() {
            &mut self.counts.taken
        } else {
            &mut self.counts.failed
        }) += 1;
        sent.is_ok()
    }
}

impl Output {
    fn kind(&self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::Stdout => "stdout",
            Self::Udp { .. } | Self::Unix { .. } => "syslog",
        }
    }

    /// A file to append to.
    pub(crate) fn file(path: &Path) -> Result<Self, Failure> {
        let file = open(path).map_err(|error| {
            Failure::failed(format!(
                "alerts to {}: {error}; give a file in a folder that exists",
                path.display()
            ))
        })?;
        Ok(Self::File {
            path: path.to_owned(),
            file,
        })
    }

    /// A syslog server; `host` is this machine in its messages.
    pub(crate) fn syslog(place: &Syslog, host: &str, format: SyslogFormat) -> Result<Self, Failure> {
        let header = Header {
            host: host.to_owned(),
            format,
        };
        match place {
            Syslog::Udp(address) => {
                let any: SocketAddr = if address.is_ipv4() {
                    ([0, 0, 0, 0], 0).into()
                } else {
                    ([0u16; 8], 0).into()
                };
                let socket = UdpSocket::bind(any)
                    .and_then(|socket| socket.connect(address).map(|()| socket))
                    .and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
                let socket = socket.map_err(|error| Failure::failed(format!("syslog at {address}: {error}")))?;
                Ok(Self::Udp { socket, header })
            }
            Syslog::Unix(path) => {
                // Connected per message: the receiver may be restarted, and may not be there yet.
                let socket = UnixDatagram::unbound()
                    .and_then(|socket| socket.set_nonblocking(true).map(|()| socket))
                    .map_err(|error| Failure::failed(format!("syslog at {}: {error}", path.display())))?;
                Ok(Self::Unix {
                    socket,
                    path: path.clone(),
                    header,
                })
            }
        }
    }

    fn send(&mut self, event: &Event, line: &str) -> io::Result<()> {
        match self {
            Self::File { path, file } => {
                if was_moved(path, file) {
                    *file = open(path)?;
                }
                let before = file.metadata()?.len();
                file.write_all(format!("{line}\n").as_bytes()).inspect_err(|_| {
                    // A full disk takes part of a line, and the next alert must not continue it.
                    let _ = file.set_len(before);
                })
            }
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(format!("{line}\n").as_bytes())?;
                stdout.flush()
            }
            Self::Udp { socket, header } => socket.send(header.message(event, line).as_bytes()).map(|_| ()),
            Self::Unix { socket, path, header } => {
                let message = header.message(event, line);
                socket.send_to(message.as_bytes(), path).map(|_| ())
            }
        }
    }

    fn name(&self) -> String {
        match self {
            Self::File { path, .. } | Self::Unix { path, .. } => path.display().to_string(),
            Self::Stdout => "standard output".to_owned(),
            Self::Udp { socket, .. } => socket
                .peer_addr()
                .map_or_else(|_| "syslog".to_owned(), |address| address.to_string()),
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

/// Whether the name leads to another file now, or to none.
fn was_moved(path: &Path, file: &File) -> bool {
    let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    match (path.metadata().map(identity), file.metadata().map(identity)) {
        (Ok(named), Ok(open)) => named != open,
        _ => true,
    }
}

impl Header {
    /// RFC 5424, section 6: priority (facility 4, security), version 1, time, host, program, process, kind, no structured data,
    /// and the JSON as the message, or CEF.
    fn message(&self, event: &Event, line: &str) -> String {
        const FACILITY: u8 = 4;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now_ns = now.map_or(0, |now| i64::try_from(now.as_nanos()).unwrap_or(i64::MAX));
        let body = match self.format {
            SyslogFormat::Json => line.to_owned(),
            SyslogFormat::Cef => event.cef(),
        };
        format!(
            "<{}>1 {} {} balefire {} alert - {body}",
            FACILITY * 8 + event.severity(),
            rfc3339(now_ns),
            self.host,
            std::process::id(),
        )
    }
}
