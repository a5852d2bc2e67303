-- A reply that does not leave before its writer says so. state is open, sent, inside or gone; notice is the outbox row of the
-- question in the thread, empty while only the writer was asked.
create table held (
    message_id text primary key,
    conversation_id text not null,
    writer text not null,
    reason text not null,
    state text not null,
    asked_at bigint not null,
    notice text not null
);
create index held_open on held (asked_at) where state = 'open' and notice = '';

-- A reply that was edited after it had left: what it says now, and what the caller has. state is offered, sent or replaced.
create table edit (
    id text primary key,
    message_id text not null,
    conversation_id text not null,
    body text not null,
    got text not null,
    state text not null,
    notice text not null,
    created_at bigint not null
);
create index edit_message on edit (message_id, created_at);

-- Which edit of a message was taken in last, as Slack dates it; and whether its writer has taken it away.
alter table message add column edited_ts text not null default '';
alter table message add column is_gone bigint not null default 0;

-- Callers who do not want the texts of a line. state is out or in, as of the text or refusal that said so.
create table opt_out (
    line text not null,
    caller text not null,
    state text not null,
    said_by text not null,
    as_of bigint not null,
    primary key (line, caller)
);

-- What people sent within the last hour.
create table text_count (
    id text primary key,
    line text not null,
    caller text not null,
    author text not null,
    at bigint not null
);
create index text_count_at on text_count (at);
