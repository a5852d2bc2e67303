-- Which outbox row posted a root, whose words it shows; and the roots that came before and after it in its channel.
alter table thread add column post_id text not null default '';
alter table thread add column previous_ts text not null default '';
alter table thread add column next_ts text not null default '';

-- Where a conversation stands at the desk. waiting_since is null where nobody waits for an answer; clock_since where no
-- unanswered text runs towards a reminder; remind_at and page_at once that is done. answered_by and closed_by are mrkdwn.
create table matter (
    conversation_id text primary key,
    claimed_by text not null,
    answered_by text not null,
    closed_by text not null,
    waiting_since bigint,
    clock_since bigint,
    remind_at bigint,
    page_at bigint,
    changed_at bigint not null
);
create index matter_waiting on matter (waiting_since) where waiting_since is not null;
create index matter_remind on matter (remind_at) where remind_at is not null;
create index matter_page on matter (page_at) where page_at is not null;

-- Names for known numbers.
create table caller_name (
    number text primary key,
    name text not null,
    said_by text not null,
    said_at bigint not null
);

-- Texts to people of the desk about a caller nobody answers: what becomes of them is told in that caller's thread.
create table page (
    message_id text primary key,
    conversation_id text not null,
    person text not null
);

-- Lines on which nobody but those who are always rung is available, and since when.
create table away_period (
    line text primary key,
    since bigint not null
);

-- When a caller was last sent a line's text for when everybody is away.
create table away_told (
    line text not null,
    caller text not null,
    told_at bigint not null,
    primary key (line, caller)
);

-- Who opened the app's home, and when it was last brought up to date for them. stale is 1 if something changed since then.
create table home_view (
    person text primary key,
    opened_at bigint not null,
    published_at bigint not null,
    stale bigint not null
);
