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
-- one sweep under one scenario (tasks.protocol.scenario; '' is the plain sweep): what rows belong to
CREATE TABLE IF NOT EXISTS scopes (
    id INTEGER PRIMARY KEY,
    sweep INTEGER NOT NULL REFERENCES sweeps (id),
    scenario TEXT NOT NULL,
    UNIQUE (sweep, scenario)
);
CREATE TABLE IF NOT EXISTS rows (
    scope INTEGER NOT NULL REFERENCES scopes (id),
    point INTEGER NOT NULL,
    status TEXT NOT NULL,
    error TEXT,
    engine TEXT,
    seconds REAL,
    shape INTEGER NOT NULL REFERENCES shapes (id),
    result TEXT NOT NULL,            -- JSON list, in the shape's order
    PRIMARY KEY (scope, point)
);
CREATE INDEX IF NOT EXISTS rows_by_status ON rows (scope, status, point);
-- the names of a row's results, once for all rows that have the same
CREATE TABLE IF NOT EXISTS shapes (
    id INTEGER PRIMARY KEY,
    names TEXT NOT NULL UNIQUE       -- JSON list
);
-- every result column a scope has, and which kinds of values were seen in it
CREATE TABLE IF NOT EXISTS columns (
    scope INTEGER NOT NULL REFERENCES scopes (id),
    name TEXT NOT NULL,
    kinds TEXT NOT NULL,             -- letters, see orchestrator.results.columns
    PRIMARY KEY (scope, name)
) WITHOUT ROWID;
-- who computed what, and how fast
CREATE TABLE IF NOT EXISTS chunks (
    scope INTEGER NOT NULL REFERENCES scopes (id),
    chunk TEXT NOT NULL,
    node TEXT NOT NULL,
    seconds REAL NOT NULL,
    points INTEGER NOT NULL,
    at REAL NOT NULL,                -- seconds since epoch
    PRIMARY KEY (scope, chunk)
) WITHOUT ROWID;
-- the returns of a chunk's points, packed (tasks.protocol.returns)
CREATE TABLE IF NOT EXISTS returns (
    scope INTEGER NOT NULL REFERENCES scopes (id),
    chunk TEXT NOT NULL,
    interval_s INTEGER NOT NULL,     -- length of a period, seconds
    periods INTEGER NOT NULL,        -- returns of a point
    points BLOB NOT NULL,            -- int64, little-endian, in the order of the packed rows
    data BLOB NOT NULL,
    PRIMARY KEY (scope, chunk)
);

-- name: upgrade_from_1
-- Version 1 knew plain sweeps only: rows, columns and chunks belonged to the sweep itself.
CREATE TABLE scopes (
    id INTEGER PRIMARY KEY,
    sweep INTEGER NOT NULL REFERENCES sweeps (id),
    scenario TEXT NOT NULL,
    UNIQUE (sweep, scenario)
);
INSERT INTO scopes (id, sweep, scenario) SELECT id, id, '' FROM sweeps;
ALTER TABLE rows RENAME COLUMN sweep TO scope;
ALTER TABLE columns RENAME COLUMN sweep TO scope;
ALTER TABLE chunks RENAME COLUMN sweep TO scope;

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

-- name: add_scope
INSERT OR IGNORE INTO scopes (sweep, scenario) VALUES (:sweep, :scenario);

-- name: scope
SELECT id FROM scopes WHERE sweep = :sweep AND scenario = :scenario;

-- name: scenarios
SELECT scenario FROM scopes WHERE sweep = :sweep AND scenario <> '' ORDER BY id;

-- name: set_meta
UPDATE sweeps SET meta = :meta WHERE sweep = :sweep;

-- name: add_shape
INSERT OR IGNORE INTO shapes (names) VALUES (:names);

-- name: shape
SELECT id FROM shapes WHERE names = :names;

-- name: shapes
SELECT id, names FROM shapes;

-- name: columns
SELECT name, kinds FROM columns WHERE scope = :scope;

-- name: set_column
INSERT INTO columns (scope, name, kinds) VALUES (:scope, :name, :kinds)
ON CONFLICT (scope, name) DO UPDATE SET kinds = excluded.kinds;

-- name: insert_row
INSERT OR IGNORE INTO rows (scope, point, status, error, engine, seconds, shape, result)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_chunk
INSERT OR IGNORE INTO chunks (scope, chunk, node, seconds, points, at)
VALUES (:scope, :chunk, :node, :seconds, :points, :at);

-- name: insert_returns
INSERT OR IGNORE INTO returns (scope, chunk, interval_s, periods, points, data)
VALUES (:scope, :chunk, :interval_s, :periods, :points, :data);

