-- SPDX-License-Identifier: MIT
-- Data sets and their images.

-- name: dataset_by_sha256
SELECT id FROM dataset WHERE sha256 = :sha256;

-- name: dataset_name_taken
SELECT id FROM dataset WHERE name = :name;

-- name: dataset_insert
INSERT INTO dataset (sha256, name, source, n_images, n_fixed_test, class_names,
    created_at)
VALUES (:sha256, :name, :source, :n_images, :n_fixed_test, :class_names, :now);

-- name: dataset_source
UPDATE dataset SET source = :source WHERE id = :id;

-- name: dataset_name
UPDATE dataset SET name = coalesce(:name, name),
    class_names = coalesce(:class_names, class_names)
WHERE id = :id;

-- name: dataset_get
SELECT id, sha256, name, source, n_images, n_fixed_test FROM dataset
WHERE id = :id;

-- name: dataset_find
SELECT id, sha256, name, source, n_images, n_fixed_test FROM dataset
WHERE name = :name;

-- name: dataset_classes
SELECT k.key, k.value FROM dataset AS d, json_each(d.class_names) AS k
WHERE d.id = :id;

-- name: dataset_list
SELECT d.id, d.name, d.n_images, d.n_fixed_test, d.sha256, d.source,
       d.class_names,
       (SELECT count(*) FROM run AS r WHERE r.dataset_id = d.id) AS runs
FROM dataset AS d ORDER BY d.id;

-- name: image_insert
INSERT INTO image (dataset_id, image, label, pixels)
VALUES (:id, :image, :label, :pixels) ON CONFLICT DO NOTHING;

-- name: image_get
SELECT label, pixels FROM image WHERE dataset_id = :id AND image = :image;

-- name: image_has
SELECT 1 FROM image WHERE dataset_id = :id AND image = :image;
