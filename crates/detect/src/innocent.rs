//! Innocent services that are as regular as a beacon: a table of protocols, ports and names with their sources.
//!
//! In: a port and transport, a name, an address. Out: what was matched and how much it lowers the score. Not its job:
//! silencing: a match is one named part among others, so a regular timeline to an odd server on port 123 still stands out.

use balefire_decode::{Address, Transport};

/// One known service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Innocent {
    /// For people: `NTP`, `certificate revocation (OCSP, CRL)`.
    pub(crate) what: &'static str,
    /// Added to the log-odds; negative.
    pub(crate) log_odds: f64,
}

/// How sure a match makes us. A port alone can be chosen by an attacker; a name in SNI or Host can be forged, but the
/// address it is used with is then still judged by itself.
const BY_PORT: f64 = -2.5;
const BY_WEAK_PORT: f64 = -1.2;
const BY_NAME: f64 = -4.0;
/// Clouds and content networks that also serve anybody's own site.
const BY_PLATFORM: f64 = -1.5;

/// Service ports that are polled by design. Sources: IANA Service Name and Transport Protocol Port Number Registry,
/// and the RFC named in each row.
const PORTS: &[(u8, u16, &str, f64)] = &[
    (UDP, 123, "NTP (RFC 5905: polls every 64 to 1,024 s)", BY_PORT),
    (
        UDP,
        53,
        "DNS resolver (RFC 1035); the names asked for are judged by themselves",
        BY_PORT,
    ),
    (TCP, 53, "DNS resolver over TCP (RFC 7766)", BY_PORT),
    (TCP, 853, "DNS over TLS (RFC 7858)", BY_PORT),
    (UDP, 853, "DNS over QUIC (RFC 9250)", BY_PORT),
    (UDP, 67, "DHCP (RFC 2131)", BY_PORT),
    (UDP, 68, "DHCP (RFC 2131)", BY_PORT),
    (UDP, 547, "DHCPv6 (RFC 8415)", BY_PORT),
    (UDP, 137, "NetBIOS name service (RFC 1002)", BY_PORT),
    (UDP, 138, "NetBIOS datagram service (RFC 1002)", BY_PORT),
    (UDP, 161, "SNMP polling (RFC 3411)", BY_PORT),
    (UDP, 162, "SNMP notifications (RFC 3416)", BY_PORT),
    (UDP, 514, "syslog (RFC 5426)", BY_PORT),
    (UDP, 1900, "SSDP discovery (UPnP Device Architecture 2.0)", BY_PORT),
    (UDP, 3702, "WS-Discovery (OASIS WS-DD 1.1)", BY_PORT),
    (UDP, 5353, "mDNS (RFC 6762)", BY_PORT),
    (UDP, 5355, "LLMNR (RFC 4795)", BY_PORT),
    (UDP, 5351, "NAT-PMP and PCP (RFC 6886, RFC 6887)", BY_PORT),
    (UDP, 3478, "STUN and TURN keep-alives (RFC 8489)", BY_PORT),
    (TCP, 3478, "STUN and TURN (RFC 8489)", BY_PORT),
    (UDP, 3544, "Teredo (RFC 4380: refreshed every 30 s)", BY_PORT),
    (UDP, 4500, "IPsec NAT keep-alives (RFC 3948: every 20 s)", BY_PORT),
    (
        UDP,
        443,
        "HTTP/3 over QUIC, name not readable here (RFC 9000, keep-alives in section 10.1.2)",
        BY_WEAK_PORT,
    ),
    (UDP, 500, "IKE (RFC 7296)", BY_PORT),
    (
        UDP,
        5060,
        "SIP registration and keep-alives (RFC 3261, RFC 5626)",
        BY_PORT,
    ),
    (TCP, 5060, "SIP registration (RFC 3261)", BY_PORT),
    (TCP, 5061, "SIP over TLS (RFC 3261)", BY_PORT),
    (UDP, 5683, "CoAP (RFC 7252)", BY_PORT),
    (UDP, 5684, "CoAP over DTLS (RFC 7252)", BY_PORT),
    (TCP, 1883, "MQTT keep-alives (OASIS MQTT 3.1.1)", BY_PORT),
    (TCP, 8883, "MQTT over TLS (OASIS MQTT 3.1.1)", BY_PORT),
    (TCP, 5671, "AMQP over TLS (OASIS AMQP 1.0)", BY_WEAK_PORT),
    (
        TCP,
        5222,
        "XMPP (RFC 6120; also Google's and Meta's push)",
        BY_WEAK_PORT,
    ),
    (
        TCP,
        5223,
        "Apple push (Apple Support: use Apple products on enterprise networks)",
        BY_PORT,
    ),
    (
        TCP,
        5228,
        "Firebase cloud messaging (Google: FCM ports and your firewall)",
        BY_PORT,
    ),
    (
        TCP,
        5229,
        "Firebase cloud messaging (Google: FCM ports and your firewall)",
        BY_PORT,
    ),
    (
        TCP,
        5230,
        "Firebase cloud messaging (Google: FCM ports and your firewall)",
        BY_PORT,
    ),
    (TCP, 110, "mail polling, POP3 (RFC 1939)", BY_PORT),
    (TCP, 995, "mail polling, POP3 over TLS (RFC 8314)", BY_PORT),
    (TCP, 143, "mail polling, IMAP (RFC 9051)", BY_PORT),
    (TCP, 993, "mail polling, IMAP over TLS (RFC 8314)", BY_PORT),
    (
        TCP,
        25,
        "mail delivery, SMTP (RFC 5321: retries at fixed intervals)",
        BY_WEAK_PORT,
    ),
    (TCP, 587, "mail submission (RFC 6409)", BY_WEAK_PORT),
    (TCP, 88, "Kerberos (RFC 4120)", BY_PORT),
    (UDP, 88, "Kerberos (RFC 4120)", BY_PORT),
    (TCP, 389, "LDAP (RFC 4511)", BY_PORT),
    (UDP, 389, "LDAP without connection (MS-ADTS)", BY_PORT),
    (TCP, 636, "LDAP over TLS (RFC 4513)", BY_PORT),
    (TCP, 3268, "Active Directory global catalog (MS-ADTS)", BY_PORT),
    (TCP, 135, "DCE RPC endpoint mapper (MS-RPCE)", BY_PORT),
    (TCP, 139, "NetBIOS session service (RFC 1002)", BY_WEAK_PORT),
    (TCP, 445, "SMB (MS-SMB2)", BY_WEAK_PORT),
    (TCP, 179, "BGP keep-alives (RFC 4271)", BY_PORT),
    (TCP, 1433, "SQL Server connection pools (MS-TDS)", BY_WEAK_PORT),
    (TCP, 9100, "printer polling (IANA: pdl-datastream)", BY_PORT),
    (TCP, 631, "printing, IPP (RFC 8011)", BY_PORT),
    (TCP, 10050, "Zabbix agent (IANA)", BY_PORT),
    (TCP, 10051, "Zabbix server (IANA)", BY_PORT),
    (
        UDP,
        21027,
        "Syncthing local discovery (docs.syncthing.net, Local Discovery v4: every 30 to 60 s)",
        BY_PORT,
    ),
    (
        TCP,
        22000,
        "Syncthing (docs.syncthing.net, Block Exchange Protocol v1: ping every 90 s)",
        BY_WEAK_PORT,
    ),
    (UDP, 6881, "BitTorrent DHT (BEP 5)", BY_WEAK_PORT),
    (UDP, 41641, "Tailscale (tailscale.com/kb: firewall ports)", BY_PORT),
    (
        UDP,
        51820,
        "WireGuard keep-alives (wireguard.com: PersistentKeepalive, 25 s)",
        BY_WEAK_PORT,
    ),
    (
        TCP,
        11095,
        "Nest device logs (Google Nest Help: ports to allow)",
        BY_PORT,
    ),
    (
        TCP,
        9543,
        "Nest device control (Google Nest Help: ports to allow)",
        BY_PORT,
    ),
];

