-- Control servers by hosting country and the hosts they control, with both rankings. A host controlled from two countries
-- counts once under each.
SELECT
    country,
    rank() OVER (ORDER BY servers DESC) AS rank_by_servers,
    servers,
    rank() OVER (ORDER BY hosts DESC) AS rank_by_hosts,
    hosts
FROM (
    SELECT country, count(DISTINCT server_id) AS servers, count(DISTINCT host_id) AS hosts
    FROM period_pair
    GROUP BY country
) AS counted
ORDER BY rank_by_servers, rank_by_hosts, country
