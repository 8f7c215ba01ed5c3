"""The SELECT that computes catalog rows from the store.

Each CTE is keyed by product and limited to ``wanted``, so that the same text is a handful of index look-ups for a
batch and hash joins for a rebuild. ``row_to_json`` keeps the order of members and wastes no space. What a category
gives to each of its products is computed once a category, and variants are read once.
"""

# Prominence (ADR 0019): sales that begin a class, halvings of all ids by their last 32 bits, which are random; and the
# words that say them in the search vector.
CLASSES, HALVINGS = 21, 15
ARRAYS = {
    "doublings": ", ".join(str(2**number) for number in range(CLASSES)),
    "halvings": ", ".join(str(2**32 - 2 ** (32 - number)) for number in range(1, HALVINGS + 1)),
    "classes": ", ".join(f"'~{number}'" for number in range(1, CLASSES + 1)),
    "halved": ", ".join(f"'~.{number}'" for number in range(1, HALVINGS + 1)),
}


def _with_arrays(select: str) -> str:
    for name, members in ARRAYS.items():
        select = select.replace(f"{{{name}}}", members)
    return select


SELECT = _with_arrays("""
WITH wanted AS MATERIALIZED (
    SELECT p.* FROM store.products p WHERE {wanted}
),
sellable AS MATERIALIZED (
    SELECT found.*, i.url AS image, k.available_from,
           CASE WHEN found.available > 0 THEN 'in_stock'
               WHEN k.policy <> 'deny' AND k.backorder_limit > k.backordered THEN k.policy
               ELSE 'out_of_stock' END AS availability
    FROM (
        SELECT v.id, v.product_id, v.sku, v.title, v.option_values, v.price, v.mrp, v.currency, v.max_per_order,
               v.weight_grams, v.position, (v.mrp - v.price) * 100 / v.mrp AS discount,
               COALESCE(sum(i.on_hand - i.reserved) FILTER (WHERE w.is_active), 0)::bigint AS available
        FROM wanted p
        JOIN store.product_variants v ON v.product_id = p.id AND v.is_active
        LEFT JOIN store.inventory i ON i.variant_id = v.id
        LEFT JOIN store.warehouses w ON w.id = i.warehouse_id
        GROUP BY v.id
    ) AS found
    LEFT JOIN store.stock_policies k ON k.variant_id = found.id
    LEFT JOIN LATERAL (
        SELECT i.url FROM store.product_images i WHERE i.variant_id = found.id ORDER BY i.position LIMIT 1
    ) AS i ON true
),
variants AS (
    SELECT v.product_id,
           json_agg((SELECT row_to_json(member) FROM (SELECT
               v.sku, v.title, v.option_values, v.price, v.mrp, v.discount AS discount_percent,
               v.currency, v.available, v.available > 0 AS in_stock, v.availability,
               CASE WHEN v.availability IN ('backorder', 'preorder') THEN v.available_from END AS available_from,
               v.max_per_order, v.weight_grams, v.image
           ) AS member) ORDER BY v.position, v.sku) AS documents,
           jsonb_object_agg(v.sku, v.available) AS stock,
           jsonb_object_agg(v.sku, jsonb_build_object('availability', v.availability, 'from', v.available_from))
               FILTER (WHERE v.availability IN ('backorder', 'preorder')) AS beyond,
           min(v.availability) FILTER (WHERE v.availability IN ('backorder', 'preorder')) AS beyond_kind,
           array_sort(array_agg(lower(v.sku))) AS skus,
           sum(v.available)::bigint AS available,
           max(v.price) AS max_price,
           max(v.discount)::integer AS discount,
           count(*) AS variant_count,
           (array_agg(v.sku ORDER BY v.available > 0 DESC, v.price, v.position, v.sku))[1] AS sku,
           (array_agg(v.price ORDER BY v.available > 0 DESC, v.price, v.position, v.sku))[1] AS price,
           (array_agg(v.mrp ORDER BY v.available > 0 DESC, v.price, v.position, v.sku))[1] AS mrp,
           min(v.currency) AS currency
    FROM sellable v
    GROUP BY v.product_id
),
traits AS (
    SELECT found.product_id, array_agg(found.fact ORDER BY found.kind, found.fact) AS facts,
           array_agg(DISTINCT 'a:' || found.fact) FILTER (WHERE length(found.fact) <= 120) AS tokens
    FROM (
        SELECT p.id AS product_id, 1 AS kind, o.name || '=' || v.option_values[o.ordinality] AS fact
        FROM wanted p
        JOIN sellable v ON v.product_id = p.id
        CROSS JOIN LATERAL unnest(p.options) WITH ORDINALITY AS o (name, ordinality)
        WHERE v.option_values[o.ordinality] <> '' AND o.name <> 'Title'
        UNION
        SELECT p.id, 2, a.key || '=' || (item.value #>> '{}')
        FROM wanted p
        CROSS JOIN LATERAL jsonb_each(CASE jsonb_typeof(p.attributes) WHEN 'object' THEN p.attributes ELSE '{}' END)
            AS a
        CROSS JOIN LATERAL jsonb_array_elements(
            CASE jsonb_typeof(a.value) WHEN 'array' THEN a.value ELSE jsonb_build_array(a.value) END) AS item
        WHERE jsonb_typeof(item.value) IN ('string', 'number', 'boolean') AND (item.value #>> '{}') <> ''
    ) AS found
    GROUP BY found.product_id
),
images AS (
    SELECT i.product_id,
           json_agg((SELECT row_to_json(member) FROM (SELECT i.url, i.alt_text) AS member) ORDER BY i.position)
               AS documents,
           (array_agg(i.url ORDER BY i.position))[1] AS first_url,
           (array_agg(i.alt_text ORDER BY i.position))[1] AS first_alt
    FROM wanted p
    JOIN store.product_images i ON i.product_id = p.id
    GROUP BY i.product_id
),
category_paths AS MATERIALIZED (
    SELECT path.*, to_tsvector('read.kirana_plain', path.names) AS words,
           -- not of names that end in a stop word, which would not count as a word before those that follow
           CASE WHEN to_tsvector('read.kirana', path.names || ' word')
               = to_tsvector('read.kirana', path.names) || to_tsvector('read.kirana', 'word')
               THEN to_tsvector('read.kirana', path.names) END AS search
    FROM (
        SELECT leaf.id AS category_id,
               CASE WHEN leaf.is_active THEN (SELECT row_to_json(c) FROM (SELECT leaf.slug, leaf.name) AS c) END
                   AS document,
               json_agg((SELECT row_to_json(member) FROM (SELECT c.slug, c.name) AS member)
                   ORDER BY array_position(leaf.ancestor_ids, c.id)) AS breadcrumbs,
               array_agg(c.slug ORDER BY array_position(leaf.ancestor_ids, c.id)) AS slugs,
               array_agg('c:' || c.slug ORDER BY c.slug) AS tokens,
               string_agg(c.name, ' ' ORDER BY array_position(leaf.ancestor_ids, c.id)) AS names
        FROM store.categories leaf
        JOIN store.categories c ON c.id = ANY(leaf.ancestor_ids) AND c.is_active
        WHERE leaf.id IN (SELECT p.category_id FROM wanted p)
        GROUP BY leaf.id
    ) AS path
),
facts AS (
    SELECT p.id, p.slug, p.title, p.published_at, p.version, p.description_html, p.product_type, p.tags, p.attributes,
           p.options, p.seo_title, p.seo_description, p.status = 'active' AND v.product_id IS NOT NULL AS live,
           b.slug AS brand_slug, b.name AS brand_name, path.document AS category,
           COALESCE(path.breadcrumbs, '[]'::json) AS breadcrumbs, COALESCE(path.slugs, '{}') AS category_path,
           path.names AS category_names, path.tokens AS category_tokens, path.search AS category_search,
           COALESCE(path.words, '') AS category_words,
           COALESCE(i.documents, '[]'::json) AS images, i.first_url, i.first_alt,
           v.documents AS variants, COALESCE(v.stock, '{}') AS stock,
           COALESCE(v.beyond, '{}') AS beyond,
           CASE WHEN v.available > 0 THEN 'in_stock' ELSE COALESCE(v.beyond_kind, 'out_of_stock') END AS availability,
           COALESCE(v.skus, '{}') AS skus,
           COALESCE(v.available, 0) AS available, v.available > 0 AS in_stock, v.price, v.max_price, v.mrp, v.currency,
           v.sku, v.variant_count, COALESCE(v.discount, 0) AS discount,
           CASE WHEN p.rating_count > 0 THEN (p.rating_sum * 100 + p.rating_count / 2) / p.rating_count ELSE 0 END
               ::integer AS rating,
           p.rating_count, COALESCE(sold.units, 0) AS sold_units,
           width_bucket(COALESCE(sold.units, 0), ARRAY[{doublings}]::bigint[]) AS sales_class,
           width_bucket(('x' || right(p.id::text, 8))::bit(32)::bigint, ARRAY[{halvings}]::bigint[]) AS halvings,
           traits.facts AS attribute_facts, traits.tokens AS attribute_tokens
    FROM wanted p
    LEFT JOIN store.brands b ON b.id = p.brand_id AND b.is_active
    LEFT JOIN category_paths path ON path.category_id = p.category_id
    LEFT JOIN images i ON i.product_id = p.id
    LEFT JOIN variants v ON v.product_id = p.id
    LEFT JOIN traits ON traits.product_id = p.id
    LEFT JOIN read.popularity sold ON sold.product_id = p.id
)
SELECT f.id AS product_id, f.live, f.published_at, f.slug, f.title,
       lower(public.unaccent(f.brand_name)) AS brand_key,
       CASE WHEN f.live THEN convert_to((SELECT row_to_json(card) FROM (SELECT
           f.id, f.slug, f.title, f.sku, f.brand_name AS brand, f.first_url AS image, f.first_alt AS image_alt,
           f.price, f.max_price, f.mrp, f.discount AS discount_percent, f.currency, f.in_stock, f.availability,
           (f.rating / 100.0)::numeric(3, 2) AS rating, f.rating_count, f.variant_count
       ) AS card)::text, 'UTF8') END AS card,
       detail.bytes AS detail,
       md5(detail.bytes) AS etag,
       f.price, f.discount, f.rating, f.sold_units,
       (16 * f.sales_class + f.halvings)::smallint AS prominence,
       COALESCE(f.in_stock, false) AS in_stock, f.category_path,
       -- in their order, kind by kind
       array_remove(f.attribute_tokens || ('b:' || f.brand_slug)
           || f.category_tokens
           || (ARRAY['d:10', 'd:20', 'd:30', 'd:40', 'd:50', 'd:60', 'd:70'])[:f.discount / 10]
           || ('p:' || width_bucket(f.price, ARRAY[25000, 50000, 100000, 250000, 500000, 1000000]::bigint[]))
           || (ARRAY['r:1', 'r:2', 'r:3', 'r:4', 'r:5'])[:f.rating / 100]
           || CASE WHEN f.availability = 'backorder' THEN 's:backorder' END
           || CASE WHEN f.in_stock THEN 's:in' ELSE 's:out' END
           || CASE WHEN f.availability = 'preorder' THEN 's:preorder' END, NULL) AS tokens,
       ARRAY(
           SELECT word FROM unnest(tsvector_to_array(f.category_words || to_tsvector('read.kirana_plain',
               concat_ws(' ', f.title, f.brand_name, f.product_type, array_to_string(f.tags, ' '))))) AS word
           WHERE length(word) BETWEEN 3 AND 40 AND word !~ '[0-9]'
       ) AS words,
       f.skus, f.stock, f.beyond,
       setweight(to_tsvector('read.kirana', concat_ws(' ', f.title, f.brand_name)), 'A')
       || setweight(COALESCE(f.category_search, '') || to_tsvector('read.kirana', concat_ws(' ',
           CASE WHEN f.category_search IS NULL THEN f.category_names END, f.product_type,
           array_to_string(f.tags, ' '))), 'B')
       || setweight(to_tsvector('read.kirana', COALESCE(array_to_string(f.attribute_facts, ' '), '')), 'C')
       || setweight(to_tsvector('read.kirana',
           left(regexp_replace(f.description_html, '<[^>]*>', ' ', 'g'), 20000)), 'D')
       || array_to_tsvector(f.skus || (ARRAY[{classes}])[:f.sales_class] || (ARRAY[{halved}])[:f.halvings]) AS search
FROM facts f
CROSS JOIN LATERAL (
    SELECT CASE WHEN f.live THEN convert_to((SELECT row_to_json(page) FROM (SELECT
        f.id, f.slug, f.title, f.description_html,
        CASE WHEN f.brand_slug IS NOT NULL
            THEN (SELECT row_to_json(b) FROM (SELECT f.brand_slug AS slug, f.brand_name AS name) AS b) END AS brand,
        f.category, f.breadcrumbs, f.product_type, f.tags, f.attributes, f.options, f.images, f.variants, f.price,
        f.max_price, f.mrp, f.discount AS discount_percent, f.currency, f.in_stock, f.availability, f.available,
        (f.rating / 100.0)::numeric(3, 2) AS rating, f.rating_count, f.seo_title, f.seo_description, f.published_at,
        f.version
    ) AS page)::text, 'UTF8') END AS bytes
    OFFSET 0  -- computed once, though it is read twice
) AS detail
""")
