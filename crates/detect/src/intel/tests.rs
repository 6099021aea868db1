//! Lists from text to matches: every format, what is refused and why, limits, and that no text does harm.

use super::*;
use proptest::prelude::*;

const S: i64 = 1_000_000_000;

fn read(text: &str) -> (Intel, ListReport) {
    let mut builder = IntelBuilder::default();
    let report = builder
        .add("list", text.as_bytes())
        .unwrap_or_else(|error| panic!("{error}"));
    (builder.build(), report)
}

fn v4(octets: [u8; 4]) -> Address {
    Address::v4(octets)
}

fn labels(matches: &[IndicatorMatch]) -> Vec<(&str, &str, u32)> {
    let of = |found| -> (&str, &str, u32) {
        let found: &IndicatorMatch = found;
        (&found.indicator, found.label.as_deref().unwrap_or("-"), found.line)
    };
    matches.iter().map(of).collect()
}

#[test]
fn a_plain_list_with_everything_in_it() {
    let (intel, report) = read(
        "# comment\n; other\n\n192.0.2.7\n198.51.100.0/24 # a network\nevil[.]example ; defanged\n\
         hxxp://bad.example:8080/gate\n2001:db8:7::/48\nt13d1516h2_8daaf6152771_e5627efa2ab1\n\
         d41d8cd98f00b204e9800998ecf8427e\nco.uk\ntwo words\nevil.example\r\n",
    );
    assert_eq!(
        (report.format, report.indicators, report.duplicates),
        (ListFormat::Lines, 6, 1)
    );
    assert_eq!(report.unused.get(&Refusal::FileHash), Some(&1));
    assert_eq!((report.faults, report.first_faults.len()), (2, 2));
    assert!(
        report.first_faults[0]
            .to_string()
            .starts_with("line 11: \"co.uk\": a public suffix"),
        "{report:?}"
    );
    assert!(intel.lists_address(v4([192, 0, 2, 7]), 1, 0) && !intel.lists_address(v4([192, 0, 2, 8]), 1, 0));
    assert_eq!(
        labels(&intel.matches_of_address(v4([198, 51, 100, 9]), 443, 0)),
        [("198.51.100.0/24", "-", 5)]
    );
    let inside = Address::from("2001:db8:7::9".parse::<std::net::IpAddr>().unwrap());
    assert_eq!(
        labels(&intel.matches_of_address(inside, 443, 0)),
        [("2001:db8:7::/48", "-", 8)]
    );
    assert_eq!(
        intel.listed_domain("a.b.evil.example", Some(1), 0),
        Some("evil.example")
    );
    assert_eq!(intel.listed_domain("notevil.example", Some(1), 0), None);
    assert_eq!(intel.listed_domain("bad.example", Some(443), 0), None);
    assert_eq!(
        intel.listed_domain("www.bad.example", Some(8080), 0),
        Some("bad.example")
    );
    assert_eq!(intel.listed_domain("bad.example", None, 0), Some("bad.example"));
    let hello = ja4("t13d1516h2_8daaf6152771_e5627efa2ab1").unwrap();
    assert!(intel.lists_ja4(&hello, 0) && !intel.matches_of_ja4(&hello, 0).is_empty());
}

#[test]
fn the_public_blocklists_form_of_csv() {
    let (intel, report) = read(
        "################\n# Blocklist of somebody\n# Updated: 2026-11-01 07:00:00 UTC, every 5 minutes\n#\n\
         # first_seen_utc,dst_ip,dst_port,c2_status,last_online,malware\n\
         \"2021-01-17 07:30:05\",\"192.0.2.104\",\"443\",\"offline\",\"2026-11-01\",\"Dridex\"\n\
         \"2021-01-17 07:44:46\",\"192.0.2.14\",\"447\",\"online\",\"2026-11-01\",\"TrickBot\"\n# END 2 entries\n",
    );
    assert_eq!(
        (report.format, report.indicators, report.faults),
        (ListFormat::Csv, 2, 0)
    );
    assert_eq!(
        labels(&intel.matches_of_address(v4([192, 0, 2, 14]), 447, 0)),
        [("192.0.2.14:447", "TrickBot", 7)]
    );
    assert!(!intel.lists_address(v4([192, 0, 2, 14]), 443, 0));
}

