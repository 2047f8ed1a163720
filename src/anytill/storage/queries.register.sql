-- Every statement of the register: who is who, and what was done to them. How it is written: see queries.sql.

-- merchant_columns --
-- What makes a merchant, in the order that register_rows.py reads it.
merchant_id, state, about, agent_id, mobile, username, version, currency


-- put_merchant --
-- Writes or replaces a merchant, whatever version is there.
INSERT INTO merchant (merchant_id, state, about, agent_id, mobile, username, currency)
VALUES (:merchant_id, :state, :about, :agent_id, :mobile, :username, :currency)
ON CONFLICT (merchant_id) DO UPDATE SET
    state = excluded.state, about = excluded.about, agent_id = excluded.agent_id, mobile = excluded.mobile,
    username = excluded.username, currency = excluded.currency, version = merchant.version + 1

-- add_merchant --
-- A new merchant. Nothing happens if its id is taken, or if its agent has its mobile or user name elsewhere.
INSERT INTO merchant (merchant_id, state, about, agent_id, mobile, username, currency)
VALUES (:merchant_id, :state, :about, :agent_id, :mobile, :username, :currency)
ON CONFLICT DO NOTHING

-- move_merchant --
-- The next record of a merchant, if nobody else wrote one meanwhile. Its currency is fixed by its first payment.
UPDATE merchant SET
    state = :state, about = :about, agent_id = :agent_id, mobile = :mobile, username = :username, currency = :currency,
    version = version + 1
WHERE merchant_id = :merchant_id AND version = :version
    AND (currency = :currency OR NOT EXISTS (SELECT 1 FROM payment WHERE payment.merchant_id = :merchant_id))

-- merchant --
-- One merchant.
SELECT {merchant_columns} FROM merchant WHERE merchant_id = :merchant_id

-- merchant_by_mobile --
-- The merchant that an agent knows by a mobile.
SELECT {merchant_columns} FROM merchant WHERE agent_id = :agent_id AND mobile = :mobile AND mobile <> ''

-- merchant_by_username --
-- The merchant that an agent knows by a user name.
SELECT {merchant_columns} FROM merchant WHERE agent_id = :agent_id AND username = :username AND username <> ''

-- merchants --
-- All merchants, by id.
SELECT {merchant_columns} FROM merchant ORDER BY merchant_id LIMIT :most


-- put_credential --
-- Writes or replaces a credential, whatever version is there.
INSERT INTO credential (dialect, login, secret, previous, active, options, password, previous_until_ms)
VALUES (:dialect, :login, :secret, :previous, :active, :options, :password, :previous_until_ms)
ON CONFLICT (dialect, login) DO UPDATE SET
    secret = excluded.secret, previous = excluded.previous, active = excluded.active, options = excluded.options,
    password = excluded.password, previous_until_ms = excluded.previous_until_ms, version = credential.version + 1

-- add_credential --
-- A new credential. Nothing happens if its login is taken.
INSERT INTO credential (dialect, login, secret, previous, active, options, password, previous_until_ms)
VALUES (:dialect, :login, :secret, :previous, :active, :options, :password, :previous_until_ms)
ON CONFLICT DO NOTHING

-- move_credential --
-- The next record of a credential, if nobody else wrote one meanwhile.
UPDATE credential SET
    secret = :secret, previous = :previous, active = :active, options = :options, password = :password,
    previous_until_ms = :previous_until_ms, version = version + 1
WHERE dialect = :dialect AND login = :login AND version = :version

-- drop_mandate --
-- Takes one merchant from a credential.
DELETE FROM mandate WHERE dialect = :dialect AND login = :login AND number = :number

-- put_mandate --
-- One merchant that a credential speaks for, and the number by which the vendor calls it.
INSERT INTO mandate (dialect, login, number, merchant_id) VALUES (:dialect, :login, :number, :merchant_id)
ON CONFLICT (dialect, login, number) DO UPDATE SET merchant_id = excluded.merchant_id

-- add_mandate --
-- One merchant more that a credential speaks for. Nothing happens if it calls another by this number.
INSERT INTO mandate (dialect, login, number, merchant_id) VALUES (:dialect, :login, :number, :merchant_id)
ON CONFLICT DO NOTHING

