-- What was watched of the period. An hour counts as whole if one sensor watched all of it. Lost frames that nobody could count
-- (of files) are not among them.
SELECT
    max(hours_expected) AS hours_expected,
    count(hour_s) AS hours_watched,
    count(CASE WHEN is_partial = 1 THEN 1 END) AS hours_partial,
    sum(received) AS received,
    sum(dropped) AS dropped
FROM (
    SELECT
        h.hour_s AS hour_s,
        max(q.hours_expected) AS hours_expected,
        min(h.partial) AS is_partial,
        sum(h.received) AS received,
        sum(h.queue_drops + coalesce(h.kernel_drops, 0) + coalesce(h.interface_drops, 0)) AS dropped
    FROM period_hour AS h
    CROSS JOIN question AS q
    GROUP BY h.hour_s
) AS hours
