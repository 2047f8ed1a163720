-- Every statement of the store but those of the register, which stand in queries.register.sql. Each starts with its name
-- between dashes and a sentence on what it is for. A name that ends in .sqlite or .postgres is for that database alone;
-- most are for both. `:name` is a parameter; a name in braces stands for the text of that section.

-- payment_columns --
-- What makes a payment, in the order that rows.py reads it.
merchant_id, payment_id, order_no, state, amount_fen, currency, channel, paid_fen, coupon_fen, reserved_fen,
refunded_fen, returned_fen, reversed_fen, parked_fen, code_digest, created_at_ms, due_at_ms, version, about

-- refund_columns --
-- What makes a refund.
merchant_id, refund_id, refund_no, payment_id, state, amount_fen, currency, refunded_fen, created_at_ms, due_at_ms,
version, about, channel

-- notice_columns --
-- What makes a notice.
merchant_id, notice_id, payment_id, state, created_at_ms, due_at_ms, version, about, receiver


-- add_payment --
-- A new payment, which has moved no money. Nothing happens if its order number or its payer's code is held already.
INSERT INTO payment
    (merchant_id, payment_id, order_no, state, amount_fen, currency, channel, code_digest, created_at_ms, due_at_ms,
     about, taker)
VALUES
    (:merchant_id, :payment_id, :order_no, :state, :amount_fen, :currency, :channel, :code_digest, :created_at_ms,
     :due_at_ms, :about, :taker)
ON CONFLICT DO NOTHING

-- add_payments.postgres --
-- Many add_payment in one statement; tells which were written.
INSERT INTO payment
    (merchant_id, payment_id, order_no, state, amount_fen, currency, channel, code_digest, created_at_ms, due_at_ms,
     about, taker)
SELECT * FROM unnest(
    :add_payment__merchant_id::text[], :add_payment__payment_id::text[], :add_payment__order_no::text[],
    :add_payment__state::text[], :add_payment__amount_fen::bigint[], :add_payment__currency::text[],
    :add_payment__channel::text[], :add_payment__code_digest::text[], :add_payment__created_at_ms::bigint[],
    :add_payment__due_at_ms::bigint[], :add_payment__about::text[], :add_payment__taker::text[]
)
ON CONFLICT DO NOTHING
RETURNING merchant_id, order_no

-- move_payment --
-- The next record of a payment, if nobody else wrote one meanwhile. What refunds own (reserved, refunded, returned) is
-- not touched.
UPDATE payment SET
    state = :state, paid_fen = :paid_fen, coupon_fen = :coupon_fen, reversed_fen = :reversed_fen,
    parked_fen = :parked_fen, code_digest = :code_digest, due_at_ms = :due_at_ms, about = :about, version = version + 1
WHERE merchant_id = :merchant_id AND payment_id = :payment_id AND version = :version