#[test]
fn csv_by_the_names_of_its_columns() {
    let (intel, report) = read(
        "Indicator;Type;Label;Valid Until\nevil.example;domain;\"C2; \"\"old\"\"\";1970-01-02\n\
         192.0.2.1|8443;ip-dst|port;x;\nabc;md5;;\n;domain;;\nworse.example;domain;;never\n",
    );
    assert_eq!(
        (report.format, report.indicators, report.faults),
        (ListFormat::Csv, 2, 2)
    );
    assert_eq!(report.unused.get(&Refusal::OtherKind), Some(&1));
    assert_eq!(
        labels(&intel.matches_of_domain("evil.example", None, 86_399 * S)),
        [("evil.example", "C2; \"old\"", 2)]
    );
    assert!(
        intel.matches_of_domain("evil.example", None, 86_400 * S).is_empty(),
        "it holds until then"
    );
    assert!(intel.lists_address(v4([192, 0, 2, 1]), 8443, 0));
    let (_, spaced) =
        read("# \"first_seen_utc\", \"ioc_value\", \"ioc_type\"\n\"2026\", \"192.0.2.9:443\", \"ip:port\"\n");
    assert_eq!(spaced.indicators, 1);
    let (_, one) = read("domain\nevil.example\n");
    assert_eq!((one.format, one.indicators), (ListFormat::Csv, 1));
}

#[test]
fn a_hosts_file_names_domains_only() {
    let (intel, report) = read(
        "127.0.0.1 localhost\n::1 ip6-localhost ip6-loopback\n0.0.0.0 evil.example www.worse.example # both\n0.0.0.0 0.0.0.0\n",
    );
    assert_eq!(
        (report.format, report.indicators, report.faults),
        (ListFormat::Hosts, 2, 0)
    );
    assert!(intel.listed_domain("evil.example", None, 0).is_some() && !intel.has_addresses());
}

#[test]
fn misp_events_and_what_they_mark_for_detection() {
    let event = r#"{"response":[{"Event":{"info":"OSINT report","Attribute":[
        {"type":"ip-dst","value":"192.0.2.5","to_ids":true,"comment":"gate"},
        {"type":"ip-dst|port","value":"192.0.2.6|8443","to_ids":true,"comment":""},
        {"type":"domain","value":"seen.example","to_ids":false},
        {"type":"domain","value":"gone.example","to_ids":true,"deleted":true},
        {"type":"sha256","value":"x","to_ids":true},
        {"type":"ip-dst","value":"nonsense","to_ids":true}],
      "Object":[{"name":"url","Attribute":[
        {"type":"domain|ip","value":"evil.example|192.0.2.8","to_ids":"1"},
        {"type":"ja4-fingerprint","value":"t13d1516h2_8daaf6152771_e5627efa2ab1","to_ids":true}]}]}}]}"#;
    let (intel, report) = read(event);
    assert_eq!(
        (report.format, report.indicators, report.faults),
        (ListFormat::Misp, 5, 1)
    );
    assert_eq!(
        report.unused,
        [(Refusal::OtherKind, 1), (Refusal::NotForDetection, 2)].into()
    );
    assert_eq!(
        labels(&intel.matches_of_address(v4([192, 0, 2, 5]), 1, 0)),
        [("192.0.2.5", "gate", 1)]
    );
    assert_eq!(
        labels(&intel.matches_of_address(v4([192, 0, 2, 6]), 8443, 0)),
        [("192.0.2.6:8443", "OSINT report", 2)]
    );
    assert!(intel.has_ja4() && intel.listed_domain("evil.example", None, 0).is_some());
}

#[test]
fn stix_patterns_that_are_alternatives() {
    let bundle = r#"{"type":"bundle","id":"bundle--1","objects":[
      {"type":"malware","name":"x"},
      {"type":"indicator","name":"Gate","pattern_type":"stix","valid_until":"1970-01-02T00:00:00Z",
       "pattern":"[ipv4-addr:value = '192.0.2.5' OR ipv4-addr:value ISSUBSET '198.51.100.0/24'] OR [domain-name:value IN ('evil.example','worse.example')]"},
      {"type":"indicator","pattern_type":"stix","pattern":"[url:value = 'http://bad.example/it\\'s|x' OR file:name = 'a']"},
      {"type":"indicator","pattern_type":"stix","pattern":"[ipv4-addr:value = '192.0.2.9' AND domain-name:value = 'both.example']"},
      {"type":"indicator","pattern_type":"yara","pattern":"rule x {}"},
      {"type":"indicator","revoked":true,"pattern_type":"stix","pattern":"[domain-name:value = 'gone.example']"},
      {"type":"indicator","indicator_types":["benign"],"pattern_type":"stix","pattern":"[domain-name:value = 'good.example']"},
      {"type":"indicator","pattern_type":"stix","pattern":"[ipv4-addr:value = '192.0.2.1"}]}"#;
    let (intel, report) = read(bundle);
    assert_eq!(
        (report.format, report.indicators, report.faults),
        (ListFormat::Stix, 5, 2)
    );
    assert_eq!(
        report.unused,
        [(Refusal::OtherKind, 2), (Refusal::NotForDetection, 2)].into()
    );
    assert_eq!(report.first_faults[0].why, Refusal::Pattern);
    assert_eq!(
        labels(&intel.matches_of_domain("worse.example", None, 0)),
        [("worse.example", "Gate", 2)]
    );
    assert!(!intel.lists_address(v4([198, 51, 100, 1]), 1, 86_400 * S));
    assert!(intel.listed_domain("bad.example", None, 86_400 * S).is_some());
}

