-- The tables as they are now: what all migrations together amount to. Portable to SQLite and PostgreSQL; what only one
-- of them can say stands in the file of the same name with .sqlite or .postgres.
--
-- Rules that hold for every table of money: merchant_id is the first column of every key, so that the tables can be
-- spread over machines by it; ids are texts made by the process; money is an integer number of fen; times are
-- milliseconds since 1970. A column is a fact that a query or a rule needs; everything else about a row is in its
-- JSON text `about`, which the database never reads.
--
-- due_at_ms and version make every row its own due work: to claim a row is to raise its version and put its due time
-- behind a lease, in one guarded update. A worker that slept through its lease holds an old version and writes nothing.
--
-- The register (from merchant to act) is small, changes rarely and holds no money: where tables are spread over machines
-- its tables are copied to each of them, so their keys may be what people know: a login, a mobile, a device's number.

CREATE TABLE merchant (
    merchant_id TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('WAITING', 'ON', 'OFF')),
    about TEXT NOT NULL,
    agent_id TEXT NOT NULL DEFAULT '',
    mobile TEXT NOT NULL DEFAULT '',
    username TEXT NOT NULL DEFAULT '',
    version BIGINT NOT NULL DEFAULT 0,
    -- Of all its payments; fixed once there is one.
    currency TEXT NOT NULL DEFAULT 'CNY'
);

-- An agent knows a mobile, or a user name, of one merchant only.
CREATE UNIQUE INDEX merchant_mobile_once ON merchant (agent_id, mobile) WHERE mobile <> '';
CREATE UNIQUE INDEX merchant_username_once ON merchant (agent_id, username) WHERE username <> '';

-- Who may speak for which merchants. Secrets are sealed by the vault and stand here as base64.
CREATE TABLE credential (
    dialect TEXT NOT NULL,
    login TEXT NOT NULL,
    secret TEXT NOT NULL,
    previous TEXT,
    active INTEGER NOT NULL CHECK (active IN (0, 1)),
    options TEXT NOT NULL,
    password TEXT,
    previous_until_ms BIGINT,
    version BIGINT NOT NULL DEFAULT 1,
    PRIMARY KEY (dialect, login)
);

CREATE TABLE mandate (
    dialect TEXT NOT NULL,
    login TEXT NOT NULL,
    number TEXT NOT NULL,
    merchant_id TEXT NOT NULL,
    PRIMARY KEY (dialect, login, number),
    FOREIGN KEY (dialect, login) REFERENCES credential (dialect, login)
);

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
    version BIGINT NOT NULL DEFAULT 1,
    PRIMARY KEY (dialect, device_id)
);

CREATE INDEX device_of_merchant ON device (merchant_id);

-- A holder's code for a purpose, as a keyed digest; a new one takes the place of the old. A code that is used has no
-- tries left; used_by is a number of the use's own, which tells a use whose confirmation was lost from somebody else's.
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

-- When and from which address a login was last used with a good signature.
CREATE TABLE sighting (
    dialect TEXT NOT NULL,
    login TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    peer TEXT NOT NULL,
    PRIMARY KEY (dialect, login)
);

CREATE INDEX sighting_by_peer ON sighting (peer);

-- What was done to merchants, devices and keys, and by whom; merchant_id is empty where it concerns no single merchant.
CREATE TABLE act (
    merchant_id TEXT NOT NULL,
    act_id TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    about TEXT NOT NULL,
    PRIMARY KEY (merchant_id, act_id)
);

CREATE INDEX act_by_time ON act (at_ms, act_id);
CREATE INDEX act_of_merchant_by_time ON act (merchant_id, at_ms, act_id);

CREATE TABLE payment (
    merchant_id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    order_no TEXT NOT NULL,
    state TEXT NOT NULL,
    amount_fen BIGINT NOT NULL,
    currency TEXT NOT NULL,
    channel TEXT NOT NULL,
    paid_fen BIGINT NOT NULL DEFAULT 0,
    coupon_fen BIGINT NOT NULL DEFAULT 0,
    reserved_fen BIGINT NOT NULL DEFAULT 0,
    refunded_fen BIGINT NOT NULL DEFAULT 0,
    returned_fen BIGINT NOT NULL DEFAULT 0,
    reversed_fen BIGINT NOT NULL DEFAULT 0,
    parked_fen BIGINT NOT NULL DEFAULT 0,
    code_digest TEXT,
    created_at_ms BIGINT NOT NULL,
    due_at_ms BIGINT,
    version BIGINT NOT NULL DEFAULT 0,
    about TEXT NOT NULL,
    -- Which login of which dialect asked for it: `dialect/login`.
    taker TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (merchant_id, payment_id),
    CONSTRAINT payment_order_once UNIQUE (merchant_id, order_no),
    CONSTRAINT payment_state CHECK (state IN (
        'SUBMITTED', 'WAITING', 'UNKNOWN', 'PAID', 'FAILED', 'CLOSED', 'CANCELLING', 'REVERSING', 'CANCELLED', 'PARKED'
    )),
    CONSTRAINT payment_amount CHECK (amount_fen > 0),
    CONSTRAINT payment_paid_is_amount CHECK (
        (paid_fen = 0 AND coupon_fen = 0) OR (paid_fen > 0 AND coupon_fen >= 0 AND paid_fen + coupon_fen = amount_fen)
    ),
    CONSTRAINT payment_paid_by_state CHECK (
        (state = 'PAID' AND paid_fen > 0)
        OR (state IN ('REVERSING', 'CANCELLED', 'PARKED'))
        OR (state <> 'PAID' AND paid_fen = 0)
    ),
    CONSTRAINT payment_refunds_in_paid CHECK (
        refunded_fen >= 0 AND returned_fen >= 0
        AND refunded_fen + returned_fen <= reserved_fen AND reserved_fen <= paid_fen
    ),
    CONSTRAINT payment_refunds_if_paid CHECK (reserved_fen = 0 OR state = 'PAID'),
    CONSTRAINT payment_reversed CHECK (reversed_fen IN (0, paid_fen + parked_fen)),
    CONSTRAINT payment_cancelled CHECK (state <> 'CANCELLED' OR reversed_fen = paid_fen + parked_fen),
    -- What was taken was either what was asked or a contradiction of it.
    CONSTRAINT payment_parked CHECK (parked_fen >= 0 AND (paid_fen = 0 OR parked_fen = 0))
);

