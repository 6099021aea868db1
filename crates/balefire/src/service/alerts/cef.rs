//! An alert in the Common Event Format, for collectors that take syslog messages in no other.
//!
//! In: an [`Event`]. Out: one line: `CEF:0|balefire|balefire|VERSION|KIND|NAME|SEVERITY|` and `key=value` pairs with ArcSight's keys (guide of
//! 2010, revision 16), what has none under custom ones with labels. In the head `|` and `\` are escaped, in values `=` and `\`. Not its
//! job: the message around it (`outputs`).

use super::event::Event;

impl Event {
    /// See the head of this file.
    pub(super) fn cef(&self) -> String {
        let details = &self.balefire;
        let name = match details.kind {
            "class_change" => "Class of a control server changed",
            _ => "Host is controlled from outside",
        };
        let head = [
            "balefire",
            "balefire",
            env!("CARGO_PKG_VERSION"),
            details.kind,
            name,
            self.cef_severity(),
        ];
        let mut line = "CEF:0".to_owned();
        for field in head {
            line.push('|');
            line.push_str(&field.replace('\\', "\\\\").replace('|', "\\|"));
        }
        line.push('|');
        let pairs = self.cef_pairs();
        let pairs: Vec<String> = pairs
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| format!("{key}={}", value.replace('\\', "\\\\").replace('=', "\\=")))
            .collect();
        line + &pairs.join(" ")
    }

    fn cef_pairs(&self) -> Vec<(&'static str, String)> {
        let details = &self.balefire;
        let number = |number: Option<u16>| number.map(|number| number.to_string()).unwrap_or_default();
        let evidence = details.evidence.as_ref();
        let is_v6 = |address: &str| address.contains(':');
        // IPv6 addresses have keys of their own.
        let (src, src_v6) = apart(self.src_ip.clone().unwrap_or_default(), is_v6);
        let (dst, dst_v6) = apart(self.dest_ip.clone(), is_v6);
        let score = details.score.map_or_else(String::new, |score| format!("{score:.4}"));
        vec![
            ("rt", self.time_ms.to_string()),
            ("dvchost", details.sensor.clone()),
            ("src", src),
            ("spt", number(self.src_port)),
            ("dst", dst),
            ("dpt", number(Some(self.dest_port).filter(|port| *port > 0))),
            ("proto", self.proto.clone()),
            ("dhost", details.names.first().cloned().unwrap_or_default()),
            ("cat", details.class.to_owned()),
            ("externalId", self.community_id.clone().unwrap_or_default()),
            ("cnt", details.check_ins.to_string()),
            ("reason", evidence.map(|sign| sign.why.join("; ")).unwrap_or_default()),
            ("cfp1Label", labelled("score", &score)),
            ("cfp1", score),
            ("cs1Label", "hostingCountry".to_owned()),
            ("cs1", details.hosting_country.clone()),
            ("cs2Label", "evidence".to_owned()),
            ("cs2", evidence.map_or("none", |sign| sign.kind).to_owned()),
            ("cs3Label", "standing".to_owned()),
            ("cs3", details.standing.to_owned()),
            ("c6a2Label", labelled("Source IPv6 Address", &src_v6)),
            ("c6a2", src_v6),
            ("c6a3Label", labelled("Destination IPv6 Address", &dst_v6)),
            ("c6a3", dst_v6),
        ]
    }

    /// 0 to 10.
    const fn cef_severity(&self) -> &'static str {
        match self.severity() {
            2 => "9",
            4 => "7",
            _ => "5",
        }
    }
}

fn apart(address: String, is_v6: impl Fn(&str) -> bool) -> (String, String) {
    if is_v6(&address) {
        (String::new(), address)
    } else {
        (address, String::new())
    }
}

fn labelled(label: &str, value: &str) -> String {
    if value.is_empty() {
        String::new()
    } else {
        label.to_owned()
    }
}
