-- What was watched: hours of the period, by any of the sensors; whole ones if one sensor watched all of it. A missing hour is one that no
-- sensor has a record of. Frames that a file lost before it was written nobody could count.
SELECT
    q.hours_expected AS hours_expected,
    w.hours_watched AS hours_watched,
    w.hours_partial AS hours_partial,
    q.hours_expected - w.hours_watched AS hours_missing,
    s.sensors AS sensors,
    s.sensors * q.hours_expected AS sensor_hours_expected,
    s.sensor_hours_watched AS sensor_hours_watched,
    s.sensor_hours_of_files AS sensor_hours_of_files,
    s.received AS received,
    s.dropped AS dropped,
    s.gaps AS gaps,
    s.evictions AS evictions,
    s.clock_steps AS clock_steps,
    s.least_sampling AS least_sampling,
    s.most_hosts AS most_hosts
FROM question AS q
CROSS JOIN (
    SELECT
        count(*) AS hours_watched,
        coalesce(sum(is_partial), 0) AS hours_partial
    FROM (SELECT hour_s, min(partial) AS is_partial FROM watched GROUP BY hour_s) AS hours
) AS w
CROSS JOIN (
    SELECT
        count(DISTINCT sensor_id) AS sensors,
        count(*) AS sensor_hours_watched,
        coalesce(sum(of_a_file), 0) AS sensor_hours_of_files,
        coalesce(sum(received), 0) AS received,
        coalesce(sum(dropped), 0) AS dropped,
        sum(gaps) AS gaps,
        sum(evictions) AS evictions,
        sum(clock_steps) AS clock_steps,
        min(sampling) AS least_sampling,
        coalesce(max(hosts), 0) AS most_hosts
    FROM watched
) AS s