-- A payer's code starts one payment; it is let go when that payment ends unpaid, or some time after it was paid.
CREATE UNIQUE INDEX payment_code_once ON payment (merchant_id, code_digest) WHERE code_digest IS NOT NULL;
CREATE INDEX payment_due ON payment (due_at_ms) WHERE due_at_ms IS NOT NULL;
CREATE INDEX payment_parked ON payment (created_at_ms) WHERE state = 'PARKED';
CREATE INDEX payment_by_taker ON payment (merchant_id, taker, created_at_ms);

CREATE TABLE refund (
    merchant_id TEXT NOT NULL,
    refund_id TEXT NOT NULL,
    refund_no TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    channel TEXT NOT NULL,
    state TEXT NOT NULL,
    amount_fen BIGINT NOT NULL,
    currency TEXT NOT NULL,
    refunded_fen BIGINT NOT NULL DEFAULT 0,
    created_at_ms BIGINT NOT NULL,
    due_at_ms BIGINT,
    version BIGINT NOT NULL DEFAULT 0,
    about TEXT NOT NULL,
    PRIMARY KEY (merchant_id, refund_id),
    CONSTRAINT refund_once UNIQUE (merchant_id, refund_no),
    CONSTRAINT refund_of_payment FOREIGN KEY (merchant_id, payment_id) REFERENCES payment (merchant_id, payment_id),
    CONSTRAINT refund_state CHECK (
        state IN ('SUBMITTED', 'PROCESSING', 'UNKNOWN', 'DONE', 'FAILED', 'RETURNED_TO_CASH')
    ),
    CONSTRAINT refund_amount CHECK (amount_fen > 0),
    CONSTRAINT refund_done CHECK (
        (state = 'DONE' AND refunded_fen = amount_fen) OR (state <> 'DONE' AND refunded_fen = 0)
    )
);

CREATE INDEX refund_by_payment ON refund (merchant_id, payment_id);
CREATE INDEX refund_due ON refund (due_at_ms) WHERE due_at_ms IS NOT NULL;
CREATE INDEX refund_by_time ON refund (merchant_id, created_at_ms);

CREATE TABLE notice (
    merchant_id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    notice_id TEXT NOT NULL,
    receiver TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    due_at_ms BIGINT,
    version BIGINT NOT NULL DEFAULT 0,
    about TEXT NOT NULL,
    -- The payment stands in the key so that one index serves both one notice and all notices of a payment.
    PRIMARY KEY (merchant_id, payment_id, notice_id),
    CONSTRAINT notice_state CHECK (state IN ('PENDING', 'DELIVERED', 'EXHAUSTED', 'WITHDRAWN'))
);

CREATE INDEX notice_due ON notice (due_at_ms) WHERE due_at_ms IS NOT NULL;
CREATE INDEX notice_exhausted ON notice (created_at_ms) WHERE state = 'EXHAUSTED';

-- One line of a posting. The key makes it impossible to book a movement twice; the payment stands in it so that one
-- index serves both that rule and the question for a payment's lines (a refund belongs to one payment for ever).
-- Lines are written by the statement that changes their payment, so they need no foreign key to find it.
CREATE TABLE ledger (
    merchant_id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    account TEXT NOT NULL,
    amount_fen BIGINT NOT NULL,
    currency TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (merchant_id, payment_id, subject_id, kind, account),
    CONSTRAINT ledger_kind CHECK (kind IN ('SALE', 'REVERSAL', 'REFUND', 'REFUND_TO_CASH', 'PARK', 'UNPARK')),
    CONSTRAINT ledger_amount CHECK (amount_fen <> 0)
);

-- Which process makes numbers under which node, and until when: two processes never share one.
CREATE TABLE node (
    node INTEGER NOT NULL PRIMARY KEY,
    until_ms BIGINT NOT NULL,
    CONSTRAINT node_three_digits CHECK (node BETWEEN 0 AND 999)
);
