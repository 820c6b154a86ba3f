-- The same rules for an entry's numbers, for a fifth less of what a COPY costs: rtrim of text compares characters, each with each
-- of the ten digits, by way of memcmp; that of bytea compares bytes.
alter table entry
    drop constraint entry_number,
    drop constraint entry_e164,
    add constraint entry_number
        check (case rtrim(convert_to(number, 'UTF8'), '0123456789') when '' then octet_length(number) between 3 and 15
               when '+' then octet_length(number) between 4 and 16 else false end),
    add constraint entry_e164
        check (rtrim(convert_to(e164, 'UTF8'), '0123456789') = '' and octet_length(e164) between 3 and 15);
