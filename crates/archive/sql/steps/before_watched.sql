-- The hours of the period compared with.
SELECT hour_s, partial
FROM before_hour
