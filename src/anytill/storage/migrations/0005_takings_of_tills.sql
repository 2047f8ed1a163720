-- What one till took in a day: a payment says which login of which dialect asked for it, as `dialect/login`. Payments of
-- before do not say so to the database, and are in nobody's takings.

ALTER TABLE payment ADD COLUMN taker TEXT NOT NULL DEFAULT '';

CREATE INDEX payment_by_taker ON payment (merchant_id, taker, created_at_ms);
CREATE INDEX refund_by_time ON refund (merchant_id, created_at_ms);