-- name: points_to_copy
-- What is ok, and with :errors also what failed by itself; not what crashed or took too long on some machine.
SELECT point FROM rows AS theirs
WHERE scope = :scope AND typeof(point) = 'integer' AND point BETWEEN 0 AND :last
  AND (status = 'ok' OR (:errors AND status = 'error'))
  AND NOT EXISTS (SELECT 1 FROM rows AS mine WHERE mine.scope = :to AND mine.point = theirs.point)
ORDER BY point;

-- name: copy_rows
INSERT OR IGNORE INTO rows (scope, point, status, error, engine, seconds, shape, result)
SELECT :to, point, status, error, engine, seconds, shape, result FROM rows
WHERE scope = :scope AND point IN (SELECT value FROM json_each(:points));

-- name: count_rows
SELECT count(*) FROM rows WHERE scope = :scope;

-- name: document
SELECT shape, result FROM rows WHERE scope = :scope AND point = :point;

-- name: scope_chunks
SELECT chunk, node, seconds, points, at FROM chunks WHERE scope = :scope ORDER BY at, chunk;

-- name: scope_returns
SELECT chunk, interval_s, periods, points, data FROM returns WHERE scope = :scope ORDER BY rowid;

-- name: returns_intervals
SELECT DISTINCT interval_s FROM returns WHERE scope = :scope;

-- name: has_returns
SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'returns';

-- name: returns
SELECT interval_s, periods, points, data FROM returns WHERE scope = :scope ORDER BY rowid;

-- name: ok_points
SELECT point FROM rows WHERE scope = :scope AND status = 'ok' AND typeof(point) = 'integer' AND point BETWEEN 0 AND :last ORDER BY point;

-- name: forget_failed
DELETE FROM rows WHERE status <> 'ok' AND scope IN (SELECT id FROM scopes WHERE sweep = :sweep);

-- name: counts
SELECT status, count(*) FROM rows WHERE scope = :scope AND typeof(point) = 'integer' AND point BETWEEN 0 AND :last AND status IN ('ok', 'error', 'crashed', 'timeout', 'skipped') GROUP BY status;

-- name: status
SELECT point, status FROM rows WHERE scope = :scope AND point = :point
  AND status IN ('ok', 'error', 'crashed', 'timeout', 'skipped');

-- name: errors
SELECT error, count(*) FROM rows WHERE scope = :scope AND status <> 'ok'
  AND typeof(point) = 'integer' AND point BETWEEN 0 AND :last AND status IN ('ok', 'error', 'crashed', 'timeout', 'skipped')
GROUP BY error ORDER BY count(*) DESC, error;

-- name: nodes
SELECT node, sum(points), sum(seconds) FROM chunks WHERE scope = :scope GROUP BY node ORDER BY node;

-- name: chunks
SELECT chunk FROM chunks JOIN scopes ON scopes.id = chunks.scope WHERE scopes.sweep = :sweep;

-- name: first_point
SELECT min(point) FROM rows WHERE scope = :scope AND typeof(point) = 'integer' AND point BETWEEN 0 AND :last;

-- name: gaps
-- After every stored point whose successor is missing: the first missing point and the next stored one.
SELECT here.point + 1,
       (SELECT min(later.point) FROM rows AS later WHERE later.scope = :scope AND later.point > here.point
          AND typeof(later.point) = 'integer' AND later.point <= :last)
FROM rows AS here
WHERE here.scope = :scope AND here.point BETWEEN :after AND :last AND typeof(here.point) = 'integer'
  AND NOT EXISTS (SELECT 1 FROM rows AS next WHERE next.scope = :scope AND next.point = here.point + 1)
ORDER BY here.point LIMIT :most;

-- name: rows
SELECT point, status, error, engine, seconds, shape, result FROM rows
WHERE scope = :scope AND (:status IS NULL OR status = :status) AND typeof(point) = 'integer' AND point BETWEEN 0 AND :last
  AND status IN ('ok', 'error', 'crashed', 'timeout', 'skipped')
ORDER BY point;

-- name: row
SELECT point, status, error, engine, seconds, shape, result FROM rows
WHERE scope = :scope AND point = :point AND (:status IS NULL OR status = :status)
  AND status IN ('ok', 'error', 'crashed', 'timeout', 'skipped');

-- name: count_unfit
SELECT count(*) FROM rows WHERE scope IN (SELECT id FROM scopes WHERE sweep = :sweep)
  AND NOT (typeof(point) = 'integer' AND point BETWEEN 0 AND :last
           AND status IN ('ok', 'error', 'crashed', 'timeout', 'skipped'));

-- name: unfit
SELECT rows.rowid, scenario, point, status, error, result FROM rows JOIN scopes ON scopes.id = rows.scope
WHERE scope IN (SELECT id FROM scopes WHERE sweep = :sweep)
  AND NOT (typeof(point) = 'integer' AND point BETWEEN 0 AND :last
           AND status IN ('ok', 'error', 'crashed', 'timeout', 'skipped'));

-- name: tables
SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\_%' ESCAPE '\';
