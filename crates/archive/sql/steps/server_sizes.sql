-- Distinct hosts of every server abroad.
SELECT server_id, count(DISTINCT host_id) AS hosts
FROM server_hosts
GROUP BY server_id
