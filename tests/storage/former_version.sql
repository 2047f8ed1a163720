-- What the former version wrote into the tables of the first migration: a paid payment with a refund under way and a
-- notice, two merchants, and the key of an agent who speaks for one of them (sealed with the tests' master key).

INSERT INTO merchant VALUES ('1001', 'WAITING', '{"name":"咖啡店","short_name":"咖","max_amount_fen":5000,"channels":{"":"sandbox","ALIPAY":"other"}}'), ('1002', 'ON', '{"name":"x","short_name":"","max_amount_fen":1,"channels":{}}');

INSERT INTO credential VALUES ('chaoying', 'agent', 'Ace6XcuhJgFOshQQkyiBHX6D9Lb5RHf9SzDUEko11dikPF1x', 'Ace6XcsHqO3V4LM38IdRHc+g5jCU4pSj5mW0R2My4eCxzzuR', 1, '{"a":"b"}');

INSERT INTO mandate VALUES ('chaoying', 'agent', '7', '1001');

INSERT INTO payment VALUES ('1001', '10000000000000000001', 'T1', 'PAID', 1000, 'CNY', 'sandbox', 1000, 0, 100, 0, 0, 0, 0,
 'code 1', 1790000000000, NULL, 2, '{"method":"BARCODE","wallet":"WECHAT","subject":"","attach":"","payer_id":"","channel_trade_no":"","invitation":{},"reason":"","paid_at_ms":1790000000000,"ended_at_ms":null,"deadline_at_ms":0,"dialect":"","login":"","notice_url":"","details":{},"order_digest":"","code_hint":"","asked":0}');

INSERT INTO refund VALUES ('1001', '20000000000000000001', 'R1', '10000000000000000001',
 'sandbox', 'SUBMITTED', 100, 'CNY', 0, 1790000000000, 1790000005000, 0, '{"order_no":"T1","channel_refund_no":"","reason":"","details":{},"ended_at_ms":null,"order_digest":"","asked":0}');

INSERT INTO notice VALUES ('1001', '10000000000000000001', '30000000000000000001', 'shop.example', 'PENDING',
 1790000000000, 1790000000000, 0, '{"dialect":"teegon","login":"till-7","url":"https://shop.example/paid","facts":{"order":"T1"},"tries":0,"last_result":""}');

INSERT INTO ledger VALUES ('1001', '10000000000000000001', '10000000000000000001', 'SALE', 'channel:sandbox', 1000, 'CNY', 1790000000000);

INSERT INTO ledger VALUES ('1001', '10000000000000000001', '10000000000000000001', 'SALE', 'merchant', -1000, 'CNY', 1790000000000);

INSERT INTO node VALUES (0, 99);
