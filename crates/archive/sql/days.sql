-- Controlled hosts (of servers abroad) three ways, side by side: an address is not a machine, and in a long period one machine may have
-- many. The mean is over days that were watched at all; a day without a controlled host counts as 0.
SELECT
    h.hosts AS hosts_in_the_period,
    d.hosts_on_highest_day AS hosts_on_highest_day,
    d.highest_day_s AS highest_day_s,
    CASE WHEN w.days_watched > 0 THEN 1.0 * d.host_days / w.days_watched END AS hosts_on_mean_day,
    w.days_watched AS days_watched
FROM (SELECT count(DISTINCT host_id) AS hosts FROM bucket_hosts) AS h
CROSS JOIN (
    SELECT
        max(hosts) AS hosts_on_highest_day,
        min(CASE WHEN hosts = highest THEN day_s END) AS highest_day_s,
        coalesce(sum(hosts), 0) AS host_days
    FROM (SELECT day_s, hosts FROM days) AS every_day
    CROSS JOIN (SELECT max(hosts) AS highest FROM days) AS top
) AS d
CROSS JOIN (SELECT count(DISTINCT hour_s - hour_s % 86400) AS days_watched FROM watched) AS w
