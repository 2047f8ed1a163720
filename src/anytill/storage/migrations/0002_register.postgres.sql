
-- Acts are only ever added. No statement of ours changes them; this refuses everybody else's.
CREATE FUNCTION acts_are_only_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'acts are only ever added';
END $$;

CREATE TRIGGER act_keeps_lines BEFORE UPDATE OR DELETE OR TRUNCATE ON act
FOR EACH STATEMENT EXECUTE FUNCTION acts_are_only_added();
