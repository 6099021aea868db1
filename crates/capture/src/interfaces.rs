//! The network interfaces of this machine, and which of them can be listened to.
//!
//! In: nothing. Out: one report per interface. Not its job: choosing one.

use std::net::IpAddr;

use pcap::{Capture, Device};

use crate::CaptureError;
use crate::live::explain;

/// An address of an interface, with its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The address.
    pub address: IpAddr,
    /// Leading bits that name the network.
    pub prefix_bits: u8,
}

impl std::fmt::Display for InterfaceAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_bits)
    }
}

/// What there is to say of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceReport {
    /// The name to give to [`crate::LiveSource::open`].
    pub name: String,
    /// libpcap's words on it, where it has any.
    pub description: Option<String>,
    /// Its addresses.
    pub addresses: Vec<InterfaceAddress>,
    /// It is switched on.
    pub up: bool,
    /// It has a carrier.
    pub running: bool,
    /// It is the machine talking to itself.
    pub loopback: bool,
    /// Why it cannot be opened, with what mends it; `None` when it can.
    pub refused: Option<String>,
}

/// Lists the interfaces and tries to open each, for a moment and without promiscuous mode.
///
/// # Errors
/// [`CaptureError::Interface`] when the system does not list them.
pub fn interfaces() -> Result<Vec<InterfaceReport>, CaptureError> {
    Ok(list()?.into_iter().map(report).collect())
}

/// The addresses of one interface, without opening it; none for one that is not there.
///
/// # Errors
/// [`CaptureError::Interface`] when the system does not list the interfaces.
pub fn interface_addresses(name: &str) -> Result<Vec<InterfaceAddress>, CaptureError> {
    let device = list()?.into_iter().find(|device| device.name == name);
    Ok(device.map(|device| addresses(&device)).unwrap_or_default())
}

fn list() -> Result<Vec<Device>, CaptureError> {
    Device::list().map_err(|error| CaptureError::Interface {
        interface: "list of interfaces".to_owned(),
        reason: explain(&error, "any"),
    })
}

fn report(device: Device) -> InterfaceReport {
    let opened = Capture::from_device(device.name.as_str()).and_then(pcap::Capture::open);
    InterfaceReport {
        addresses: addresses(&device),
        up: device.flags.is_up(),
        running: device.flags.is_running(),
        loopback: device.flags.is_loopback(),
        refused: opened.err().map(|error| explain(&error, &device.name)),
        description: device.desc,
        name: device.name,
    }
}

fn addresses(device: &Device) -> Vec<InterfaceAddress> {
    let one = |address: &pcap::Address| InterfaceAddress {
        address: address.addr,
        prefix_bits: prefix_bits(address.addr, address.netmask),
    };
    device.addresses.iter().map(one).collect()
}

/// Leading ones of the mask; a missing mask is a network of one address.
fn prefix_bits(address: IpAddr, mask: Option<IpAddr>) -> u8 {
    let bits = match (address, mask) {
        (_, Some(IpAddr::V4(mask))) => mask.to_bits().leading_ones(),
        (_, Some(IpAddr::V6(mask))) => mask.to_bits().leading_ones(),
        (IpAddr::V4(_), None) => 32,
        (IpAddr::V6(_), None) => 128,
    };
    // At most 128.
    bits as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_become_prefixes() {
        let prefix = |address: &str, mask: Option<&str>| {
            prefix_bits(address.parse().unwrap(), mask.map(|mask| mask.parse().unwrap()))
        };
        assert_eq!(prefix("192.0.2.1", Some("255.255.255.0")), 24);
        assert_eq!(prefix("192.0.2.1", None), 32);
        assert_eq!(prefix("2001:db8::1", Some("ffff:ffff:ffff:ffff::")), 64);
        assert_eq!(prefix("2001:db8::1", None), 128);
        assert_eq!(prefix("192.0.2.1", Some("0.0.0.0")), 0);
    }

    #[test]
    fn loopback_is_listed_with_its_network() {
        let all = interfaces().unwrap();
        let loopback = all
            .iter()
            .find(|interface| interface.loopback)
            .expect("a loopback interface");
        let addresses = interface_addresses(&loopback.name).unwrap();
        assert_eq!(addresses, loopback.addresses);
        assert!(interface_addresses("balefire-none").unwrap().is_empty());
    }
}
