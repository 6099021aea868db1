-- The hosts of the period, each once, with the places of their servers. Key: host_network_id, host_id.
SELECT
    max(host_network_id) AS host_network_id,
    host_id,
    max(CASE WHEN place = 1 THEN 1 ELSE 0 END) AS is_abroad,
    max(CASE WHEN place = 0 THEN 1 ELSE 0 END) AS is_home,
    max(CASE WHEN place = -1 THEN 1 ELSE 0 END) AS is_unlocated
FROM placed_pairs
GROUP BY host_id
