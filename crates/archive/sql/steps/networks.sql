-- Distinct hosts, and networks of hosts, of all servers, of those abroad, at home, and in no known country: one row.
SELECT
    coalesce(sum(n.anywhere), 0) AS hosts_all,
    count(*) AS networks_all,
    coalesce(sum(n.abroad), 0) AS hosts_abroad,
    count(CASE WHEN n.abroad > 0 THEN 1 END) AS networks_abroad,
    coalesce(sum(n.at_home), 0) AS hosts_home,
    count(CASE WHEN n.at_home > 0 THEN 1 END) AS networks_home,
    coalesce(sum(n.unlocated), 0) AS hosts_unlocated,
    count(CASE WHEN n.unlocated > 0 THEN 1 END) AS networks_unlocated
FROM (
    SELECT
        host_network_id,
        count(*) AS anywhere,
        sum(is_abroad) AS abroad,
        sum(is_home) AS at_home,
        sum(is_unlocated) AS unlocated
    FROM hosts
    GROUP BY host_network_id
) AS n
