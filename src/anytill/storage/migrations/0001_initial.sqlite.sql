-- The ledger is append-only. No statement of ours changes it; these refuse everybody else's.
CREATE TRIGGER ledger_keeps_lines BEFORE UPDATE ON ledger
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only');
END;

CREATE TRIGGER ledger_keeps_all_lines BEFORE DELETE ON ledger
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only');
END;
