-- The ledger is append-only. No statement of ours changes it; this refuses everybody else's.
CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only';
END $$;

CREATE TRIGGER ledger_keeps_lines BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger
FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();

-- Acts are only ever added. No statement of ours changes them; this refuses everybody else's.
CREATE FUNCTION acts_are_only_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'acts are only ever added';
END $$;

CREATE TRIGGER act_keeps_lines BEFORE UPDATE OR DELETE OR TRUNCATE ON act
FOR EACH STATEMENT EXECUTE FUNCTION acts_are_only_added();
