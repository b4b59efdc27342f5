/**
 * Tables of the PostgreSQL store. Entries are kept as they were appended, a batch to a row: one large value is many
 * times faster to write than many small ones. Everything of a log hangs on its row in `log`: whoever appends updates
 * that row, so appends are in one order; and an epoch in it fences off replicas that must no longer write.
 */
export const SCHEMA = `
  CREATE SCHEMA IF NOT EXISTS comity;

  CREATE TABLE IF NOT EXISTS comity.log (
    id serial PRIMARY KEY,
    origin text NOT NULL UNIQUE,
    epoch bigint NOT NULL DEFAULT 1,
    next bigint NOT NULL DEFAULT 0,
    published text,
    published_size bigint NOT NULL DEFAULT -1
  );

  -- Apart from log, so that building the tree does not hold up appending.
  CREATE TABLE IF NOT EXISTS comity.tree (
    log integer PRIMARY KEY REFERENCES comity.log,
    size bigint NOT NULL DEFAULT 0,
    frontier bytea NOT NULL DEFAULT ''
  );

  CREATE TABLE IF NOT EXISTS comity.batch (
    log integer NOT NULL,
    first bigint NOT NULL,
    count integer NOT NULL,
    body bytea NOT NULL,      -- framed entries; empty once all of them are pruned
    leaves bytea NOT NULL,    -- 32 bytes each
    keys bytea NOT NULL,      -- 16 bytes each
    PRIMARY KEY (log, first)
  );
  -- Hashes do not compress, and records are read in pieces.
  ALTER TABLE comity.batch ALTER COLUMN body SET STORAGE EXTERNAL,
    ALTER COLUMN leaves SET STORAGE EXTERNAL, ALTER COLUMN keys SET STORAGE EXTERNAL;

  CREATE TABLE IF NOT EXISTS comity.entry_key (
    log integer NOT NULL,
    key bytea NOT NULL,
    index bigint NOT NULL,
    PRIMARY KEY (log, key)
  );

  -- Tiles of level 1 and up; level 0 is batch.leaves.
  CREATE TABLE IF NOT EXISTS comity.tile (
    log integer NOT NULL,
    level integer NOT NULL,
    index bigint NOT NULL,
    hashes bytea NOT NULL,
    PRIMARY KEY (log, level, index)
  );

  CREATE TABLE IF NOT EXISTS comity.head (
    log integer NOT NULL,
    number bigint NOT NULL,
    size bigint NOT NULL,
    root bytea NOT NULL,
    note text NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (log, number)
  );

  -- What was decided about the oldest entries.
  CREATE TABLE IF NOT EXISTS comity.pruning (
    log integer NOT NULL,
    minimum bigint NOT NULL,
    state text NOT NULL,
    announcement bytea NOT NULL,
    policy text NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (log, minimum)
  );
`;