-- move_payments.postgres --
-- Many move_payment in one statement, each with at most one posting and one notice, which are written only where the
-- payment was; tells which were.
WITH change AS (
    SELECT * FROM unnest(
        :move_payment__merchant_id::text[], :move_payment__payment_id::text[], :move_payment__version::bigint[],
        :move_payment__state::text[], :move_payment__paid_fen::bigint[], :move_payment__coupon_fen::bigint[],
        :move_payment__reversed_fen::bigint[], :move_payment__parked_fen::bigint[],
        :move_payment__code_digest::text[], :move_payment__due_at_ms::bigint[], :move_payment__about::text[],
        :post__subject_id::text[], :post__kind::text[], :post__plus_account::text[], :post__minus_account::text[],
        :post__amount_fen::bigint[], :post__currency::text[], :post__at_ms::bigint[],
        :add_notice__notice_id::text[], :add_notice__receiver::text[], :add_notice__state::text[],
        :add_notice__created_at_ms::bigint[], :add_notice__due_at_ms::bigint[], :add_notice__about::text[]
    ) AS change (
        merchant_id, payment_id, version, state, paid_fen, coupon_fen, reversed_fen, parked_fen, code_digest,
        due_at_ms, about,
        subject_id, kind, plus_account, minus_account, amount_fen, currency, at_ms,
        notice_id, receiver, notice_state, notice_created_at_ms, notice_due_at_ms, notice_about
    )
), moved AS (
    UPDATE payment SET
        state = change.state, paid_fen = change.paid_fen, coupon_fen = change.coupon_fen,
        reversed_fen = change.reversed_fen, parked_fen = change.parked_fen, code_digest = change.code_digest,
        due_at_ms = change.due_at_ms, about = change.about, version = payment.version + 1
    FROM change
    WHERE payment.merchant_id = change.merchant_id AND payment.payment_id = change.payment_id
        AND payment.version = change.version
    RETURNING change.*
), posted AS (
    INSERT INTO ledger (merchant_id, payment_id, subject_id, kind, account, amount_fen, currency, at_ms)
    SELECT merchant_id, payment_id, subject_id, kind, line.account, line.amount_fen, currency, at_ms
    FROM moved
    CROSS JOIN LATERAL (
        VALUES (moved.plus_account, moved.amount_fen), (moved.minus_account, -moved.amount_fen)
    ) AS line (account, amount_fen)
    WHERE kind IS NOT NULL
), told AS (
    INSERT INTO notice (merchant_id, notice_id, payment_id, receiver, state, created_at_ms, due_at_ms, about)
    SELECT
        merchant_id, notice_id, payment_id, receiver, notice_state, notice_created_at_ms, notice_due_at_ms, notice_about
    FROM moved
    WHERE notice_id IS NOT NULL
)
SELECT merchant_id, payment_id FROM moved

-- post --
-- Both lines of a posting. A movement that is booked already is refused by the key.
INSERT INTO ledger (merchant_id, payment_id, subject_id, kind, account, amount_fen, currency, at_ms)
VALUES
    (:merchant_id, :payment_id, :subject_id, :kind, :plus_account, CAST(:amount_fen AS BIGINT), :currency, :at_ms),
    (:merchant_id, :payment_id, :subject_id, :kind, :minus_account, -CAST(:amount_fen AS BIGINT), :currency, :at_ms)

-- add_notice --
-- A new notice.
INSERT INTO notice (merchant_id, notice_id, payment_id, receiver, state, created_at_ms, due_at_ms, about)
VALUES (:merchant_id, :notice_id, :payment_id, :receiver, :state, :created_at_ms, :due_at_ms, :about)

-- payment_by_order_no --
-- One payment by the merchant's number.
SELECT {payment_columns} FROM payment WHERE merchant_id = :merchant_id AND order_no = :order_no

-- payment_by_id --
-- One payment by our number.
SELECT {payment_columns} FROM payment WHERE merchant_id = :merchant_id AND payment_id = :payment_id

-- payment_of_code --
-- The payment that holds a payer's code.
SELECT {payment_columns} FROM payment WHERE merchant_id = :merchant_id AND code_digest = :code_digest

-- has_payments --
-- A row if a merchant has any payment.
SELECT 1 FROM payment WHERE merchant_id = :merchant_id LIMIT 1

-- payments_taken --
-- What a till was paid in some time: of each payment the sums and the rest.
SELECT amount_fen, paid_fen, about FROM payment
WHERE merchant_id = :merchant_id AND taker = :taker AND created_at_ms >= :since_ms AND created_at_ms < :until_ms
    AND state = 'PAID'

-- refunds_given --
-- What was given back in some time of what a till was paid: of each refund the sum, and the rest of its payment.
SELECT refund.refunded_fen, payment.about
FROM refund
JOIN payment ON payment.merchant_id = refund.merchant_id AND payment.payment_id = refund.payment_id
WHERE refund.merchant_id = :merchant_id AND refund.created_at_ms >= :since_ms AND refund.created_at_ms < :until_ms
    AND refund.state = 'DONE' AND payment.taker = :taker

