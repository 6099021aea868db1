-- The pairs of the period compared with, each once per hosting country. Key: all columns.
SELECT DISTINCT server_id, host_id, country
FROM before_pair
WHERE place = 1
