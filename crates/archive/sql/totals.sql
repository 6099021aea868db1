-- Distinct control servers and controlled hosts of the period, by place: abroad, in the home country, in a country that is not known. A host
-- controlled from two places counts once under each, and once in the total. Without a home country, "abroad" is any known country.
SELECT
    p.label AS place,
    s.servers AS servers,
    CASE WHEN t.servers > 0 THEN 1.0 * s.servers / t.servers END AS share_of_all_servers,
    h.hosts AS hosts,
    CASE WHEN t.hosts > 0 THEN 1.0 * h.hosts / t.hosts END AS share_of_all_hosts,
    h.host_networks AS host_networks,
    s.servers_probable_or_more AS servers_probable_or_more,
    s.servers_confirmed AS servers_confirmed
FROM place AS p
INNER JOIN (
    SELECT
        -2 AS place,
        count(DISTINCT server_id) AS servers,
        count(DISTINCT CASE WHEN class >= 2 THEN server_id END) AS servers_probable_or_more,
        count(DISTINCT CASE WHEN class >= 3 THEN server_id END) AS servers_confirmed
    FROM period_servers
    UNION ALL
    SELECT
        p.place AS place,
        count(DISTINCT s.server_id) AS servers,
        count(DISTINCT CASE WHEN s.class >= 2 THEN s.server_id END) AS servers_probable_or_more,
        count(DISTINCT CASE WHEN s.class >= 3 THEN s.server_id END) AS servers_confirmed
    FROM place AS p
    LEFT JOIN period_servers AS s ON s.place = p.place
    WHERE p.place > -2
    GROUP BY p.place
) AS s ON s.place = p.place
INNER JOIN place_hosts AS h ON h.place = p.place
CROSS JOIN (
    SELECT
        (SELECT count(DISTINCT server_id) FROM period_servers) AS servers,
        (SELECT max(hosts) FROM place_hosts WHERE place = -2) AS hosts
) AS t
ORDER BY p.ordinal
