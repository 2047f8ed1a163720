-- Who is who: agents, shops, operators, devices, their one-time codes, where each login was last used, and what was done
-- to all of them. What only one database can say stands in the file of the same name with .sqlite or .postgres.

ALTER TABLE merchant ADD COLUMN agent_id TEXT NOT NULL DEFAULT '';
ALTER TABLE merchant ADD COLUMN mobile TEXT NOT NULL DEFAULT '';
ALTER TABLE merchant ADD COLUMN username TEXT NOT NULL DEFAULT '';
ALTER TABLE merchant ADD COLUMN version BIGINT NOT NULL DEFAULT 0;

CREATE UNIQUE INDEX merchant_mobile_once ON merchant (agent_id, mobile) WHERE mobile <> '';
CREATE UNIQUE INDEX merchant_username_once ON merchant (agent_id, username) WHERE username <> '';

ALTER TABLE credential ADD COLUMN password TEXT;
ALTER TABLE credential ADD COLUMN previous_until_ms BIGINT;

CREATE TABLE agent (
    agent_id TEXT NOT NULL PRIMARY KEY,
    about TEXT NOT NULL
);

CREATE TABLE shop (
    merchant_id TEXT NOT NULL,
    shop_id TEXT NOT NULL,
    about TEXT NOT NULL,
    PRIMARY KEY (merchant_id, shop_id)
);

CREATE TABLE operator (
    merchant_id TEXT NOT NULL,
    operator_id TEXT NOT NULL,
    about TEXT NOT NULL,
    PRIMARY KEY (merchant_id, operator_id)
);

CREATE TABLE device (
    dialect TEXT NOT NULL,
    device_id TEXT NOT NULL,
    merchant_id TEXT NOT NULL,
    about TEXT NOT NULL,
    PRIMARY KEY (dialect, device_id)
);

CREATE INDEX device_of_merchant ON device (merchant_id);

CREATE TABLE one_time_code (
    purpose TEXT NOT NULL,
    holder TEXT NOT NULL,
    digest TEXT NOT NULL,
    made_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT,
    tries_left INTEGER NOT NULL,
    used_by TEXT,
    PRIMARY KEY (purpose, holder),
    CONSTRAINT one_time_code_once UNIQUE (purpose, digest),
    CONSTRAINT one_time_code_tries CHECK (tries_left >= 0),
    CONSTRAINT one_time_code_used CHECK (used_by IS NULL OR tries_left = 0)
);

CREATE TABLE sighting (
    dialect TEXT NOT NULL,
    login TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    peer TEXT NOT NULL,
    PRIMARY KEY (dialect, login)
);

CREATE INDEX sighting_by_peer ON sighting (peer);

CREATE TABLE act (
    merchant_id TEXT NOT NULL,
    act_id TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    about TEXT NOT NULL,
    PRIMARY KEY (merchant_id, act_id)
);

CREATE INDEX act_by_time ON act (at_ms, act_id);
CREATE INDEX act_of_merchant_by_time ON act (merchant_id, at_ms, act_id);
