-- A file on its way to a caller's phone, made fit for one and kept under media/ by its id until it was sent.
create table medium (
    id text primary key,
    conversation_id text not null,
    message_id text not null,
    content_type text not null,
    size bigint not null,
    created_at bigint not null
);
create index medium_conversation on medium (conversation_id);
create index medium_created on medium (created_at);
