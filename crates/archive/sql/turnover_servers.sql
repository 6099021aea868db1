-- The servers abroad that are new and those that are gone, the first 20 of each by the hosts they control in the period they are of.
SELECT
    k.label AS servers_are,
    s.server AS server,
    s.country AS country,
    s.hosts AS hosts,
    s.servers_in_all AS servers_in_all
FROM turnover_kind AS k
INNER JOIN (
    SELECT
        kind,
        server,
        country,
        hosts,
        row_number() OVER (PARTITION BY kind ORDER BY hosts DESC, server) AS nth,
        count(*) OVER (PARTITION BY kind) AS servers_in_all
    FROM turnover_named
) AS s ON s.kind = k.ordinal
WHERE s.nth <= 20
ORDER BY k.ordinal, s.nth
