-- The archive in SQLite, version 1. Columns as in ../schema.md; here are only the reasons for the shape.
--
-- Texts that repeat are numbered: counting 20 million small integers is what a report does. The wide half of a pair, which
-- only its own page needs, lies apart, so that a scan reads little. The views put it together again; SQLite leaves out the joins of
-- columns nobody asks for, because each is a LEFT JOIN on a unique key.

CREATE TABLE sensor (
    sensor_no INTEGER PRIMARY KEY,
    sensor_id TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE network (
    network_id INTEGER PRIMARY KEY,
    network TEXT NOT NULL UNIQUE
) STRICT;

-- network_id is NULL for IPv4, where the network is the address.
CREATE TABLE address (
    address_id INTEGER PRIMARY KEY,
    address TEXT NOT NULL UNIQUE,
    network_id INTEGER REFERENCES network
) STRICT;

CREATE TABLE service (
    server_id INTEGER PRIMARY KEY,
    server TEXT NOT NULL UNIQUE,
    address TEXT NOT NULL,
    port INTEGER NOT NULL,
    protocol TEXT NOT NULL,
    behind_relay INTEGER NOT NULL
) STRICT;

CREATE TABLE hour_row (
    hour_s INTEGER NOT NULL,
    sensor_no INTEGER NOT NULL REFERENCES sensor,
    revision INTEGER NOT NULL,
    -- Over all the hour says, without the revision: what tells a repeated hour from another word on it.
    digest BLOB NOT NULL,
    schema_version INTEGER NOT NULL,
    partial INTEGER NOT NULL,
    settled INTEGER NOT NULL,
    parts INTEGER NOT NULL,
    first_packet_ns INTEGER,
    last_packet_ns INTEGER,
    received INTEGER NOT NULL,
    wire_bytes INTEGER NOT NULL,
    decoded INTEGER NOT NULL,
    not_ip INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    decode_panics INTEGER NOT NULL,
    queue_drops INTEGER NOT NULL,
    late INTEGER NOT NULL,
    kernel_drops INTEGER,
    interface_drops INTEGER,
    gaps INTEGER,
    evictions INTEGER,
    clock_steps INTEGER,
    sampling REAL NOT NULL,
    hosts INTEGER NOT NULL,
    destinations INTEGER NOT NULL,
    connections INTEGER NOT NULL,
    timelines INTEGER NOT NULL,
    servers INTEGER NOT NULL,
    controlled_hosts INTEGER NOT NULL,
    peers INTEGER,
    country_source TEXT NOT NULL,
    country_date TEXT NOT NULL,
    country_meaning TEXT NOT NULL,
    intel_source TEXT,
    intel_date TEXT,
    home_country TEXT,
    settings_hash TEXT NOT NULL,
    version TEXT NOT NULL,
    PRIMARY KEY (hour_s, sensor_no)
) STRICT, WITHOUT ROWID;

CREATE TABLE server_row (
    hour_s INTEGER NOT NULL,
    sensor_no INTEGER NOT NULL,
    server_id INTEGER NOT NULL,
    names TEXT,
    country TEXT NOT NULL,
    asn INTEGER,
    class INTEGER NOT NULL,
    class_at_close INTEGER NOT NULL,
    score REAL NOT NULL,
    kinds TEXT NOT NULL,
    first_ns INTEGER NOT NULL,
    last_ns INTEGER NOT NULL,
    check_ins INTEGER NOT NULL,
    hosts INTEGER NOT NULL,
    PRIMARY KEY (hour_s, sensor_no, server_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE pair_row (
    hour_s INTEGER NOT NULL,
    sensor_no INTEGER NOT NULL,
    server_id INTEGER NOT NULL,
    host_id INTEGER NOT NULL,
    country TEXT NOT NULL,
    class INTEGER NOT NULL,
    PRIMARY KEY (hour_s, sensor_no, server_id, host_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE pair_detail (
    hour_s INTEGER NOT NULL,
    sensor_no INTEGER NOT NULL,
    server_id INTEGER NOT NULL,
    host_id INTEGER NOT NULL,
    class_at_close INTEGER NOT NULL,
    score REAL NOT NULL,
    name TEXT,
    kinds TEXT NOT NULL,
    check_ins INTEGER NOT NULL,
    bytes_out INTEGER,
    bytes_in INTEGER,
    interval_s REAL NOT NULL,
    jitter REAL NOT NULL,
    first_ns INTEGER NOT NULL,
    last_ns INTEGER NOT NULL,
    parts TEXT,
    PRIMARY KEY (hour_s, sensor_no, server_id, host_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE country_row (
    hour_s INTEGER NOT NULL,
    sensor_no INTEGER NOT NULL,
    role TEXT NOT NULL,
    country TEXT NOT NULL,
    servers INTEGER NOT NULL,
    hosts INTEGER NOT NULL,
    connections INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL,
    bytes_in INTEGER NOT NULL,
    packets INTEGER NOT NULL,
    peers INTEGER,
    peers_sketch BLOB,
    PRIMARY KEY (hour_s, sensor_no, role, country)
) STRICT, WITHOUT ROWID;

-- What object storage has; a place is the URL it was pushed to.
CREATE TABLE pushed (
    place TEXT NOT NULL,
    hour_s INTEGER NOT NULL,
    sensor_no INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (place, hour_s, sensor_no, revision)
) STRICT, WITHOUT ROWID;

CREATE VIEW sensor_hour AS
SELECT h.hour_s, strftime('%Y-%m-%d', h.hour_s, 'unixepoch') AS day, s.sensor_id, h.revision,
    h.schema_version, h.partial, h.settled, h.parts, h.first_packet_ns, h.last_packet_ns, h.received, h.wire_bytes,
    h.decoded, h.not_ip, h.rejected, h.decode_panics, h.queue_drops, h.late, h.kernel_drops, h.interface_drops,
    h.gaps, h.evictions, h.clock_steps, h.sampling, h.hosts, h.destinations, h.connections, h.timelines,
    h.servers, h.controlled_hosts, h.peers, h.country_source, h.country_date, h.country_meaning,
    h.intel_source, h.intel_date, h.home_country, h.settings_hash, h.version
FROM hour_row AS h
LEFT JOIN sensor AS s ON s.sensor_no = h.sensor_no;

CREATE VIEW server AS
SELECT r.hour_s, strftime('%Y-%m-%d', r.hour_s, 'unixepoch') AS day, s.sensor_id, h.revision,
    e.server, e.address, e.port, e.protocol, e.behind_relay,
    r.names, r.country, r.asn, r.class, r.class_at_close, r.score, r.kinds, r.first_ns, r.last_ns, r.check_ins, r.hosts,
    r.server_id
FROM server_row AS r
LEFT JOIN sensor AS s ON s.sensor_no = r.sensor_no
LEFT JOIN hour_row AS h ON h.hour_s = r.hour_s AND h.sensor_no = r.sensor_no
LEFT JOIN service AS e ON e.server_id = r.server_id;

CREATE VIEW pair AS
SELECT p.hour_s, strftime('%Y-%m-%d', p.hour_s, 'unixepoch') AS day, s.sensor_id, h.revision,
    a.address AS host, coalesce(n.network, a.address) AS host_network,
    e.server, e.address, e.port, e.protocol, p.country, p.class,
    d.class_at_close, d.score, d.name, d.kinds, d.check_ins, d.bytes_out, d.bytes_in, d.interval_s, d.jitter,
    d.first_ns, d.last_ns, d.parts,
    p.host_id, coalesce(-a.network_id, p.host_id) AS host_network_id, p.server_id
FROM pair_row AS p
LEFT JOIN sensor AS s ON s.sensor_no = p.sensor_no
LEFT JOIN hour_row AS h ON h.hour_s = p.hour_s AND h.sensor_no = p.sensor_no
LEFT JOIN address AS a ON a.address_id = p.host_id
LEFT JOIN network AS n ON n.network_id = a.network_id
LEFT JOIN service AS e ON e.server_id = p.server_id
LEFT JOIN pair_detail AS d
    ON d.hour_s = p.hour_s AND d.sensor_no = p.sensor_no AND d.server_id = p.server_id AND d.host_id = p.host_id;

CREATE VIEW country AS
SELECT c.hour_s, strftime('%Y-%m-%d', c.hour_s, 'unixepoch') AS day, s.sensor_id, h.revision,
    c.role, c.country, c.servers, c.hosts, c.connections, c.bytes_out, c.bytes_in, c.packets, c.peers, c.peers_sketch
FROM country_row AS c
LEFT JOIN sensor AS s ON s.sensor_no = c.sensor_no
LEFT JOIN hour_row AS h ON h.hour_s = c.hour_s AND h.sensor_no = c.sensor_no;

-- A report goes over pairs in order of hosts: it then groups without sorting, and finds all it needs in the index.
CREATE INDEX pair_by_host ON pair_row (host_id, country, server_id, class);
