-- What an answered call has told: results of the dialplan, and who answered by its answering-machine detection. Results are
-- erased with the number.
alter table call_detail
    add column answered_by text constraint call_detail_answered_by_check check (answered_by in ('human', 'machine', 'unknown')),
    add column result jsonb constraint call_detail_result_check check (jsonb_typeof(result) = 'object');

create or replace function entries_erase(whose bigint, which bigint[], out entries bigint, out details bigint, out events bigint)
language sql as $$
    with e as (
        update entry set phone_number = '', number = '', e164 = null, country_digits = null, custom_data = null
         where entry_id = any (which) and client_id = whose and number <> ''
        returning 1
    ), d as (
        update call_detail set number = null, result = null
         where entry_id = any (which) and client_id = whose and (number is not null or result is not null)
        returning 1
    ), v as (
        update event
           set payload = regexp_replace(regexp_replace(payload, '"phone_number":"[^"]+"', '"phone_number":""'),
                                        '"result":\{("([^"\\]|\\.)*"[:,]?)*\}', '"result":null')
         where entry_id = any (which) and client_id = whose and payload ~ '"phone_number":"[^"]|"result":\{'
        returning 1
    )
    select (select count(*) from e), (select count(*) from d), (select count(*) from v)
$$;
