-- Port and protocol of every control server, in the period or not.
SELECT server_id, port, protocol
FROM service
