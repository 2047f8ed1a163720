-- Keys and devices have versions, so that of two who change one at the same moment the second is told, and looks again.

ALTER TABLE credential ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE device ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
