-- The pairs of the period, each once per hosting country. Key: host_id, country, server_id.
SELECT
    host_id,
    country,
    server_id,
    max(class) AS class,
    max(host_network_id) AS host_network_id
FROM period_pair
GROUP BY host_id, country, server_id
