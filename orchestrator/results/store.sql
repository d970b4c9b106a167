-- The queries of orchestrator.results.store, by name. `sweep` in the tables is sweeps.id, not the text.

-- name: schema
CREATE TABLE IF NOT EXISTS sweeps (
    id INTEGER PRIMARY KEY,
    sweep TEXT NOT NULL UNIQUE,      -- name and digest
    definition BLOB NOT NULL,        -- SweepDefinition.encode()
    sweep_file TEXT NOT NULL,        -- the sweep file as it was
    meta TEXT NOT NULL,              -- JSON object
    created REAL NOT NULL,           -- seconds since epoch
    used INTEGER NOT NULL            -- the highest was added or continued last
);
CREATE TABLE IF NOT EXISTS rows (
    sweep INTEGER NOT NULL REFERENCES sweeps (id),
    point INTEGER NOT NULL,
    status TEXT NOT NULL,
    error TEXT,
    engine TEXT,
    seconds REAL,
    shape INTEGER NOT NULL REFERENCES shapes (id),
    result TEXT NOT NULL,            -- JSON list, in the shape's order
    PRIMARY KEY (sweep, point)
);
CREATE INDEX IF NOT EXISTS rows_by_status ON rows (sweep, status, point);
-- the names of a row's results, once for all rows that have the same
CREATE TABLE IF NOT EXISTS shapes (
    id INTEGER PRIMARY KEY,
    names TEXT NOT NULL UNIQUE       -- JSON list
);
-- every result column a sweep has, and which kinds of values were seen in it
CREATE TABLE IF NOT EXISTS columns (
    sweep INTEGER NOT NULL REFERENCES sweeps (id),
    name TEXT NOT NULL,
    kinds TEXT NOT NULL,             -- letters, see orchestrator.results.columns
    PRIMARY KEY (sweep, name)
) WITHOUT ROWID;
-- who computed what, and how fast
CREATE TABLE IF NOT EXISTS chunks (
    sweep INTEGER NOT NULL REFERENCES sweeps (id),
    chunk TEXT NOT NULL,
    node TEXT NOT NULL,
    seconds REAL NOT NULL,
    points INTEGER NOT NULL,
    at REAL NOT NULL,                -- seconds since epoch
    PRIMARY KEY (sweep, chunk)
) WITHOUT ROWID;

-- name: add_sweep
INSERT INTO sweeps (sweep, definition, sweep_file, meta, created, used)
VALUES (:sweep, :definition, :sweep_file, :meta, :created, (SELECT coalesce(max(used), 0) + 1 FROM sweeps))
ON CONFLICT (sweep) DO UPDATE SET
    definition = excluded.definition,
    sweep_file = excluded.sweep_file,
    meta = excluded.meta,
    used = excluded.used;

-- name: sweeps
SELECT id, sweep, definition, sweep_file, meta, created FROM sweeps ORDER BY used DESC;

-- name: sweep
SELECT id, sweep, definition, sweep_file, meta, created FROM sweeps WHERE sweep = :sweep;

-- name: set_meta
UPDATE sweeps SET meta = :meta WHERE sweep = :sweep;

-- name: add_shape
INSERT OR IGNORE INTO shapes (names) VALUES (:names);

-- name: shape
SELECT id FROM shapes WHERE names = :names;

-- name: shapes
SELECT id, names FROM shapes;

-- name: columns
SELECT name, kinds FROM columns WHERE sweep = :sweep;

-- name: set_column
INSERT INTO columns (sweep, name, kinds) VALUES (:sweep, :name, :kinds)
ON CONFLICT (sweep, name) DO UPDATE SET kinds = excluded.kinds;

-- name: insert_row
INSERT OR IGNORE INTO rows (sweep, point, status, error, engine, seconds, shape, result)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_chunk
INSERT OR IGNORE INTO chunks (sweep, chunk, node, seconds, points, at)
VALUES (:sweep, :chunk, :node, :seconds, :points, :at);

-- name: forget_failed
DELETE FROM rows WHERE sweep = :sweep AND status <> 'ok';

-- name: counts
SELECT status, count(*) FROM rows WHERE sweep = :sweep GROUP BY status;

-- name: errors
SELECT error, count(*) FROM rows WHERE sweep = :sweep AND status <> 'ok'
GROUP BY error ORDER BY count(*) DESC, error;

-- name: nodes
SELECT node, sum(points), sum(seconds) FROM chunks WHERE sweep = :sweep GROUP BY node ORDER BY node;

-- name: first_point
SELECT min(point) FROM rows WHERE sweep = :sweep;

-- name: gaps
-- After every stored point whose successor is missing: the first missing point and the next stored one.
SELECT here.point + 1,
       (SELECT min(later.point) FROM rows AS later WHERE later.sweep = :sweep AND later.point > here.point)
FROM rows AS here
WHERE here.sweep = :sweep AND here.point >= :after
  AND NOT EXISTS (SELECT 1 FROM rows AS next WHERE next.sweep = :sweep AND next.point = here.point + 1)
ORDER BY here.point LIMIT :most;

-- name: rows
SELECT point, status, error, engine, seconds, shape, result FROM rows
WHERE sweep = :sweep AND (:status IS NULL OR status = :status) ORDER BY point;

-- name: row
SELECT point, status, error, engine, seconds, shape, result FROM rows
WHERE sweep = :sweep AND point = :point AND (:status IS NULL OR status = :status);
