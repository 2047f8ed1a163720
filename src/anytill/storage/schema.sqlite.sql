-- The ledger is append-only. No statement of ours changes it; these refuse everybody else's.
CREATE TRIGGER ledger_keeps_lines BEFORE UPDATE ON ledger
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only');
END;

CREATE TRIGGER ledger_keeps_all_lines BEFORE DELETE ON ledger
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only');
END;

-- Acts are only ever added. No statement of ours changes them; these refuse everybody else's.
CREATE TRIGGER act_keeps_lines BEFORE UPDATE ON act
BEGIN
    SELECT RAISE(ABORT, 'acts are only ever added');
END;

CREATE TRIGGER act_keeps_all_lines BEFORE DELETE ON act
BEGIN
    SELECT RAISE(ABORT, 'acts are only ever added');
END;