-- parked_payments --
-- Payments that wait for a person, oldest first.
SELECT {payment_columns} FROM payment WHERE state = 'PARKED' ORDER BY created_at_ms, payment_id LIMIT :most

-- claim_payments.sqlite --
-- Takes payments that are due: one version up, and due again when the lease is over. What is at a channel among `busy`,
-- a JSON array, is left.
UPDATE payment SET due_at_ms = :due_again_at_ms, version = version + 1
WHERE rowid IN (SELECT rowid FROM payment
    WHERE due_at_ms <= :now_ms AND channel NOT IN (SELECT value FROM json_each(:busy)) ORDER BY due_at_ms LIMIT :most)
RETURNING {payment_columns}

-- claim_payments.postgres --
-- The same; rows that another claimer has in hand are passed over.
WITH due AS MATERIALIZED (
    SELECT merchant_id AS due_merchant_id, payment_id AS due_payment_id
    FROM payment
    WHERE due_at_ms <= :now_ms AND channel NOT IN (SELECT json_array_elements_text(CAST(:busy AS json)))
    ORDER BY due_at_ms LIMIT :most FOR UPDATE SKIP LOCKED
)
UPDATE payment SET due_at_ms = :due_again_at_ms, version = version + 1
FROM due
WHERE merchant_id = due_merchant_id AND payment_id = due_payment_id AND due_at_ms <= :now_ms
RETURNING {payment_columns}


-- add_refund --
-- A new refund. Nothing happens if its number is taken.
INSERT INTO refund
    (merchant_id, refund_id, refund_no, payment_id, channel, state, amount_fen, currency, created_at_ms, due_at_ms,
     about)
VALUES
    (:merchant_id, :refund_id, :refund_no, :payment_id, :channel, :state, :amount_fen, :currency, :created_at_ms,
     :due_at_ms, :about)
ON CONFLICT DO NOTHING

-- reserve --
-- Sets a refund's amount aside on its payment, if that is paid and has so much left.
UPDATE payment SET reserved_fen = reserved_fen + CAST(:amount_fen AS BIGINT), version = version + 1
WHERE merchant_id = :merchant_id AND payment_id = :payment_id AND state = 'PAID'
    AND reserved_fen + CAST(:amount_fen AS BIGINT) <= paid_fen

-- move_refund --
-- The next record of a refund, if nobody else wrote one meanwhile.
UPDATE refund SET
    state = :state, refunded_fen = :refunded_fen, due_at_ms = :due_at_ms, about = :about, version = version + 1
WHERE merchant_id = :merchant_id AND refund_id = :refund_id AND version = :version

-- settle_reserved --
-- What the end of a refund means for its payment's sums; not, if a share that was let go is wanted back and is gone.
UPDATE payment SET
    reserved_fen = reserved_fen - :released_fen, refunded_fen = refunded_fen + :refunded_fen,
    returned_fen = returned_fen + :returned_fen, version = version + 1
WHERE merchant_id = :merchant_id AND payment_id = :payment_id
    AND (CAST(:released_fen AS BIGINT) >= 0
        OR (state = 'PAID' AND reserved_fen - CAST(:released_fen AS BIGINT) <= paid_fen))

-- refund_by_no --
-- One refund by the merchant's number.
SELECT {refund_columns} FROM refund WHERE merchant_id = :merchant_id AND refund_no = :refund_no

-- refund_by_id --
-- One refund by our number.
SELECT {refund_columns} FROM refund WHERE merchant_id = :merchant_id AND refund_id = :refund_id

-- refunds_of --
-- All refunds of a payment, oldest first; our numbers rise with time.
SELECT {refund_columns} FROM refund WHERE merchant_id = :merchant_id AND payment_id = :payment_id
ORDER BY created_at_ms, refund_id

