-- The databases that the hosting countries are from, with the sensor hours they decided. An edition that changed within the period may
-- have moved a server from one country to another.
SELECT country_source, country_date, country_meaning, count(*) AS sensor_hours
FROM watched
GROUP BY country_source, country_date, country_meaning
ORDER BY sensor_hours DESC, country_source, country_date, country_meaning
