-- Hosting countries of control servers abroad, ranked by the hosts they control. A host controlled from two countries counts once under each, so the
-- shares of hosts may add up to more than one; a server has one address, so those of servers add up.
SELECT
    rank() OVER (ORDER BY c.hosts DESC) AS rank,
    c.country AS country,
    c.servers AS servers,
    CASE WHEN s.servers > 0 THEN 1.0 * c.servers / s.servers END AS share_of_servers_abroad,
    c.hosts AS hosts,
    CASE WHEN h.hosts > 0 THEN 1.0 * c.hosts / h.hosts END AS share_of_hosts_abroad
FROM countries AS c
CROSS JOIN (SELECT count(DISTINCT server_id) AS servers FROM period_servers WHERE place = 1) AS s
CROSS JOIN (SELECT hosts FROM place_hosts WHERE place = 1) AS h
ORDER BY c.hosts DESC, c.servers DESC, c.country