-- credential --
-- One credential, a row for each of its merchants (one row without a merchant if it has none).
SELECT secret, previous, active, options, password, previous_until_ms, version, number, merchant_id
FROM credential
LEFT JOIN mandate ON mandate.dialect = credential.dialect AND mandate.login = credential.login
WHERE credential.dialect = :dialect AND credential.login = :login
ORDER BY number

-- credentials --
-- All credentials, or those that speak for one merchant; rows as in credential, but no secret leaves the database.
SELECT
    credential.dialect, credential.login, active, CASE WHEN previous IS NULL THEN 0 ELSE 1 END, previous_until_ms,
    number, merchant_id
FROM credential
LEFT JOIN mandate ON mandate.dialect = credential.dialect AND mandate.login = credential.login
WHERE CAST(:merchant_id AS TEXT) = '' OR EXISTS (
    SELECT 1 FROM mandate AS wanted
    WHERE wanted.dialect = credential.dialect AND wanted.login = credential.login
        AND wanted.merchant_id = CAST(:merchant_id AS TEXT)
)
ORDER BY credential.dialect, credential.login, number


-- put_agent --
-- Writes or replaces an agent.
INSERT INTO agent (agent_id, about) VALUES (:agent_id, :about)
ON CONFLICT (agent_id) DO UPDATE SET about = excluded.about

-- add_agent --
-- A new agent. Nothing happens if its id is taken.
INSERT INTO agent (agent_id, about) VALUES (:agent_id, :about)
ON CONFLICT DO NOTHING

-- agents --
-- All agents, by id.
SELECT agent_id, about FROM agent ORDER BY agent_id

-- add_shop --
-- A new shop. Nothing happens if its id is taken.
INSERT INTO shop (merchant_id, shop_id, about) VALUES (:merchant_id, :shop_id, :about)
ON CONFLICT DO NOTHING

-- shops_of --
-- A merchant's shops, by id.
SELECT merchant_id, shop_id, about FROM shop WHERE merchant_id = :merchant_id ORDER BY shop_id

-- add_operator --
-- A new operator. Nothing happens if the id is taken.
INSERT INTO operator (merchant_id, operator_id, about) VALUES (:merchant_id, :operator_id, :about)
ON CONFLICT DO NOTHING

-- move_operator --
-- Replaces an operator that is still as it was.
UPDATE operator SET about = :about
WHERE merchant_id = :merchant_id AND operator_id = :operator_id AND about = :former

-- operators_of --
-- A merchant's operators, by id.
SELECT merchant_id, operator_id, about FROM operator WHERE merchant_id = :merchant_id ORDER BY operator_id

-- device_columns --
-- What makes a device, in the order that register_rows.py reads it.
dialect, device_id, merchant_id, version, about

-- put_device --
-- Writes or replaces a device, whatever version is there.
INSERT INTO device (dialect, device_id, merchant_id, about) VALUES (:dialect, :device_id, :merchant_id, :about)
ON CONFLICT (dialect, device_id) DO UPDATE SET
    merchant_id = excluded.merchant_id, about = excluded.about, version = device.version + 1

-- add_device --
-- A new device. Nothing happens if its number is taken.
INSERT INTO device (dialect, device_id, merchant_id, about) VALUES (:dialect, :device_id, :merchant_id, :about)
ON CONFLICT DO NOTHING

-- move_device --
-- The next record of a device, if nobody else wrote one meanwhile.
UPDATE device SET merchant_id = :merchant_id, about = :about, version = version + 1
WHERE dialect = :dialect AND device_id = :device_id AND version = :version

-- device --
-- One device.
SELECT {device_columns} FROM device WHERE dialect = :dialect AND device_id = :device_id

-- devices --
-- All devices, by dialect and number.
SELECT {device_columns} FROM device ORDER BY dialect, device_id

-- devices_of --
-- A merchant's devices, by dialect and number.
SELECT {device_columns} FROM device WHERE merchant_id = :merchant_id
ORDER BY dialect, device_id