const TCP: u8 = Transport::TCP.0;
const UDP: u8 = Transport::UDP.0;

/// Names and all names below them. Sources: the vendors' lists of hosts that must be reachable:
/// Microsoft "Manage connection endpoints for Windows 11 Enterprise" and "Microsoft 365 URLs and IP address ranges",
/// Apple "Use Apple products on enterprise networks" (support 101555), Google "FCM ports and your firewall", "Chrome Enterprise:
/// allowlist" and "Android Enterprise network requirements", Mozilla "Firefox connections to Mozilla servers", Canonical
/// "connectivity-check", Fedora and GNOME NetworkManager.conf "connectivity", Debian and Ubuntu mirrors, CA/Browser Forum members' OCSP and CRL
/// distribution points, vendors' pages on antivirus updates.
const NAMES: &[(&str, &[&str], f64)] = &[
    (
        "certificate revocation check (OCSP, CRL)",
        &[
            "ocsp.digicert.com",
            "crl3.digicert.com",
            "crl4.digicert.com",
            "ocsp.pki.goog",
            "o.pki.goog",
            "c.pki.goog",
            "crl.pki.goog",
            "i.pki.goog",
            "lencr.org",
            "ocsp.sectigo.com",
            "crl.sectigo.com",
            "ocsp.comodoca.com",
            "crl.comodoca.com",
            "ocsp.usertrust.com",
            "crl.usertrust.com",
            "ocsp.globalsign.com",
            "ocsp2.globalsign.com",
            "crl.globalsign.com",
            "ocsp.entrust.net",
            "crl.entrust.net",
            "ocsp.godaddy.com",
            "crl.godaddy.com",
            "ocsp.starfieldtech.com",
            "ocsp.identrust.com",
            "ocsp.verisign.com",
            "crl.verisign.com",
            "ocsp.thawte.com",
            "ocsp.rootca1.amazontrust.com",
            "amazontrust.com",
            "ocsp.apple.com",
            "ocsp2.apple.com",
            "crl.apple.com",
            "ocsp.msocsp.com",
            "oneocsp.microsoft.com",
            "crl.microsoft.com",
        ],
        BY_NAME,
    ),
    (
        "operating system's connectivity check",
        &[
            "connectivitycheck.gstatic.com",
            "connectivitycheck.android.com",
            "clients3.google.com",
            "clients1.google.com",
            "captive.apple.com",
            "www.msftconnecttest.com",
            "msftconnecttest.com",
            "msftncsi.com",
            "connectivity-check.ubuntu.com",
            "detectportal.firefox.com",
            "nmcheck.gnome.org",
            "network-test.debian.org",
            "fedoraproject.org",
            "networkcheck.kde.org",
            "ping.archlinux.org",
            "connect.rom.miui.com",
            "connectivitycheck.platform.hicloud.com",
            "edge-http.microsoft.com",
        ],
        BY_NAME,
    ),
    (
        "operating system or program updates",
        &[
            "windowsupdate.com",
            "update.microsoft.com",
            "delivery.mp.microsoft.com",
            "dl.delivery.mp.microsoft.com",
            "download.microsoft.com",
            "mp.microsoft.com",
            "officecdn.microsoft.com",
            "msedge.api.cdp.microsoft.com",
            "swscan.apple.com",
            "swcdn.apple.com",
            "mesu.apple.com",
            "gdmf.apple.com",
            "update.googleapis.com",
            "dl.google.com",
            "clients2.google.com",
            "clients4.google.com",
            "safebrowsing.googleapis.com",
            "edgedl.me.gvt1.com",
            "gvt1.com",
            "aus5.mozilla.org",
            "services.mozilla.com",
            "content-signature-2.cdn.mozilla.net",
            "cdn.mozilla.net",
            "archive.ubuntu.com",
            "security.ubuntu.com",
            "changelogs.ubuntu.com",
            "api.snapcraft.io",
            "motd.ubuntu.com",
            "esm.ubuntu.com",
            "deb.debian.org",
            "security.debian.org",
            "mirrors.fedoraproject.org",
            "mirrorlist.centos.org",
            "packages.microsoft.com",
            "update.code.visualstudio.com",
            "vscode-cdn.net",
            "armmf.adobe.com",
            "ardownload.adobe.com",
            "avast.com",
            "avcdn.net",
            "liveupdate.symantecliveupdate.com",
            "update.eset.com",
            "kaspersky.com",
            "sophosupd.com",
            "clamav.net",
            "smartscreen.microsoft.com",
            "smartscreen-prod.microsoft.com",
            "wdcp.microsoft.com",
            "checkappexec.microsoft.com",
        ],
        BY_NAME,
    ),
    (
        "telemetry",
        &[
            "events.data.microsoft.com",
            "vortex.data.microsoft.com",
            "vortex-win.data.microsoft.com",
            "settings-win.data.microsoft.com",
            "telemetry.microsoft.com",
            "watson.microsoft.com",
            "data.microsoft.com",
            "incoming.telemetry.mozilla.org",
            "telemetry.mozilla.org",
            "beacons.gvt2.com",
            "beacons.gcp.gvt2.com",
            "beacons2.gvt2.com",
            "beacons3.gvt2.com",
            "firebaselogging-pa.googleapis.com",
            "app-measurement.com",
            "crashlytics.com",
            "metrics.apple.com",
            "xp.apple.com",
            "sentry.io",
            "nr-data.net",
            "browser-intake-datadoghq.com",
            "dc.services.visualstudio.com",
            "in.applicationinsights.azure.com",
            "google-analytics.com",
            "googletagmanager.com",
            "scorecardresearch.com",
            "daisy.ubuntu.com",
            "popcon.debian.org",
        ],
        BY_NAME,
    ),
    (
        "push notifications, chat or presence",
        &[
            "push.apple.com",
            "mtalk.google.com",
            "mobile-gtalk.l.google.com",
            "fcm.googleapis.com",
            "gcm-http.googleapis.com",
            "push.services.mozilla.com",
            "wns.windows.com",
            "notify.windows.com",
            "client.wns.windows.com",
            "web.whatsapp.com",
            "whatsapp.net",
            "signal.org",
            "gateway.discord.gg",
            "slack-msgs.com",
            "wss-primary.slack.com",
            "edge-chat.facebook.com",
            "mqtt-mini.facebook.com",
            "trouter.teams.microsoft.com",
            "teams.microsoft.com",
            "presence.teams.microsoft.com",
            "skype.com",
        ],
        BY_NAME,
    ),
    (
        "time service",
        &[
            "pool.ntp.org",
            "time.windows.com",
            "time.apple.com",
            "time.google.com",
            "ntp.ubuntu.com",
            "time.cloudflare.com",
            "time.nist.gov",
        ],
        BY_NAME,
    ),
    (
        "public DNS resolver",
        &[
            "dns.google",
            "cloudflare-dns.com",
            "one.one.one.one",
            "dns.quad9.net",
            "doh.opendns.com",
            "dns.nextdns.io",
            "doh.dns.apple.com",
        ],
        BY_NAME,
    ),
    (
        "mail or calendar polling",
        &[
            "outlook.office365.com",
            "outlook.office.com",
            "outlook.com",
            "autodiscover-s.outlook.com",
            "mail.google.com",
            "imap.gmail.com",
            "pop.gmail.com",
            "imap.mail.me.com",
            "caldav.icloud.com",
            "p-caldav.icloud.com",
            "imap.mail.yahoo.com",
            "mail.yahoo.com",
        ],
        BY_NAME,
    ),
    (
        "operating system account, store or sync",
        &[
            "login.live.com",
            "login.microsoftonline.com",
            "storeedgefd.dsx.mp.microsoft.com",
            "licensing.mp.microsoft.com",
            "displaycatalog.mp.microsoft.com",
            "activation.sls.microsoft.com",
            "fe3.delivery.mp.microsoft.com",
            "g.live.com",
            "oneclient.sfx.ms",
            "onedrive.live.com",
            "dropbox.com",
            "gateway.icloud.com",
            "icloud.com",
            "gsa.apple.com",
            "android.clients.google.com",
            "play.googleapis.com",
            "accounts.google.com",
            "accounts.youtube.com",
            "tile-service.weather.microsoft.com",
            "arc.msn.com",
            "assets.msn.com",
            "api.msn.com",
            "www.msn.com",
            "www.bing.com",
        ],
        BY_NAME,
    ),
    (
        "large platform; one of its many customers or services may still be bad",
        &[
            "microsoft.com",
            "bing.com",
            "msn.com",
            "windows.com",
            "office.com",
            "office.net",
            "office365.com",
            "live.com",
            "apple.com",
            "google.com",
            "googleapis.com",
            "gstatic.com",
            "youtube.com",
            "ytimg.com",
            "facebook.com",
            "fbcdn.net",
            "mozilla.org",
            "mozilla.com",
            "ubuntu.com",
            "debian.org",
            "adobe.com",
            "akamaihd.net",
            "akamaized.net",
            "spotify.com",
            "netflix.com",
            "zoom.us",
            "github.com",
        ],
        BY_PLATFORM,
    ),
];

