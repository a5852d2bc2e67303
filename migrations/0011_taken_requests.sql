-- Commands, presses and forms of Slack's that were taken, by the hash of what Slack signed; the answer once there is one.
-- They are kept for as long as Slack's signature on them would be accepted again.
create table taken_request (
    key text primary key,
    taken_at bigint not null,
    is_answered bigint not null,
    answer text not null
);
create index taken_request_at on taken_request (taken_at);
