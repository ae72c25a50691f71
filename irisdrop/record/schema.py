"""The journal's tables, as named migrations; each is applied in the transaction that notes it."""

from __future__ import annotations

from typing import Final

# Never edit a released migration: add one. A journal that names a migration we don't know is of a newer version.
MIGRATIONS: Final[tuple[tuple[str, str], ...]] = (
    (
        "0001-first",
        """
        CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

        CREATE TABLE cameras (name TEXT PRIMARY KEY, folder BLOB NOT NULL, first_start TEXT NOT NULL,
                              left_alone INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;

        -- One row per ImageFile. Paths are WTF-8 in a BLOB: a file name need not be Unicode.
        CREATE TABLE images (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            version INTEGER NOT NULL DEFAULT 1,
            state TEXT NOT NULL,
            camera TEXT NOT NULL,
            path BLOB NOT NULL,
            name TEXT NOT NULL,
            digest TEXT,
            size INTEGER,
            arrived TEXT NOT NULL,
            live INTEGER NOT NULL,
            readings TEXT NOT NULL DEFAULT '[]',
            profile TEXT,
            reason TEXT,
            detail TEXT,
            decision TEXT,
            entry TEXT,
            entry_change INTEGER,           -- entries.change when the order was given: it is sent to that order only
            eye TEXT,
            taken TEXT,
            recency TEXT NOT NULL,          -- taken, else arrived: the newest exam goes first
            assigned_by TEXT,
            despite TEXT,
            not_before TEXT,                -- an assigned image is not sent before `undo` is over
            next_try TEXT,
            tries INTEGER NOT NULL DEFAULT 0,
            fresh_at REAL NOT NULL DEFAULT 0,      -- Orders.fresh_seconds at arrival
            patience_until REAL,                   -- of the same clock; set while a late order may still come
            ask_first INTEGER NOT NULL DEFAULT 0,  -- recovered: the platform may hold it already
            replaces TEXT,                  -- the receipt that a correction takes the place of
            receipt TEXT,
            cleared INTEGER NOT NULL DEFAULT 0,    -- the source was moved or deleted after delivery
            changed TEXT NOT NULL
        ) STRICT;
        CREATE INDEX images_by_state ON images (state, recency DESC);
        CREATE INDEX images_by_patience ON images (patience_until) WHERE patience_until IS NOT NULL;
        CREATE INDEX images_by_digest ON images (digest) WHERE digest IS NOT NULL;
        CREATE INDEX images_by_path ON images (path);
        CREATE INDEX images_by_entry ON images (entry) WHERE entry IS NOT NULL;

        CREATE TABLE history (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            image INTEGER NOT NULL REFERENCES images (id),
            at TEXT NOT NULL,
            event TEXT NOT NULL,
            before TEXT,
            after TEXT NOT NULL,
            who TEXT NOT NULL,
            why TEXT NOT NULL
        ) STRICT;
        CREATE INDEX history_by_image ON history (image, id);

        CREATE TABLE attempts (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            image INTEGER NOT NULL REFERENCES images (id),
            entry TEXT NOT NULL,
            eye TEXT NOT NULL,
            began TEXT NOT NULL,
            ended TEXT,
            outcome TEXT,
            next_try TEXT
        ) STRICT;
        CREATE INDEX attempts_by_image ON attempts (image, id);
        CREATE INDEX attempts_open ON attempts (image) WHERE ended IS NULL;

        CREATE TABLE receipts (
            id TEXT PRIMARY KEY,
            image INTEGER NOT NULL REFERENCES images (id),
            digest TEXT NOT NULL,           -- of the bytes that were sent
            entry TEXT NOT NULL,
            eye TEXT NOT NULL,
            at TEXT NOT NULL,
            replaces TEXT
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX receipts_by_image ON receipts (image);

        -- What lies in the export folders, by folder, so that a rescan compares one folder at a time.
        CREATE TABLE folders (id INTEGER PRIMARY KEY, camera TEXT NOT NULL, path BLOB NOT NULL,
                              UNIQUE (camera, path)) STRICT;
        CREATE TABLE known (
            folder INTEGER NOT NULL REFERENCES folders (id),
            name BLOB NOT NULL,
            size INTEGER NOT NULL,
            mtime_ns INTEGER NOT NULL,
            ctime_ns INTEGER NOT NULL,
            file_id INTEGER NOT NULL,
            standing INTEGER NOT NULL,      -- see record.known.Standing
            PRIMARY KEY (folder, name)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX known_unsettled ON known (folder) WHERE standing = 0;

        CREATE TABLE profiles (digest TEXT PRIMARY KEY, name TEXT NOT NULL, text TEXT NOT NULL,
                               used TEXT NOT NULL) STRICT, WITHOUT ROWID;

        CREATE TABLE conditions (code TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL,
                                 since TEXT NOT NULL, PRIMARY KEY (code, subject)) STRICT, WITHOUT ROWID;

        -- The worklist mirror.
        CREATE TABLE entries (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            keys TEXT NOT NULL,
            start TEXT,
            site TEXT,
            single_eye TEXT,
            standing TEXT NOT NULL,
            sync INTEGER NOT NULL,          -- number of the last answer that named it
            change INTEGER NOT NULL         -- number of the last answer that changed it
        ) STRICT;
        CREATE INDEX entries_by_change ON entries (change);
        CREATE INDEX entries_by_start ON entries (start) WHERE standing = 'open';
        CREATE TABLE entry_keys (key TEXT NOT NULL, value TEXT NOT NULL, number INTEGER NOT NULL,
                                 PRIMARY KEY (key, value, number)) STRICT, WITHOUT ROWID;
        CREATE INDEX entry_keys_by_entry ON entry_keys (number);
        """,
    ),
    (
        "0002-uploaded",
        """
        ALTER TABLE attempts ADD COLUMN sent TEXT;          -- SHA-256 of what left, where a stamp made it another
        ALTER TABLE attempts ADD COLUMN reference TEXT;     -- the platform's name for the image
        CREATE INDEX attempts_by_reference ON attempts (reference) WHERE reference IS NOT NULL;

        -- What the platform said later; kept before its message is taken off the queue.
        CREATE TABLE said (
            id TEXT PRIMARY KEY,
            reference TEXT NOT NULL,
            succeeded INTEGER NOT NULL,
            "order" TEXT,
            patient TEXT,
            receipt TEXT,
            at TEXT NOT NULL,
            text TEXT NOT NULL,
            came TEXT NOT NULL,
            settled INTEGER NOT NULL DEFAULT 0
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX said_by_reference ON said (reference) WHERE settled = 0;
        """,
    ),
    (
        "0003-overview",
        """
        -- The page asks for the newest of a camera and of the day among all that ever came.
        CREATE INDEX images_by_arrival ON images (arrived);
        CREATE INDEX images_by_camera ON images (camera, arrived);
        CREATE INDEX images_by_camera_state ON images (camera, state);
        CREATE INDEX entries_completed ON entries (start) WHERE standing = 'completed';
        """,
    ),
    (
        "0004-audit",
        """
        -- Hash-chained; see record.audit. Nothing ever updates or deletes a row.
        CREATE TABLE audit (
            number INTEGER PRIMARY KEY,
            at TEXT NOT NULL,
            kind TEXT NOT NULL,
            action TEXT NOT NULL,
            outcome INTEGER NOT NULL,
            who TEXT NOT NULL,
            image INTEGER,
            digest TEXT,
            entry TEXT,
            detail TEXT NOT NULL,
            before TEXT NOT NULL,
            hash TEXT NOT NULL
        ) STRICT;
        """,
    ),
    (
        "0005-retention",
        """
        ALTER TABLE images ADD COLUMN thinned INTEGER NOT NULL DEFAULT 0;   -- see record.retention
        CREATE INDEX images_not_thinned ON images (changed) WHERE thinned = 0;
        """,
    ),
    (
        "0006-sources",
        """
        -- Archives (image is empty) and companion files, by the image that they were read with; see record.sources.
        CREATE TABLE sources (
            path BLOB NOT NULL,
            image BLOB NOT NULL,
            camera TEXT NOT NULL,
            digest TEXT NOT NULL,
            at TEXT NOT NULL,
            PRIMARY KEY (path, image)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX sources_by_camera ON sources (camera);
        """,
    ),
)
