-- Distinct hosts of all servers (-2), of those abroad (1), at home (0), and of those in no known country (-1).
SELECT -2 AS place, count(DISTINCT host_id) AS hosts, count(DISTINCT host_network_id) AS host_networks
FROM period_pairs
UNION ALL
SELECT 1 AS place, count(DISTINCT host_id) AS hosts, count(DISTINCT host_network_id) AS host_networks
FROM period_pairs WHERE place = 1
UNION ALL
SELECT 0 AS place, count(DISTINCT host_id) AS hosts, count(DISTINCT host_network_id) AS host_networks
FROM period_pairs WHERE place = 0
UNION ALL
SELECT -1 AS place, count(DISTINCT host_id) AS hosts, count(DISTINCT host_network_id) AS host_networks
FROM period_pairs WHERE place = -1
