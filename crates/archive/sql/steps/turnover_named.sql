-- Servers abroad that are new or gone, by their texts, with a hosting country and the distinct hosts they control in the period they are of.
SELECT t.kind AS kind, v.server AS server, h.country AS country, h.hosts AS hosts
FROM server_turnover AS t
INNER JOIN service AS v ON v.server_id = t.server_id
INNER JOIN (
    SELECT 1 AS kind, server_id, max(country) AS country, count(DISTINCT host_id) AS hosts
    FROM placed_pairs
    WHERE place = 1
    GROUP BY server_id
    UNION ALL
    SELECT 3 AS kind, server_id, max(country) AS country, count(DISTINCT host_id) AS hosts
    FROM before_pairs
    GROUP BY server_id
) AS h ON h.server_id = t.server_id AND h.kind = t.kind
