-- Servers abroad and their hosts by hour, day or month: distinct in each, so they do not add up to the period's. What was not watched
-- is not known, which is not zero; a change is from the row before, where both are known.
SELECT
    bucket_s,
    hours_expected,
    hours_watched,
    servers,
    CASE WHEN before_servers > 0 THEN 1.0 * (servers - before_servers) / before_servers END AS change_of_servers,
    hosts,
    CASE WHEN before_hosts > 0 THEN 1.0 * (hosts - before_hosts) / before_hosts END AS change_of_hosts
FROM (
    SELECT
        bucket_s,
        hours_expected,
        hours_watched,
        servers,
        lag(servers) OVER (ORDER BY bucket_s) AS before_servers,
        hosts,
        lag(hosts) OVER (ORDER BY bucket_s) AS before_hosts
    FROM (
        SELECT
            b.bucket_s AS bucket_s,
            b.hours_expected AS hours_expected,
            coalesce(w.hours, 0) AS hours_watched,
            CASE WHEN w.hours > 0 THEN coalesce(s.servers, 0) END AS servers,
            CASE WHEN w.hours > 0 THEN coalesce(h.hosts, 0) END AS hosts
        FROM period_bucket AS b
        LEFT JOIN (
            SELECT bucket_s, count(DISTINCT hour_s) AS hours FROM watched GROUP BY bucket_s
        ) AS w ON w.bucket_s = b.bucket_s
        LEFT JOIN (
            SELECT bucket_s, count(DISTINCT server_id) AS servers FROM bucket_servers GROUP BY bucket_s
        ) AS s ON s.bucket_s = b.bucket_s
        LEFT JOIN (
            SELECT bucket_s, count(DISTINCT host_id) AS hosts FROM bucket_hosts GROUP BY bucket_s
        ) AS h ON h.bucket_s = b.bucket_s
    ) AS known
) AS compared
ORDER BY bucket_s