-- claim_refunds.sqlite --
-- As claim_payments.
UPDATE refund SET due_at_ms = :due_again_at_ms, version = version + 1
WHERE rowid IN (SELECT rowid FROM refund
    WHERE due_at_ms <= :now_ms AND channel NOT IN (SELECT value FROM json_each(:busy)) ORDER BY due_at_ms LIMIT :most)
RETURNING {refund_columns}

-- claim_refunds.postgres --
-- As claim_payments.
WITH due AS MATERIALIZED (
    SELECT merchant_id AS due_merchant_id, refund_id AS due_refund_id
    FROM refund
    WHERE due_at_ms <= :now_ms AND channel NOT IN (SELECT json_array_elements_text(CAST(:busy AS json)))
    ORDER BY due_at_ms LIMIT :most FOR UPDATE SKIP LOCKED
)
UPDATE refund SET due_at_ms = :due_again_at_ms, version = version + 1
FROM due
WHERE merchant_id = due_merchant_id AND refund_id = due_refund_id AND due_at_ms <= :now_ms
RETURNING {refund_columns}


-- notices_of --
-- All notices of a payment and of its refunds, oldest first.
SELECT {notice_columns} FROM notice WHERE merchant_id = :merchant_id AND payment_id = :payment_id
ORDER BY created_at_ms, notice_id

-- move_notice --
-- The next record of a notice, if nobody else wrote one meanwhile.
UPDATE notice SET state = :state, due_at_ms = :due_at_ms, about = :about, version = version + 1
WHERE merchant_id = :merchant_id AND payment_id = :payment_id AND notice_id = :notice_id AND version = :version

-- move_notices.postgres --
-- Many move_notice in one statement; tells which were written.
UPDATE notice SET
    state = change.state, due_at_ms = change.due_at_ms, about = change.about, version = notice.version + 1
FROM unnest(
    :move_notice__merchant_id::text[], :move_notice__payment_id::text[], :move_notice__notice_id::text[],
    :move_notice__version::bigint[], :move_notice__state::text[], :move_notice__due_at_ms::bigint[],
    :move_notice__about::text[]
) AS change (merchant_id, payment_id, notice_id, version, state, due_at_ms, about)
WHERE notice.merchant_id = change.merchant_id AND notice.payment_id = change.payment_id
    AND notice.notice_id = change.notice_id AND notice.version = change.version
RETURNING notice.merchant_id, notice.payment_id, notice.notice_id

-- exhausted_notices --
-- Notices that nobody heard, oldest first.
SELECT {notice_columns} FROM notice WHERE state = 'EXHAUSTED' ORDER BY created_at_ms, notice_id LIMIT :most

-- claim_notices.sqlite --
-- As claim_payments, but for no receiver among `busy`.
UPDATE notice SET due_at_ms = :due_again_at_ms, version = version + 1
WHERE rowid IN (SELECT rowid FROM notice
    WHERE due_at_ms <= :now_ms AND receiver NOT IN (SELECT value FROM json_each(:busy)) ORDER BY due_at_ms LIMIT :most)
RETURNING {notice_columns}

-- claim_notices.postgres --
-- As claim_payments, but for no receiver among `busy`.
WITH due AS MATERIALIZED (
    SELECT merchant_id AS due_merchant_id, payment_id AS due_payment_id, notice_id AS due_notice_id
    FROM notice
    WHERE due_at_ms <= :now_ms AND receiver NOT IN (SELECT json_array_elements_text(CAST(:busy AS json)))
    ORDER BY due_at_ms LIMIT :most FOR UPDATE SKIP LOCKED
)
UPDATE notice SET due_at_ms = :due_again_at_ms, version = version + 1
FROM due
WHERE merchant_id = due_merchant_id AND payment_id = due_payment_id AND notice_id = due_notice_id
    AND due_at_ms <= :now_ms
