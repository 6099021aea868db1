-- The servers of the period; one with two countries or classes is in it with each.
SELECT DISTINCT server_id, country, place, class
FROM placed_pairs
