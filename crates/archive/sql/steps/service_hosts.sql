-- Hosts by port and protocol of their servers. Key: all columns. A host may be in it twice: whoever reads it counts distinct hosts.
SELECT s.service_id AS service_id, p.host_id AS host_id
FROM placed_pairs AS p
INNER JOIN services AS s ON s.server_id = p.server_id
WHERE p.place = 1