RETURNING {notice_columns}

-- next_payment_due.sqlite --
-- When the earliest payment is due that is at no channel among `busy`, a JSON array.
SELECT due_at_ms FROM payment
WHERE due_at_ms IS NOT NULL AND channel NOT IN (SELECT value FROM json_each(:busy)) ORDER BY due_at_ms LIMIT 1

-- next_payment_due.postgres --
-- The same.
SELECT due_at_ms FROM payment
WHERE due_at_ms IS NOT NULL AND channel NOT IN (SELECT json_array_elements_text(CAST(:busy AS json)))
ORDER BY due_at_ms LIMIT 1

-- next_refund_due.sqlite --
-- When the earliest refund is due that is at no channel among `busy`, a JSON array.
SELECT due_at_ms FROM refund
WHERE due_at_ms IS NOT NULL AND channel NOT IN (SELECT value FROM json_each(:busy)) ORDER BY due_at_ms LIMIT 1

-- next_refund_due.postgres --
-- The same.
SELECT due_at_ms FROM refund
WHERE due_at_ms IS NOT NULL AND channel NOT IN (SELECT json_array_elements_text(CAST(:busy AS json)))
ORDER BY due_at_ms LIMIT 1

-- next_notice_due.sqlite --
-- When the earliest notice is due that is for no receiver among `busy`, a JSON array.
SELECT due_at_ms FROM notice
WHERE due_at_ms IS NOT NULL AND receiver NOT IN (SELECT value FROM json_each(:busy)) ORDER BY due_at_ms LIMIT 1

-- next_notice_due.postgres --
-- The same.
SELECT due_at_ms FROM notice
WHERE due_at_ms IS NOT NULL AND receiver NOT IN (SELECT json_array_elements_text(CAST(:busy AS json)))
ORDER BY due_at_ms LIMIT 1


-- take_free_node.sqlite --
-- A node number that nobody holds any more, for as long as `until_ms` says. Tells which.
UPDATE node SET until_ms = :until_ms
WHERE node = (SELECT node FROM node WHERE until_ms < :now_ms ORDER BY node LIMIT 1)
RETURNING node

-- take_free_node.postgres --
-- The same; of many who come at one moment each takes another, so no free number is passed over.
UPDATE node SET until_ms = :until_ms
WHERE node = (SELECT node FROM node WHERE until_ms < :now_ms ORDER BY node LIMIT 1 FOR UPDATE SKIP LOCKED)
    AND until_ms < :now_ms
RETURNING node

-- add_node --
-- The next node number that was never held. Nothing happens if another process takes it at the same moment.
INSERT INTO node (node, until_ms)
SELECT COALESCE(MAX(node) + 1, 0), CAST(:until_ms AS BIGINT) FROM node WHERE 1 = 1
ON CONFLICT DO NOTHING
RETURNING node

-- keep_node --
-- Holds a node number for longer, if it is still held until just then.
UPDATE node SET until_ms = :until_ms WHERE node = :node AND until_ms = :held_until_ms


-- postings_of --
-- The lines of a payment, oldest first; of the two lines of a posting the one that gains first.
SELECT merchant_id, payment_id, subject_id, kind, currency, at_ms, account, amount_fen
FROM ledger WHERE merchant_id = :merchant_id AND payment_id = :payment_id
ORDER BY
    at_ms,
    CASE kind WHEN 'SALE' THEN 0 WHEN 'PARK' THEN 0 WHEN 'REVERSAL' THEN 2 WHEN 'UNPARK' THEN 2 ELSE 1 END,
    subject_id, kind, amount_fen DESC

-- audit_postings --
-- A posting has two lines, which sum to zero.
SELECT 'posting ' || kind || ' of ' || merchant_id || '/' || subject_id || ' has ' || CAST(COUNT(*) AS TEXT)
    || ' lines that sum to ' || CAST(SUM(amount_fen) AS TEXT) || ' ' || currency