-- put_code --
-- A holder's code in place of the former one, if that is old enough. Without a `not_since_ms` it always is.
INSERT INTO one_time_code (purpose, holder, digest, made_at_ms, expires_at_ms, tries_left)
VALUES (:purpose, :holder, :digest, :made_at_ms, :expires_at_ms, :tries_left)
ON CONFLICT (purpose, holder) DO UPDATE SET
    digest = excluded.digest, made_at_ms = excluded.made_at_ms, expires_at_ms = excluded.expires_at_ms,
    tries_left = excluded.tries_left, used_by = NULL
WHERE CAST(:not_since_ms AS BIGINT) IS NULL OR one_time_code.made_at_ms <= CAST(:not_since_ms AS BIGINT)

-- code_as_put --
-- Whether this very code is its holder's.
SELECT 1 FROM one_time_code
WHERE purpose = :purpose AND holder = :holder AND digest = :digest AND made_at_ms = :made_at_ms

-- code_holder --
-- Whose code has this digest, if it can still be used.
SELECT holder FROM one_time_code
WHERE purpose = :purpose AND digest = :digest AND tries_left > 0
    AND (expires_at_ms IS NULL OR expires_at_ms > :now_ms)

-- use_code --
-- Uses up the code that has this digest, if it can still be used.
UPDATE one_time_code SET tries_left = 0, used_by = :used_by
WHERE purpose = :purpose AND digest = :digest AND tries_left > 0
    AND (expires_at_ms IS NULL OR expires_at_ms > :now_ms)

-- try_code --
-- Takes a try from a holder's code, all of them if it is the right code in time, and tells the holder only then. A code
-- without tries is not looked at. All of this is one statement, so that tries at one moment come one after another.
UPDATE one_time_code SET
    tries_left = CASE
        WHEN digest = :digest AND (expires_at_ms IS NULL OR expires_at_ms > :now_ms) THEN 0 ELSE tries_left - 1
    END,
    used_by = CASE
        WHEN digest = :digest AND (expires_at_ms IS NULL OR expires_at_ms > :now_ms) THEN CAST(:used_by AS TEXT)
    END
WHERE purpose = :purpose AND holder = :holder AND tries_left > 0
RETURNING CASE WHEN used_by IS NOT NULL THEN holder END

-- code_used_by --
-- The holder of the code that this very use has used up.
SELECT holder FROM one_time_code WHERE purpose = :purpose AND digest = :digest AND used_by = :used_by


-- saw --
-- When and from where a login was last used, unless something later is known.
INSERT INTO sighting (dialect, login, at_ms, peer) VALUES (:dialect, :login, :at_ms, :peer)
ON CONFLICT (dialect, login) DO UPDATE SET at_ms = excluded.at_ms, peer = excluded.peer
WHERE sighting.at_ms <= excluded.at_ms

-- sightings --
-- When each login was last used.
SELECT dialect, login, at_ms, peer FROM sighting ORDER BY dialect, login

-- seen_at --
-- The logins last used from an address, not longer ago than asked; the latest first.
SELECT dialect, login, at_ms, peer FROM sighting WHERE peer = :peer AND at_ms >= :since_ms
ORDER BY at_ms DESC, dialect, login


-- add_act --
-- Something that was done, in the transaction that does it. Nothing happens if its id is taken.
INSERT INTO act (merchant_id, act_id, at_ms, about) VALUES (:merchant_id, :act_id, :at_ms, :about)
ON CONFLICT DO NOTHING

-- act_as_added --
-- Whether this very act is written down.
SELECT 1 FROM act
WHERE merchant_id = :merchant_id AND act_id = :act_id AND at_ms = :at_ms AND about = :about

-- acts --
-- What was done, newest first.
SELECT merchant_id, act_id, at_ms, about FROM act ORDER BY at_ms DESC, act_id DESC LIMIT :most

-- acts_of --
-- What was done to one merchant and what is its own, newest first.
SELECT merchant_id, act_id, at_ms, about FROM act WHERE merchant_id = :merchant_id
ORDER BY at_ms DESC, act_id DESC LIMIT :most
