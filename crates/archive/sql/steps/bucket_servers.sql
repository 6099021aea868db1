-- Servers by hour, day or month, as asked.
SELECT DISTINCT bucket_s, server_id
FROM period_pair
WHERE place = 1