FROM ledger
GROUP BY merchant_id, payment_id, subject_id, kind, currency
HAVING SUM(amount_fen) <> 0 OR COUNT(*) <> 2
ORDER BY merchant_id, subject_id, kind

-- audit_subjects --
-- Every line belongs to a payment, in that payment's currency and with an account that can concern it.
SELECT 'ledger line ' || ledger.kind || '/' || ledger.account || ' of ' || ledger.merchant_id || '/'
    || ledger.subject_id || CASE
        WHEN payment.payment_id IS NULL THEN ' has no payment'
        WHEN payment.currency <> ledger.currency THEN ' is in another currency than its payment'
        ELSE ' is on an account that does not concern its payment'
    END
FROM ledger
LEFT JOIN payment ON payment.merchant_id = ledger.merchant_id AND payment.payment_id = ledger.payment_id
WHERE payment.payment_id IS NULL OR payment.currency <> ledger.currency
    OR ledger.account NOT IN ('channel:' || payment.channel, 'merchant', 'cash', 'suspense')
ORDER BY ledger.merchant_id, ledger.subject_id, ledger.kind, ledger.account

-- audit_currencies --
-- A merchant's payments are all in its own currency, and a refund in its payment's.
SELECT 'payment ' || payment.merchant_id || '/' || payment.payment_id || ' is in ' || payment.currency
    || ', its merchant keeps ' || merchant.currency
FROM payment
JOIN merchant ON merchant.merchant_id = payment.merchant_id
WHERE payment.currency <> merchant.currency
ORDER BY payment.merchant_id, payment.payment_id

-- audit_accounts --
-- The accounts of a payment say what its sums say.
SELECT 'payment ' || merchant_id || '/' || payment_id || ' should have ' || account || ' at '
    || CAST(expected_fen AS TEXT) || ', its ledger has ' || CAST(found_fen AS TEXT)
FROM (
    SELECT
        due.merchant_id, due.payment_id, due.account, due.expected_fen,
        (
            SELECT COALESCE(SUM(amount_fen), 0) FROM ledger
            WHERE ledger.merchant_id = due.merchant_id AND ledger.payment_id = due.payment_id
                AND ledger.account = due.account
        ) AS found_fen
    FROM (
        SELECT merchant_id, payment_id, 'channel:' || channel AS account,
            paid_fen - reversed_fen - refunded_fen - returned_fen + parked_fen AS expected_fen FROM payment
        UNION ALL
        SELECT merchant_id, payment_id, 'merchant',
            CASE WHEN paid_fen > 0 THEN reversed_fen ELSE 0 END + refunded_fen - paid_fen FROM payment
        UNION ALL
        SELECT merchant_id, payment_id, 'cash', returned_fen FROM payment
        UNION ALL
        SELECT merchant_id, payment_id, 'suspense',
            CASE WHEN parked_fen > 0 THEN reversed_fen ELSE 0 END - parked_fen FROM payment
    ) AS due
) AS compared
WHERE expected_fen <> found_fen
ORDER BY merchant_id, payment_id, account

-- audit_refund_sums --
-- The sums of a payment say what its refunds say.
SELECT 'payment ' || merchant_id || '/' || payment_id || ' has reserved, refunded, returned at '
    || CAST(reserved_fen AS TEXT) || ', ' || CAST(refunded_fen AS TEXT) || ', ' || CAST(returned_fen AS TEXT)
    || '; its refunds say ' || CAST(asked_fen AS TEXT) || ', ' || CAST(done_fen AS TEXT) || ', '
    || CAST(bounced_fen AS TEXT)
