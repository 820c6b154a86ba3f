-- A telephone number is erased everywhere at its owner's wish, although entries, details and events are never updated
-- otherwise: by functions of the owner, for nobody may update these tables. What is counted stays: when, how long, how it
-- ended, without whom. An erased entry has no number.
alter table entry
    drop constraint entry_number,
    add constraint entry_number
        check (case rtrim(convert_to(number, 'UTF8'), '0123456789') when '' then octet_length(number) between 3 and 15 or number = ''
               when '+' then octet_length(number) between 4 and 16 else false end);

create function entries_erase(whose bigint, which bigint[], out entries bigint, out details bigint, out events bigint)
language sql as $$
    with e as (
        update entry set phone_number = '', number = '', e164 = null, country_digits = null, custom_data = null
         where entry_id = any (which) and client_id = whose and number <> ''
        returning 1
    ), d as (
        update call_detail set number = null
         where entry_id = any (which) and client_id = whose and number is not null
        returning 1
    ), v as (
        update event set payload = regexp_replace(payload, '"phone_number":"[^"]+"', '"phone_number":""')
         where entry_id = any (which) and client_id = whose and payload ~ '"phone_number":"[^"]'
        returning 1
    )
    select (select count(*) from e), (select count(*) from d), (select count(*) from v)
$$;

-- However it is written: is it one of these numbers (digits only)? With or without the country, when that much is alike.
create function is_number(given text, any_of text[]) returns boolean language sql immutable as $$
    select coalesce(bool_or(digits = one or length(digits) >= 7 and right(one, length(digits)) = digits
                            or length(one) >= 7 and right(digits, length(one)) = one), false)
      from (select ltrim(regexp_replace(given, '[^0-9]', '', 'g'), '0') as digits) g, unnest(any_of) as one
     where digits <> ''
$$;

-- Takes the number out of these entries, which have all ended, out of what batches have answered, and out of stored answers.
-- The digests by which a batch or a request is known again go, too: of a small one, the number could be guessed from it. What
-- is sent again is then refused, not done again.
create function subject_erase(whose bigint, which bigint[], numbers text[], out entries bigint, out details bigint,
                              out events bigint, out batches bigint, out answers bigint)
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if current_client() is distinct from whose then
        raise exception 'this is another client''s' using errcode = 'insufficient_privilege';
    end if;
    with touched as (
        select distinct queue_master_id as id from entry
         where entry_id = any (which) and client_id = whose and queue_master_id is not null
    ), known as (
        update idempotency i set request = decode(repeat('00', 32), 'hex'), answer = '{}'
         where client_id = whose and not is_secret and answer <> '{}'
           and (exists (select from unnest(numbers) one
                         where strpos(regexp_replace(convert_from(answer, 'UTF8'), '[ ().-]', '', 'g'), right(one, 9)) > 0)
                or exists (select from unnest(which) id
                            where strpos(convert_from(answer, 'UTF8'), 'ccs-' || lpad(to_hex(id), 14, '0')) > 0)
                or exists (select from touched t join queue_master m using (id)
                            where convert_from(answer, 'UTF8') ~ ('"batch_id": ?' || m.batch_id || '[^0-9]')))
        returning 1
    ), receipts as (
        update queue_master m
           set content = '',
               rejected = (select coalesce(json_agg(case when is_number(item ->> 'phone_number', numbers)
                                                         then jsonb_set(item, '{phone_number}', '""') else item end
                                                    order by place), '[]')::text
                             from jsonb_array_elements(m.rejected::jsonb) with ordinality as r (item, place))
         where client_id = whose
           and (id in (select id from touched) or part_of in (select id from touched)
                or rejected <> '[]' and exists (select from jsonb_array_elements(m.rejected::jsonb) item
                                                 where is_number(item ->> 'phone_number', numbers)))
        returning 1
    )
    select (select count(*) from receipts), (select count(*) from known) into batches, answers;
    select e.entries, e.details, e.events into entries, details, events from entries_erase(whose, which) e;
end
$$;
revoke all on function entries_erase(bigint, bigint[]), subject_erase(bigint, bigint[], text[]) from public;
grant execute on function subject_erase(bigint, bigint[], text[]) to ccs_api;
