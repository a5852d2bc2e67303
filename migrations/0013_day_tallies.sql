-- What each quarter of an hour brought to each line, so that a day is summed up without reading its messages. Midnight falls
-- on a quarter of an hour in every time zone. slot is milliseconds since the Unix epoch divided by 900,000.
create table tally (
    line text not null,
    slot bigint not null,
    texts bigint not null,
    replies bigint not null,
    calls bigint not null,
    missed bigint not null,
    primary key (line, slot)
);
insert into tally (line, slot, texts, replies, calls, missed)
select line, slot, sum(texts), sum(replies), sum(calls), sum(missed) from (
    select c.line as line, m.created_at / 900000 as slot,
        case when m.origin = 'twilio' then 1 else 0 end as texts,
        case when m.origin = 'slack' and m.kept_inside = 0 then 1 else 0 end as replies,
        0 as calls, 0 as missed
    from message m join conversation c on c.id = m.conversation_id
    union all
    select line, started_at / 900000, 0, 0, 1, case when state in ('missed', 'hung_up') then 1 else 0 end from call
) as counted group by line, slot;

-- What was given up is counted by day.
create index outbox_refused on outbox (created_at) where state = 'refused';

-- One caller's part of the trail is read in order, page by page.
drop index audit_number;
create index audit_number on audit (number, seq);
drop index audit_subject;
create index audit_subject on audit (subject, seq);
