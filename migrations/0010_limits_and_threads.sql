-- In how many parts a text is billed: the limits count those.
alter table text_count add column parts bigint not null default 1;

-- When a thread was last compared with Slack, and the newest message that Slack had in it then.
alter table thread add column compared_at bigint not null default 0;
alter table thread add column compared_ts text not null default '';
create index thread_compared on thread (compared_at);
create index thread_conversation on thread (conversation_id);
create index conversation_active on conversation (line, last_at);
