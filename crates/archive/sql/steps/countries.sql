-- Distinct servers and hosts of every hosting country abroad.
SELECT s.country AS country, s.servers AS servers, h.hosts AS hosts
FROM (
    SELECT country, count(DISTINCT server_id) AS servers
    FROM period_servers
    WHERE place = 1
    GROUP BY country
) AS s
INNER JOIN (
    SELECT country, count(DISTINCT host_id) AS hosts
    FROM country_hosts
    GROUP BY country
) AS h ON h.country = s.country
