-- Texts of new callers that are shown in a list with those of others, because more came than the channel takes as threads.
-- list_id is the outbox row of the list, content is what it shows. opened_by is the outbox row of the root that shows the text
-- since; empty while only its list does.
create table listed (
    message_id text primary key,
    conversation_id text not null,
    list_id text not null,
    n bigint not null,
    content text not null,
    came_at bigint not null,
    opened_by text not null
);
create index listed_list on listed (list_id, n);
create index listed_waiting on listed (conversation_id) where opened_by = '';
create index listed_oldest on listed (came_at) where opened_by = '';
create index listed_opened on listed (opened_by) where opened_by <> '';

-- Under a list nothing reaches a caller: whoever writes there is told so.
create index outbox_list on outbox (external_id) where kind = 'list';
