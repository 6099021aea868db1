-- Hosts by server. Key: all columns. A pair may be in it twice: whoever reads it counts distinct hosts.
SELECT server_id, host_id
FROM placed_pairs
WHERE place = 1
