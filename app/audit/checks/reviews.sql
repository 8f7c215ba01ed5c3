-- A product's rating is that of its published reviews.
SELECT
    'products' AS table_name,
    p.slug AS key,
    pg_catalog.concat_ws(' ', COALESCE(r.stars, 0), 'stars by', COALESCE(r.reviews, 0)) AS expected,
    pg_catalog.concat_ws(' ', p.rating_sum, 'stars by', p.rating_count) AS found
FROM store.products AS p
LEFT JOIN (
    SELECT product_id, pg_catalog.sum(rating) AS stars, pg_catalog.count(*) AS reviews
    FROM store.product_reviews
    WHERE status = 'published'
    GROUP BY product_id
) AS r ON r.product_id = p.id
WHERE (p.rating_sum, p.rating_count) <> (COALESCE(r.stars, 0), COALESCE(r.reviews, 0))
