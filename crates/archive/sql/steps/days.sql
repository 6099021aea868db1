-- Distinct controlled hosts of every day that has one.
SELECT day_s, count(DISTINCT host_id) AS hosts
FROM day_hosts
GROUP BY day_s
