-- The pairs of the period compared with, each once. Key: all columns.
SELECT DISTINCT server_id, host_id
FROM before_pair
WHERE place = 1
