-- The same by place: all servers (-2), those abroad (1), at home (0), in no known country (-1).
SELECT -2 AS place, hosts_all AS hosts, networks_all AS host_networks FROM networks
UNION ALL
SELECT 1 AS place, hosts_abroad AS hosts, networks_abroad AS host_networks FROM networks
UNION ALL
SELECT 0 AS place, hosts_home AS hosts, networks_home AS host_networks FROM networks
UNION ALL
SELECT -1 AS place, hosts_unlocated AS hosts, networks_unlocated AS host_networks FROM networks
