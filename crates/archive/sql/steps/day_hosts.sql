-- Hosts by day, UTC. Key: all columns. A host may be in it twice: whoever reads it counts distinct hosts.
SELECT day_s, host_id
FROM period_pair
WHERE place = 1
