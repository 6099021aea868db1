-- Servers abroad against the period compared with: new (only in this one), gone (only in that one), persistent (in both), and the distinct
-- hosts they control in this period, and controlled in that one.
SELECT
    k.label AS servers_are,
    coalesce(n.servers, 0) AS servers,
    CASE WHEN k.ordinal = 3 THEN 0 ELSE coalesce(now.hosts, 0) END AS hosts,
    CASE WHEN k.ordinal = 1 THEN 0 ELSE coalesce(b.hosts, 0) END AS hosts_before
FROM turnover_kind AS k
LEFT JOIN (
    SELECT kind, count(DISTINCT server_id) AS servers FROM server_turnover GROUP BY kind
) AS n ON n.kind = k.ordinal
LEFT JOIN (
    SELECT t.kind AS kind, count(DISTINCT h.host_id) AS hosts
    FROM server_turnover AS t
    INNER JOIN server_hosts AS h ON h.server_id = t.server_id
    GROUP BY t.kind
) AS now ON now.kind = k.ordinal
LEFT JOIN (
    SELECT t.kind AS kind, count(DISTINCT h.host_id) AS hosts
    FROM server_turnover AS t
    INNER JOIN before_pairs AS h ON h.server_id = t.server_id
    GROUP BY t.kind
) AS b ON b.kind = k.ordinal
ORDER BY k.ordinal
