-- Distinct control servers and controlled hosts of the period. "Abroad" is any known country but the home country; 0 where none is set.
SELECT
    count(DISTINCT p.server_id) AS servers,
    count(DISTINCT p.host_id) AS hosts,
    count(DISTINCT p.host_network_id) AS host_networks,
    count(DISTINCT CASE WHEN p.class = 3 THEN p.server_id END) AS servers_confirmed,
    count(DISTINCT CASE WHEN p.class >= 2 THEN p.server_id END) AS servers_probable_or_more,
    count(DISTINCT CASE WHEN q.home_country <> '' AND p.country NOT IN ('--', q.home_country) THEN p.server_id END)
        AS servers_abroad,
    count(DISTINCT CASE WHEN q.home_country <> '' AND p.country NOT IN ('--', q.home_country) THEN p.host_id END)
        AS hosts_abroad
FROM period_pair AS p
CROSS JOIN question AS q