/// What a port stands for, judged by the port alone.
pub(crate) fn by_port(transport: Transport, port: u16) -> Option<Innocent> {
    if transport == Transport::ICMP || transport == Transport::ICMP6 {
        return Some(Innocent {
            what: "ping or other ICMP monitoring (RFC 792, RFC 4443)",
            log_odds: BY_WEAK_PORT,
        });
    }
    let row = PORTS.iter().find(|row| row.0 == transport.0 && row.1 == port)?;
    Some(Innocent {
        what: row.2,
        log_odds: row.3,
    })
}

/// What a name stands for: the row with the longest suffix of it.
pub(crate) fn by_name(name: &str) -> Option<Innocent> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let mut best: Option<(usize, Innocent)> = None;
    for (what, suffixes, log_odds) in NAMES {
        for suffix in *suffixes {
            if is_below(name, suffix) && best.is_none_or(|(length, _)| suffix.len() > length) {
                best = Some((
                    suffix.len(),
                    Innocent {
                        what,
                        log_odds: *log_odds,
                    },
                ));
            }
        }
    }
    best.map(|(_, innocent)| innocent)
}

/// What a registered domain stands for: known services live below it, among others perhaps.
pub(crate) fn by_domain(domain: &str) -> Option<Innocent> {
    let rows = NAMES
        .iter()
        .filter(|row| row.1.iter().any(|name| is_below(name, domain)));
    let what = rows.map(|row| row.0).next()?;
    Some(Innocent {
        what,
        log_odds: BY_PLATFORM,
    })
}