#[test]
fn a_list_without_anything_is_an_error_that_says_why() {
    for (text, words) in [
        ("", "no indicator"),
        ("# only\n", "no indicator"),
        ("ham and eggs\n", "line 1: \"ham and eggs\""),
        ("{\"type\":\"bundle\",\"objects\":[]}", "no indicator"),
        ("{\"a\":", "begins like JSON and is none"),
        ("{\"a\":1}", "neither a STIX 2 bundle"),
    ] {
        let mut builder = IntelBuilder::default();
        let error = builder.add("x.txt", text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("x.txt: ") && error.contains(words), "{text}: {error}");
        assert!(builder.build().lists().is_empty());
    }
}

#[test]
fn limits_are_counted() {
    let mut builder = IntelBuilder::new(3);
    let report = builder
        .add("a", b"192.0.2.1\n192.0.2.2\n192.0.2.3\n192.0.2.4\n192.0.2.5\n")
        .unwrap();
    assert_eq!((report.indicators, report.unused.get(&Refusal::Limit)), (3, Some(&2)));
    let many: String = (1..=100).map(|port| format!("192.0.2.1:{port}\n")).collect();
    let (intel, report) = read(&many);
    assert_eq!((report.indicators, report.unused.get(&Refusal::Limit)), (64, Some(&36)));
    assert_eq!(intel.matches_of_address(v4([192, 0, 2, 1]), 64, 0).len(), 1);
    let (intel, _) = read(&format!("indicator,label\nevil.example,{}\n", "ü".repeat(500)));
    let found = intel.matches_of_domain("evil.example", None, 0);
    assert_eq!(found[0].label.as_deref().map(str::len), Some(160));
}

#[test]
fn the_same_address_in_two_lists_is_named_by_both() {
    let mut builder = IntelBuilder::default();
    builder.add("one", b"192.0.2.0/24\n").unwrap();
    builder
        .add("two", b"192.0.2.1\nevil.example\nc2.evil.example\n")
        .unwrap();
    let intel = builder.build();
    let found = intel.matches_of_address(v4([192, 0, 2, 1]), 443, 0);
    assert_eq!(
        found.iter().map(|one| one.list.as_str()).collect::<Vec<_>>(),
        ["one", "two"]
    );
    assert_eq!(intel.matches_of_domain("a.c2.evil.example", None, 0).len(), 2);
    assert_eq!(
        intel.listed_domain("a.c2.evil.example", None, 0),
        Some("evil.example"),
        "the widest is one server"
    );
}

fn any_line() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z0-9.\\[\\]:/#;,|\"' -]{0,60}",
        Just("# first_seen,dst_ip,dst_port".to_owned()),
        Just("0.0.0.0 evil.example".to_owned()),
        Just("192.0.2.1".to_owned()),
    ]
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(lines in proptest::collection::vec(any_line(), 0..20)) {
        let text = lines.join("\n");
        let mut builder = IntelBuilder::default();
        if let Ok(report) = builder.add("any", text.as_bytes()) {
            prop_assert!(report.indicators > 0);
            let intel = builder.build();
            prop_assert_eq!(intel.indicators(), report.indicators);
        }
    }

    #[test]
    fn any_pattern_is_read_or_refused(pattern in "[\\[\\](),='a-zA-Z:. \\\\-]{0,80}") {
        let bundle = serde_json::json!({"type": "bundle", "objects": [
            {"type": "indicator", "pattern": pattern},
            {"type": "indicator", "pattern": "[domain-name:value = 'evil.example']"},
        ]});
        let (intel, _) = read(&bundle.to_string());
        prop_assert!(intel.listed_domain("evil.example", None, 0).is_some());
    }

    #[test]
    fn a_network_lists_what_is_in_it_and_nothing_else(bits in 0x0100_0000_u32..0x7f00_0000, prefix in 8_u8..=32, other in any::<u32>()) {
        let written = format!("{}/{prefix}", std::net::Ipv4Addr::from(bits));
        let (intel, _) = read(&written);
        let mask = u32::MAX << (32 - u32::from(prefix));
        for ip in [bits, bits ^ 1, bits ^ (1 << 31), other] {
            prop_assert_eq!(intel.lists_address(v4(ip.to_be_bytes()), 80, 0), ip & mask == bits & mask);
        }
    }
}
