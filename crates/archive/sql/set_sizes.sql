-- How many hosts one server abroad controls: servers by the size of their set, in the period. The last size is open.
SELECT
    z.least AS hosts_from,
    z.most AS hosts_to,
    count(CASE WHEN s.hosts >= z.least AND s.hosts <= coalesce(z.most, s.hosts) THEN 1 END) AS servers,
    CASE WHEN t.servers > 0
        THEN 1.0 * count(CASE WHEN s.hosts >= z.least AND s.hosts <= coalesce(z.most, s.hosts) THEN 1 END) / t.servers
    END AS share_of_servers_abroad,
    max(CASE WHEN s.hosts >= z.least AND s.hosts <= coalesce(z.most, s.hosts) THEN s.hosts END) AS largest_set
FROM set_size AS z
CROSS JOIN (SELECT hosts FROM server_sizes UNION ALL SELECT 0 AS hosts) AS s
CROSS JOIN (SELECT count(*) AS servers FROM server_sizes) AS t
GROUP BY z.least, z.most, t.servers
ORDER BY z.least