/// Public resolvers by address, for DNS over HTTPS without a name. Source: the operators' pages (developers.google.com/speed/public-dns,
/// developers.cloudflare.com/1.1.1.1, quad9.net, opendns.com).
pub(crate) fn by_address(address: Address) -> Option<Innocent> {
    const RESOLVERS: &[[u8; 4]] = &[
        [8, 8, 8, 8],
        [8, 8, 4, 4],
        [1, 1, 1, 1],
        [1, 0, 0, 1],
        [9, 9, 9, 9],
        [149, 112, 112, 112],
        [208, 67, 222, 222],
        [208, 67, 220, 220],
    ];
    RESOLVERS
        .iter()
        .any(|&octets| Address::v4(octets) == address)
        .then_some(Innocent {
            what: "public DNS resolver",
            log_odds: BY_PORT,
        })
}

/// Names that never leave a site, or are asked for by machinery: reverse look-ups, service discovery, unqualified names.
/// Sources: RFC 6761, RFC 6762, RFC 8375, RFC 1035 (in-addr.arpa), RFC 2782 (underscored service names).
pub(crate) fn is_site_local_name(name: &str) -> bool {
    const LOCAL: &[&str] = &[
        "arpa",
        "local",
        "localhost",
        "localdomain",
        "lan",
        "home",
        "internal",
        "corp",
        "intranet",
        "test",
        "invalid",
    ];
    !name.contains('.') || name.starts_with('_') || LOCAL.iter().any(|suffix| is_below(name, suffix))
}

