-- Ports and protocols that control servers abroad are at, by servers. A host of servers at two ports counts once under each.
SELECT
    s.protocol AS protocol,
    s.port AS port,
    s.servers AS servers,
    CASE WHEN t.servers > 0 THEN 1.0 * s.servers / t.servers END AS share_of_servers_abroad,
    h.hosts AS hosts,
    CASE WHEN t.hosts > 0 THEN 1.0 * h.hosts / t.hosts END AS share_of_hosts_abroad
FROM (
    SELECT v.service_id AS service_id, v.protocol AS protocol, v.port AS port, count(DISTINCT p.server_id) AS servers
    FROM (SELECT DISTINCT server_id FROM period_servers WHERE place = 1) AS p
    INNER JOIN services AS v ON v.server_id = p.server_id
    GROUP BY v.service_id, v.protocol, v.port
) AS s
INNER JOIN (
    SELECT service_id, count(DISTINCT host_id) AS hosts
    FROM service_hosts
    GROUP BY service_id
) AS h ON h.service_id = s.service_id
CROSS JOIN (
    SELECT
        (SELECT count(DISTINCT server_id) FROM period_servers WHERE place = 1) AS servers,
        (SELECT max(hosts) FROM place_hosts WHERE place = 1) AS hosts
) AS t
ORDER BY s.servers DESC, h.hosts DESC, s.protocol, s.port
