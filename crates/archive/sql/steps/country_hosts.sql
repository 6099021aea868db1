-- Hosts by hosting country of their servers. Key: all columns. A host may be in it twice: whoever reads it counts distinct hosts.
SELECT country, host_id
FROM placed_pairs
WHERE place = 1