FROM (
    SELECT
        payment.merchant_id, payment.payment_id, payment.reserved_fen, payment.refunded_fen, payment.returned_fen,
        COALESCE(SUM(CASE WHEN refund.state <> 'FAILED' THEN refund.amount_fen END), 0) AS asked_fen,
        COALESCE(SUM(CASE WHEN refund.state = 'DONE' THEN refund.refunded_fen END), 0) AS done_fen,
        COALESCE(SUM(CASE WHEN refund.state = 'RETURNED_TO_CASH' THEN refund.amount_fen END), 0) AS bounced_fen
    FROM payment
    LEFT JOIN refund ON refund.merchant_id = payment.merchant_id AND refund.payment_id = payment.payment_id
    GROUP BY
        payment.merchant_id, payment.payment_id, payment.reserved_fen, payment.refunded_fen, payment.returned_fen
) AS compared
WHERE reserved_fen <> asked_fen OR refunded_fen <> done_fen OR returned_fen <> bounced_fen
ORDER BY merchant_id, payment_id

-- audit_refunds --
-- A refund belongs to a payment, and the ledger has moved what its state says.
SELECT 'refund ' || merchant_id || '/' || refund_id || CASE
        WHEN owner IS NULL THEN ' has no payment'
        WHEN owner_currency <> currency THEN ' is in another currency than its payment'
        ELSE ' is ' || state || ' but its ledger lines sum to ' || CAST(found_fen AS TEXT)
    END
FROM (
    SELECT
        refund.merchant_id, refund.refund_id, refund.state, refund.currency,
        payment.payment_id AS owner, payment.currency AS owner_currency,
        CASE WHEN refund.state IN ('DONE', 'RETURNED_TO_CASH') THEN refund.amount_fen ELSE 0 END AS expected_fen,
        (
            SELECT COALESCE(SUM(ledger.amount_fen), 0) FROM ledger
            WHERE ledger.merchant_id = refund.merchant_id AND ledger.payment_id = refund.payment_id
                AND ledger.subject_id = refund.refund_id AND ledger.amount_fen > 0
                AND ledger.kind = CASE refund.state WHEN 'RETURNED_TO_CASH' THEN 'REFUND_TO_CASH' ELSE 'REFUND' END
        ) AS found_fen
    FROM refund
    LEFT JOIN payment ON payment.merchant_id = refund.merchant_id AND payment.payment_id = refund.payment_id
) AS compared
WHERE owner IS NULL OR owner_currency <> currency OR expected_fen <> found_fen
ORDER BY merchant_id, refund_id

-- audit_states --
-- The state of a payment and its sums tell one story. The table's own rules say so too; this asks again.
SELECT 'payment ' || merchant_id || '/' || payment_id || ' is ' || state || ' with paid, reserved, reversed, parked at '
    || CAST(paid_fen AS TEXT) || ', ' || CAST(reserved_fen AS TEXT) || ', ' || CAST(reversed_fen AS TEXT) || ', '
    || CAST(parked_fen AS TEXT)
FROM payment
WHERE (state = 'PAID' AND paid_fen + coupon_fen <> amount_fen)
    OR (state = 'PAID' AND paid_fen <= 0)
    OR (state IN ('SUBMITTED', 'WAITING', 'UNKNOWN', 'FAILED', 'CLOSED', 'CANCELLING') AND paid_fen + parked_fen <> 0)
    OR (state = 'CANCELLED' AND reversed_fen <> paid_fen + parked_fen)
    OR (state <> 'PAID' AND reserved_fen <> 0)
    OR reserved_fen > paid_fen
    OR refunded_fen + returned_fen > reserved_fen
ORDER BY merchant_id, payment_id


-- migrations_done --
-- What has been applied to this database.
SELECT number, checksum FROM migration ORDER BY number

-- record_migration --
-- Marks a migration as applied, in the transaction that applies it. Of two processes that start together the second
-- waits here for the first, and then finds that it has nothing to do.
INSERT INTO migration (number, name, checksum) VALUES (:number, :name, :checksum) ON CONFLICT DO NOTHING