fn is_below(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_whole_labels_and_the_longest_row_wins() {
        assert_eq!(
            by_name("ocsp.digicert.com").map(|found| found.what),
            Some("certificate revocation check (OCSP, CRL)")
        );
        assert_eq!(
            by_name("mobile.events.data.microsoft.com").map(|found| found.what),
            Some("telemetry")
        );
        assert_eq!(
            by_name("x.microsoft.com.").map(|found| found.log_odds),
            Some(BY_PLATFORM)
        );
        assert_eq!(by_name("evilmicrosoft.com"), None);
        assert_eq!(by_name("microsoft.com.evil.example"), None);
    }

    #[test]
    fn a_domain_is_known_by_what_lives_below_it() {
        assert_eq!(
            by_domain("msftconnecttest.com").map(|found| found.log_odds),
            Some(BY_PLATFORM)
        );
        assert_eq!(by_domain("digicert.com").map(|found| found.log_odds), Some(BY_PLATFORM));
        assert_eq!(by_domain("bad.example"), None);
    }

    #[test]
    fn a_match_only_lowers() {
        assert!(PORTS.iter().all(|row| row.3 < 0.0) && NAMES.iter().all(|row| row.2 < 0.0));
        assert!(by_port(Transport::UDP, 123).is_some() && by_port(Transport::TCP, 123).is_none());
        assert!(by_port(Transport::TCP, 443).is_none() && by_port(Transport::TCP, 80).is_none());
    }

    #[test]
    fn no_row_is_there_twice() {
        let mut ports: Vec<_> = PORTS.iter().map(|row| (row.0, row.1)).collect();
        let mut names: Vec<_> = NAMES.iter().flat_map(|row| row.1.iter().copied()).collect();
        let (all_ports, all_names) = (ports.len(), names.len());
        ports.sort_unstable();
        ports.dedup();
        names.sort_unstable();
        names.dedup();
        assert_eq!((ports.len(), names.len()), (all_ports, all_names));
        assert!(
            names
                .iter()
                .all(|name| !name.starts_with('.') && *name == name.to_ascii_lowercase())
        );
    }

    #[test]
    fn site_local_names() {
        for name in [
            "4.3.2.1.in-addr.arpa",
            "printer.local",
            "wpad",
            "_ldap._tcp.dc.example.org",
            "host.lan",
        ] {
            assert!(is_site_local_name(name), "{name}");
        }
        assert!(!is_site_local_name("example.org"));
    }
}
