-- Hosts by hour, day or month, as asked. Key: all columns. A host may be in it twice: whoever reads it counts distinct hosts.
SELECT bucket_s, host_id
FROM period_pair
WHERE place = 1
