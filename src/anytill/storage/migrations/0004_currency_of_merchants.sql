-- A merchant keeps its book in one currency. It is a column because a move of a merchant must not change it once there
-- are payments, and because the audit compares it with theirs.

ALTER TABLE merchant ADD COLUMN currency TEXT NOT NULL DEFAULT 'CNY';
