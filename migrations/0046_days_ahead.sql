-- A budget of a day that has not come yet: the clock of the database was ahead when something was booked on it. Until that
-- day comes it stands for today as well; otherwise nothing would be spent of it meanwhile.
DO $$
DECLARE
    name text;
    was  text;
    becomes text;
BEGIN
    FOREACH name IN ARRAY ARRAY['settle_calls', 'settle_batch_calls'] LOOP
        was := pg_get_functiondef(name::regproc);
        becomes := replace(was, 'b.period = ''total'' OR p.day = greatest(b.day, today)',
                           'b.period = ''total'' OR b.day > today OR p.day = greatest(b.day, today)');
        IF becomes = was THEN
            RAISE EXCEPTION '% books days in another way than this migration knows', name;
        END IF;
        EXECUTE becomes;
    END LOOP;
END $$;
