-- From version 1 to 2: frames that were not read, by reason. Hours of version 1 have none, which is not known.

ALTER TABLE hour_row ADD COLUMN rejects TEXT;

DROP VIEW sensor_hour;

CREATE VIEW sensor_hour AS
SELECT h.hour_s, strftime('%Y-%m-%d', h.hour_s, 'unixepoch') AS day, s.sensor_id, h.revision,
    h.schema_version, h.partial, h.settled, h.parts, h.first_packet_ns, h.last_packet_ns, h.received, h.wire_bytes,
    h.decoded, h.not_ip, h.rejected, h.decode_panics, h.queue_drops, h.late, h.kernel_drops, h.interface_drops,
    h.gaps, h.evictions, h.clock_steps, h.sampling, h.hosts, h.destinations, h.connections, h.timelines,
    h.servers, h.controlled_hosts, h.peers, h.country_source, h.country_date, h.country_meaning,
    h.intel_source, h.intel_date, h.home_country, h.settings_hash, h.version, h.rejects
FROM hour_row AS h
LEFT JOIN sensor AS s ON s.sensor_no = h.sensor_no;
