-- Port and protocol of every control server, in the period or not; service_id is equal where both are.
SELECT server_id, min(server_id) OVER (PARTITION BY port, protocol) AS service_id, port, protocol
FROM service
