//! Generated offices with and without beacons, and what the detector says of them: where weights and thresholds are measured.
//!
//! In: a seed. Out: every timeline with its parts, and the summary. Not its job: tables of them.

use std::sync::Arc;

use balefire_capture::synthetic::{Answer, Beacon, JitterLaw, Planted, Scenario, Service, Speech, SyntheticSource};
use balefire_capture::{Block, CaptureError, Fill, Source};
use balefire_detect::{
    Accounting, Countries, Detector, Evidence, Period, PeriodKind, Settings, Shared, Summary, TimelineRow,
};

use crate::stages::Worker;

const HOUR_S: u64 = 3_600;

/// One office, watched.
#[derive(Debug)]
pub struct Watched {
    /// Every timeline, and all that is said of it.
    pub timelines: Vec<(TimelineRow, Evidence)>,
    /// As it would be reported.
    pub summary: Summary,
    /// What was planted.
    pub planted: Vec<Planted>,
    /// Frames.
    pub packets: u64,
}

impl Watched {
    /// Whether a timeline is of a planted beacon: of its host to one of its addresses or its name.
    pub fn is_planted(&self, row: &TimelineRow) -> bool {
        self.planted.iter().any(|planted| {
            let name = planted.name.as_deref().zip(row.name.as_deref());
            planted.host == row.host
                && (planted.servers.contains(&row.server)
                    || name.is_some_and(|(planted, seen)| planted.ends_with(seen) || seen.ends_with(planted)))
        })
    }
}

/// Generates an office and watches it from the first packet to the last.
///
/// # Errors
/// None that the generator has.
pub fn watch(scenario: &Scenario) -> Result<Watched, CaptureError> {
    let settings = Arc::new(Settings {
        hash_seed: 7,
        ..Settings::default()
    });
    let shared = Arc::new(Shared::new(Countries::embedded(), &settings));
    let mut detector = Detector::new(settings.clone(), shared.clone(), 0);
    let (mut worker, mut source, mut block) = (Worker::default(), SyntheticSource::new(scenario), Block::new());
    loop {
        block.bytes.clear();
        block.frames.clear();
        let fill = source.fill(&mut block)?;
        worker.block(&block, &mut detector);
        if fill == Fill::End {
            break;
        }
    }
    worker.flush(&mut detector);
    let part = detector.finish_with_timelines();
    let period = Period {
        kind: PeriodKind::Run,
        start_ns: scenario.start_ns,
        end_ns: scenario.start_ns + scenario.duration_s as i64 * 1_000_000_000,
        partial: false,
    };
    Ok(Watched {
        timelines: part.explained(&settings, &shared),
        summary: part.conclude(&settings, &shared, period, Accounting::default()),
        planted: scenario.planted(),
        packets: source.counters().frames,
    })
}

/// An office without beacons: `hosts` people at work for a day. With `agents` they also run programs that ask their makers'
/// servers by names that no list knows.
pub fn innocent(seed: u64, hosts: u32, agents: bool) -> Scenario {
    let mut services = Service::ALL.to_vec();
    services.extend(agents.then_some(Service::Agents));
    Scenario {
        seed,
        hosts,
        duration_s: 24 * HOUR_S,
        office: (7, 19),
        browsing: 2.0,
        sites: 600,
        response_bytes: 3_000,
        services,
        ..Scenario::default()
    }
}

/// An office of twelve, eight of them controlled: every beacon another interval, jitter, speech and fate, drawn from the seed.
pub fn infected(seed: u64) -> Scenario {
    let mut scenario = Scenario {
        hosts: 12,
        duration_s: 8 * HOUR_S,
        browsing: 1.0,
        ..innocent(seed, 12, true)
    };
    scenario.beacons = (0..8).map(|number| beacon(seed, number)).collect();
    scenario
}

/// One beacon. Intervals from half a minute to half an hour, jitter up to 80 %; one in five has few check-ins, one in five a
/// dead server, one in five keeps its connection open, some have a name, many ports or neighbours.
fn beacon(seed: u64, number: u32) -> Beacon {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (u64::from(number) << 32);
    let mut unit = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1_u32 << 31)
    };
    let interval_s = 30.0 * 60.0_f64.powf(unit());
    let speech = match unit() {
        ..0.4 => Speech::Tls,
        ..0.6 => Speech::Http,
        ..0.8 => Speech::Tcp,
        ..0.9 => Speech::Udp,
        ..0.95 => Speech::Icmp,
        _ => Speech::Dns,
    };
    let few = unit() < 0.2;
    let fate = unit();
    let stream = matches!(speech, Speech::Tls | Speech::Tcp);
    let usual = match speech {
        Speech::Tls => 443,
        Speech::Http => 80,
        Speech::Dns => 53,
        Speech::Tcp | Speech::Udp => 4_444,
        Speech::Icmp => 0,
    };
    // 8 to 15 check-ins: it begins so long before the end.
    let left_s = interval_s * (8.0 + 7.0 * unit());
    Beacon {
        interval_s,
        jitter: 0.8 * unit(),
        law: [JitterLaw::Uniform, JitterLaw::OneSided, JitterLaw::Gauss][(unit() * 2.99) as usize],
        drop: if unit() < 0.3 { 0.2 } else { 0.0 },
        begin_s: if few {
            (8.0 * 3_600.0 - left_s).max(0.0) as u64
        } else {
            0
        },
        speech,
        heartbeat: stream && (0.4..0.6).contains(&fate),
        answer: match fate {
            ..0.1 if stream => Answer::Refused,
            ..0.2 if stream => Answer::Silent,
            _ => Answer::Alive,
        },
        country: Some([*b"NL", *b"US", *b"DE", *b"FR"][(unit() * 3.99) as usize]),
        servers: if unit() < 0.1 { 16 } else { 1 },
        ports: if speech == Speech::Tcp && unit() < 0.3 { 6 } else { 1 },
        port: if speech == Speech::Tls && unit() < 0.3 {
            8_443 + number as u16
        } else {
            usual
        },
        name: (unit() < 0.35 || speech == Speech::Dns).then(|| format!("cdn{number}.beacon{seed}.example")),
        request_bytes: if speech == Speech::Dns {
            6
        } else {
            (40.0 + 400.0 * unit()) as u32
        },
        response_bytes: (40.0 + 300.0 * unit()) as u32,
        hosts: 1,
        first_host: number,
        ..Beacon::default()
    }
}
