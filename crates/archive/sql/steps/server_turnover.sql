-- Every server abroad of either period: 1 new, 2 persistent, 3 gone.
SELECT
    server_id,
    CASE WHEN sum(is_now) > 0 AND sum(is_before) > 0 THEN 2 WHEN sum(is_now) > 0 THEN 1 ELSE 3 END AS kind
FROM (
    SELECT DISTINCT server_id, 1 AS is_now, 0 AS is_before FROM period_servers WHERE place = 1
    UNION ALL
    SELECT DISTINCT server_id, 0 AS is_now, 1 AS is_before FROM before_pairs
) AS both
GROUP BY server_id
