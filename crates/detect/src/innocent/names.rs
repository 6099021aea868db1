//! Names of services that are used at fixed intervals, with their sources.
//!
//! In: nothing. Out: the table. Not its job: matching.

use super::{BY_NAME, BY_PLATFORM};

/// Names and all names below them. Sources: the vendors' lists of hosts that must be reachable:
/// Microsoft "Manage connection endpoints for Windows 11 Enterprise" and "Microsoft 365 URLs and IP address ranges",
/// Apple "Use Apple products on enterprise networks" (support 101555), Google "FCM ports and your firewall", "Chrome Enterprise:
/// allowlist" and "Android Enterprise network requirements", Mozilla "Firefox connections to Mozilla servers", Canonical
/// "connectivity-check", Fedora and GNOME NetworkManager.conf "connectivity", Debian and Ubuntu mirrors, CA/Browser Forum members' OCSP and CRL
/// distribution points, vendors' pages on antivirus updates.
#[rustfmt::skip]
pub(super) const NAMES: &[(&str, &[&str], f64)] = &[
    (
        "certificate revocation check (OCSP, CRL)",
        &[
            "ocsp.digicert.com", "crl3.digicert.com", "crl4.digicert.com", "ocsp.pki.goog", "o.pki.goog",
            "c.pki.goog", "crl.pki.goog", "i.pki.goog", "lencr.org", "ocsp.sectigo.com", "crl.sectigo.com",
            "ocsp.comodoca.com", "crl.comodoca.com", "ocsp.usertrust.com", "crl.usertrust.com", "ocsp.globalsign.com",
            "ocsp2.globalsign.com", "crl.globalsign.com", "ocsp.entrust.net", "crl.entrust.net", "ocsp.godaddy.com",
            "crl.godaddy.com", "ocsp.starfieldtech.com", "ocsp.identrust.com", "ocsp.verisign.com",
            "crl.verisign.com", "ocsp.thawte.com", "ocsp.rootca1.amazontrust.com", "amazontrust.com",
            "ocsp.apple.com", "ocsp2.apple.com", "crl.apple.com", "ocsp.msocsp.com", "oneocsp.microsoft.com",
            "crl.microsoft.com",
        ],
        BY_NAME,
    ),
    (
        "operating system's connectivity check",
        &[
            "connectivitycheck.gstatic.com", "connectivitycheck.android.com", "clients3.google.com",
            "clients1.google.com", "captive.apple.com", "www.msftconnecttest.com", "msftconnecttest.com",
            "msftncsi.com", "connectivity-check.ubuntu.com", "detectportal.firefox.com", "nmcheck.gnome.org",
            "network-test.debian.org", "fedoraproject.org", "networkcheck.kde.org", "ping.archlinux.org",
            "connect.rom.miui.com", "connectivitycheck.platform.hicloud.com", "edge-http.microsoft.com",
        ],
        BY_NAME,
    ),
    (
        "operating system or program updates",
        &[
            "windowsupdate.com", "update.microsoft.com", "delivery.mp.microsoft.com", "dl.delivery.mp.microsoft.com",
            "download.microsoft.com", "mp.microsoft.com", "officecdn.microsoft.com", "msedge.api.cdp.microsoft.com",
            "swscan.apple.com", "swcdn.apple.com", "mesu.apple.com", "gdmf.apple.com", "update.googleapis.com",
            "dl.google.com", "clients2.google.com", "clients4.google.com", "safebrowsing.googleapis.com",
            "edgedl.me.gvt1.com", "gvt1.com", "aus5.mozilla.org", "services.mozilla.com",
            "content-signature-2.cdn.mozilla.net", "cdn.mozilla.net", "archive.ubuntu.com", "security.ubuntu.com",
            "changelogs.ubuntu.com", "api.snapcraft.io", "motd.ubuntu.com", "esm.ubuntu.com", "deb.debian.org",
            "security.debian.org", "mirrors.fedoraproject.org", "mirrorlist.centos.org", "packages.microsoft.com",
            "update.code.visualstudio.com", "vscode-cdn.net", "armmf.adobe.com", "ardownload.adobe.com", "avast.com",
            "avcdn.net", "liveupdate.symantecliveupdate.com", "update.eset.com", "kaspersky.com", "sophosupd.com",
            "clamav.net", "smartscreen.microsoft.com", "smartscreen-prod.microsoft.com", "wdcp.microsoft.com",
            "checkappexec.microsoft.com",
        ],
        BY_NAME,
    ),
    (
        "telemetry",
        &[
            "events.data.microsoft.com", "vortex.data.microsoft.com", "vortex-win.data.microsoft.com",
            "settings-win.data.microsoft.com", "telemetry.microsoft.com", "watson.microsoft.com",
            "data.microsoft.com", "incoming.telemetry.mozilla.org", "telemetry.mozilla.org", "beacons.gvt2.com",
            "beacons.gcp.gvt2.com", "beacons2.gvt2.com", "beacons3.gvt2.com", "firebaselogging-pa.googleapis.com",
            "app-measurement.com", "crashlytics.com", "metrics.apple.com", "xp.apple.com", "sentry.io", "nr-data.net",
            "browser-intake-datadoghq.com", "dc.services.visualstudio.com", "in.applicationinsights.azure.com",
            "google-analytics.com", "googletagmanager.com", "scorecardresearch.com", "daisy.ubuntu.com",
            "popcon.debian.org",
        ],
        BY_NAME,
    ),
    (
        "push notifications, chat or presence",
        &[
            "push.apple.com", "mtalk.google.com", "mobile-gtalk.l.google.com", "fcm.googleapis.com",
            "gcm-http.googleapis.com", "push.services.mozilla.com", "wns.windows.com", "notify.windows.com",
            "client.wns.windows.com", "web.whatsapp.com", "whatsapp.net", "signal.org", "gateway.discord.gg",
            "slack-msgs.com", "wss-primary.slack.com", "edge-chat.facebook.com", "mqtt-mini.facebook.com",
            "trouter.teams.microsoft.com", "teams.microsoft.com", "presence.teams.microsoft.com", "skype.com",
        ],
        BY_NAME,
    ),
    (
        "time service",
        &[
            "pool.ntp.org", "time.windows.com", "time.apple.com", "time.google.com", "ntp.ubuntu.com",
            "time.cloudflare.com", "time.nist.gov",
        ],
        BY_NAME,
    ),
    (
        "public DNS resolver",
        &[
            "dns.google", "cloudflare-dns.com", "one.one.one.one", "dns.quad9.net", "doh.opendns.com",
            "dns.nextdns.io", "doh.dns.apple.com",
        ],
        BY_NAME,
    ),
    (
        "mail or calendar polling",
        &[
            "outlook.office365.com", "outlook.office.com", "outlook.com", "autodiscover-s.outlook.com",
            "mail.google.com", "imap.gmail.com", "pop.gmail.com", "imap.mail.me.com", "caldav.icloud.com",
            "p-caldav.icloud.com", "imap.mail.yahoo.com", "mail.yahoo.com",
        ],
        BY_NAME,
    ),
    (
        "operating system account, store or sync",
        &[
            "login.live.com", "login.microsoftonline.com", "storeedgefd.dsx.mp.microsoft.com",
            "licensing.mp.microsoft.com", "displaycatalog.mp.microsoft.com", "activation.sls.microsoft.com",
            "fe3.delivery.mp.microsoft.com", "g.live.com", "oneclient.sfx.ms", "onedrive.live.com", "dropbox.com",
            "gateway.icloud.com", "icloud.com", "gsa.apple.com", "android.clients.google.com", "play.googleapis.com",
            "accounts.google.com", "accounts.youtube.com", "tile-service.weather.microsoft.com", "arc.msn.com",
            "assets.msn.com", "api.msn.com", "www.msn.com", "www.bing.com",
        ],
        BY_NAME,
    ),
    (
        "large platform; one of its many customers or services may still be bad",
        &[
            "microsoft.com", "bing.com", "msn.com", "windows.com", "office.com", "office.net", "office365.com",
            "live.com", "apple.com", "google.com", "googleapis.com", "gstatic.com", "youtube.com", "ytimg.com",
            "facebook.com", "fbcdn.net", "mozilla.org", "mozilla.com", "ubuntu.com", "debian.org", "adobe.com",
            "akamaihd.net", "akamaized.net", "spotify.com", "netflix.com", "zoom.us", "github.com",
        ],
        BY_PLATFORM,
    ),
];
