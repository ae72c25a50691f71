-- A journal as irisdrop kept it when 0001-first was its newest migration. Never edited: every later version must open it.
BEGIN TRANSACTION;
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
INSERT INTO "attempts" VALUES(1,6,'E000815','R','2026-11-24T08:06:00.000000Z','2026-11-24T08:07:00.000000Z','delivered',NULL);
CREATE TABLE cameras (name TEXT PRIMARY KEY, folder BLOB NOT NULL, first_start TEXT NOT NULL,
                              left_alone INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
INSERT INTO "cameras" VALUES('room-2',X'2F6578706F727473','2026-11-24T08:00:00.000000Z',3);
CREATE TABLE conditions (code TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL,
                                 since TEXT NOT NULL, PRIMARY KEY (code, subject)) STRICT, WITHOUT ROWID;
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
INSERT INTO "entries" VALUES(1,'E000815','{"PatientID": "000815"}','2026-11-24T08:00:00.000000Z',NULL,NULL,'open',1,1);
CREATE TABLE entry_keys (key TEXT NOT NULL, value TEXT NOT NULL, number INTEGER NOT NULL,
                                 PRIMARY KEY (key, value, number)) STRICT, WITHOUT ROWID;
INSERT INTO "entry_keys" VALUES('PatientID','000815',1);
CREATE TABLE folders (id INTEGER PRIMARY KEY, camera TEXT NOT NULL, path BLOB NOT NULL,
                              UNIQUE (camera, path)) STRICT;
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
INSERT INTO "history" VALUES(1,1,'2026-11-24T08:01:00.000000Z','see',NULL,'SEEN','irisdrop','appeared in the folder');
INSERT INTO "history" VALUES(2,2,'2026-11-24T08:02:00.000000Z','see',NULL,'SEEN','irisdrop','appeared in the folder');
INSERT INTO "history" VALUES(3,3,'2026-11-24T08:03:00.000000Z','see',NULL,'SEEN','irisdrop','appeared in the folder');
INSERT INTO "history" VALUES(4,4,'2026-11-24T08:04:00.000000Z','see',NULL,'SEEN','irisdrop','appeared in the folder');
INSERT INTO "history" VALUES(5,5,'2026-11-24T08:05:00.000000Z','see',NULL,'SEEN','irisdrop','appeared in the folder');
INSERT INTO "history" VALUES(6,6,'2026-11-24T08:06:00.000000Z','see',NULL,'SEEN','irisdrop','appeared in the folder');
INSERT INTO "history" VALUES(7,7,'2026-11-24T08:07:00.000000Z','see',NULL,'SEEN','irisdrop','appeared in the folder');
INSERT INTO "history" VALUES(8,8,'2026-11-24T08:08:00.000000Z','see',NULL,'SEEN','irisdrop','appeared in the folder');
INSERT INTO "history" VALUES(9,9,'2026-11-24T08:09:00.000000Z','see',NULL,'SEEN','irisdrop','appeared in the folder');
INSERT INTO "history" VALUES(10,10,'2026-11-24T08:10:00.000000Z','see',NULL,'SEEN','irisdrop','appeared in the folder');
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
INSERT INTO "images" VALUES(1,1,'SEEN','room-2',X'2F6578706F7274732F312E6A7067','1.jpg',NULL,100,'2026-11-24T08:01:00.000000Z',1,'[["PatientID", "000815", "000815", "filename:PatientID", null]]','p1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-24T08:01:00.000000Z',NULL,NULL,NULL,NULL,0,0.0,NULL,0,NULL,NULL,0,'2026-11-24T08:01:00.000000Z');
INSERT INTO "images" VALUES(2,1,'SETTLED','room-2',X'2F6578706F7274732F322E6A7067','2.jpg','0000000000000000000000000000000000000000000000000000000000000002',100,'2026-11-24T08:02:00.000000Z',1,'[["PatientID", "000815", "000815", "filename:PatientID", null]]','p1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-24T08:02:00.000000Z',NULL,NULL,NULL,NULL,0,0.0,NULL,0,NULL,NULL,0,'2026-11-24T08:02:00.000000Z');
INSERT INTO "images" VALUES(3,1,'IDENTIFIED','room-2',X'2F6578706F7274732F332E6A7067','3.jpg','0000000000000000000000000000000000000000000000000000000000000003',100,'2026-11-24T08:03:00.000000Z',1,'[["PatientID", "000815", "000815", "filename:PatientID", null]]','p1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-24T08:03:00.000000Z',NULL,NULL,NULL,NULL,0,0.0,NULL,0,NULL,NULL,0,'2026-11-24T08:03:00.000000Z');
INSERT INTO "images" VALUES(4,1,'MATCHED','room-2',X'2F6578706F7274732F342E6A7067','4.jpg','0000000000000000000000000000000000000000000000000000000000000004',100,'2026-11-24T08:04:00.000000Z',1,'[["PatientID", "000815", "000815", "filename:PatientID", null]]','p1',NULL,NULL,NULL,'E000815',1,'R',NULL,'2026-11-24T08:04:00.000000Z',NULL,NULL,NULL,NULL,0,0.0,NULL,0,NULL,NULL,0,'2026-11-24T08:04:00.000000Z');
INSERT INTO "images" VALUES(5,1,'UPLOADED','room-2',X'2F6578706F7274732F352E6A7067','5.jpg','0000000000000000000000000000000000000000000000000000000000000005',100,'2026-11-24T08:05:00.000000Z',1,'[["PatientID", "000815", "000815", "filename:PatientID", null]]','p1',NULL,NULL,NULL,'E000815',1,'R',NULL,'2026-11-24T08:05:00.000000Z',NULL,NULL,NULL,NULL,0,0.0,NULL,0,NULL,NULL,0,'2026-11-24T08:05:00.000000Z');
INSERT INTO "images" VALUES(6,1,'DELIVERED','room-2',X'2F6578706F7274732F362E6A7067','6.jpg','0000000000000000000000000000000000000000000000000000000000000006',100,'2026-11-24T08:06:00.000000Z',1,'[["PatientID", "000815", "000815", "filename:PatientID", null]]','p1',NULL,NULL,NULL,'E000815',1,'R',NULL,'2026-11-24T08:06:00.000000Z',NULL,NULL,NULL,NULL,0,0.0,NULL,0,NULL,'r-6',0,'2026-11-24T08:06:00.000000Z');
INSERT INTO "images" VALUES(7,1,'DUPLICATE','room-2',X'2F6578706F7274732F372E6A7067','7.jpg','0000000000000000000000000000000000000000000000000000000000000007',100,'2026-11-24T08:07:00.000000Z',1,'[["PatientID", "000815", "000815", "filename:PatientID", null]]','p1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-24T08:07:00.000000Z',NULL,NULL,NULL,NULL,0,0.0,NULL,0,NULL,NULL,0,'2026-11-24T08:07:00.000000Z');
INSERT INTO "images" VALUES(8,1,'QUARANTINED','room-2',X'2F6578706F7274732F382E6A7067','8.jpg','0000000000000000000000000000000000000000000000000000000000000008',100,'2026-11-24T08:08:00.000000Z',1,'[["PatientID", "000815", "000815", "filename:PatientID", null]]','p1','NO_KEYS',NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-24T08:08:00.000000Z',NULL,NULL,NULL,NULL,0,0.0,NULL,0,NULL,NULL,0,'2026-11-24T08:08:00.000000Z');
INSERT INTO "images" VALUES(9,1,'DISCARDED','room-2',X'2F6578706F7274732F392E6A7067','9.jpg','0000000000000000000000000000000000000000000000000000000000000009',100,'2026-11-24T08:09:00.000000Z',1,'[["PatientID", "000815", "000815", "filename:PatientID", null]]','p1','NO_KEYS',NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-24T08:09:00.000000Z',NULL,NULL,NULL,NULL,0,0.0,NULL,0,NULL,NULL,0,'2026-11-24T08:09:00.000000Z');
INSERT INTO "images" VALUES(10,1,'VANISHED','room-2',X'2F6578706F7274732F31302E6A7067','10.jpg',NULL,100,'2026-11-24T08:10:00.000000Z',1,'[["PatientID", "000815", "000815", "filename:PatientID", null]]','p1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-24T08:10:00.000000Z',NULL,NULL,NULL,NULL,0,0.0,NULL,0,NULL,NULL,0,'2026-11-24T08:10:00.000000Z');
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
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "meta" VALUES('worklist.synced','2026-11-24T08:05:00.000000Z');
CREATE TABLE migrations (name TEXT PRIMARY KEY, at TEXT NOT NULL) STRICT;
INSERT INTO "migrations" VALUES('0001-first','2026-11-24T08:00:00.000000Z');
CREATE TABLE profiles (digest TEXT PRIMARY KEY, name TEXT NOT NULL, text TEXT NOT NULL,
                               used TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "profiles" VALUES('p1','topcon-nw400','irisdrop: 1','2026-11-24T08:00:00.000000Z');
CREATE TABLE receipts (
            id TEXT PRIMARY KEY,
            image INTEGER NOT NULL REFERENCES images (id),
            digest TEXT NOT NULL,           -- of the bytes that were sent
            entry TEXT NOT NULL,
            eye TEXT NOT NULL,
            at TEXT NOT NULL,
            replaces TEXT
        ) STRICT, WITHOUT ROWID;
INSERT INTO "receipts" VALUES('r-6',6,'0000000000000000000000000000000000000000000000000000000000000006','E000815','R','2026-11-24T08:07:00.000000Z',NULL);
CREATE INDEX images_by_state ON images (state, recency DESC);
CREATE INDEX images_by_patience ON images (patience_until) WHERE patience_until IS NOT NULL;
CREATE INDEX images_by_digest ON images (digest) WHERE digest IS NOT NULL;
CREATE INDEX images_by_path ON images (path);
CREATE INDEX images_by_entry ON images (entry) WHERE entry IS NOT NULL;
CREATE INDEX history_by_image ON history (image, id);
CREATE INDEX attempts_by_image ON attempts (image, id);
CREATE INDEX attempts_open ON attempts (image) WHERE ended IS NULL;
CREATE INDEX receipts_by_image ON receipts (image);
CREATE INDEX known_unsettled ON known (folder) WHERE standing = 0;
CREATE INDEX entries_by_change ON entries (change);
CREATE INDEX entries_by_start ON entries (start) WHERE standing = 'open';
CREATE INDEX entry_keys_by_entry ON entry_keys (number);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('images',10);
INSERT INTO "sqlite_sequence" VALUES('history',10);
INSERT INTO "sqlite_sequence" VALUES('attempts',1);
COMMIT;
