-- What was watched of the period compared with.
SELECT
    q.hours_expected_before AS hours_expected,
    count(h.hour_s) AS hours_watched,
    count(CASE WHEN h.is_partial = 1 THEN 1 END) AS hours_partial,
    q.hours_expected_before - count(h.hour_s) AS hours_missing
FROM question AS q
LEFT JOIN (
    SELECT hour_s, min(partial) AS is_partial, 1 AS one FROM before_watched GROUP BY hour_s
) AS h ON h.one = q.one
GROUP BY q.hours_expected_before
