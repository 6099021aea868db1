-- The hours of the period and what each sensor saw of them.
SELECT
    hour_s,
    bucket_s,
    sensor_id,
    partial,
    received,
    queue_drops + coalesce(kernel_drops, 0) + coalesce(interface_drops, 0) AS dropped,
    CASE WHEN kernel_drops IS NULL THEN 1 ELSE 0 END AS of_a_file,
    gaps,
    evictions,
    clock_steps,
    sampling,
    hosts,
    country_source,
    country_date,
    country_meaning
FROM period_hour
