//! Addresses with ports, and the words about where a server is hosted.
//!
//! In: an address, a port, a protocol. Out: `192.0.2.1:443`, `[2001:db8::1]:443`. Not its job: names from the wire.

use balefire_detect::{Address, ControlServer, CountrySource, Transport};

/// Where countries come from, and what they are not.
pub(crate) const COUNTRY_NOTE: &str = "An address is not an actor.";

/// Address and port as people write them; protocols without ports have none.
pub(crate) fn socket(address: Address, port: u16, transport: Transport) -> String {
    match (has_ports(transport), address.is_v4()) {
        (false, _) => format!("{address}/{}", transport.name()),
        (true, true) => format!("{address}:{port}"),
        (true, false) => format!("[{address}]:{port}"),
    }
}

/// Address and port as people write them, with the protocol always said: `192.0.2.1:443/tcp`.
pub fn socket_with_protocol(server: &ControlServer) -> String {
    let socket = socket(server.address, server.port, server.transport);
    if has_ports(server.transport) {
        format!("{socket}/{}", server.transport.name())
    } else {
        socket
    }
}

/// `iptocc 1.4 of 2026-11-01 (country of registration)`.
pub(crate) fn source_text(source: &CountrySource) -> String {
    let of = if source.date.is_empty() {
        String::new()
    } else {
        format!(" of {}", source.date)
    };
    crate::clean(&format!("{}{of} ({})", source.name, source.meaning))
}

fn has_ports(transport: Transport) -> bool {
    matches!(transport, Transport::TCP | Transport::UDP)
}
