-- One dialect for SQLite and Postgres: text and bigint columns only. Times are milliseconds since the Unix epoch, UTC.

-- One caller on one line. The thread is where its next message goes; older threads stay in thread.
create table conversation (
    id text primary key,
    line text not null,
    caller text not null,
    place text not null,
    channel text not null,
    thread_ts text not null,
    opened_at bigint not null,
    last_at bigint not null,
    unique (line, caller)
);

-- Every root message we posted, so that a reply in an old thread still finds its caller.
create table thread (
    channel text not null,
    ts text not null,
    conversation_id text not null,
    opened_at bigint not null,
    primary key (channel, ts)
);

-- What people wrote, once: origin and external id are the dedupe key. kept_inside is 1 for what must not reach the caller.
create table message (
    id text primary key,
    conversation_id text not null,
    origin text not null,
    external_id text not null,
    author text not null,
    body text not null,
    channel text not null,
    ts text not null,
    kept_inside bigint not null,
    mark text not null,
    created_at bigint not null,
    unique (origin, external_id)
);
create index message_conversation on message (conversation_id, created_at);

-- A queue in which nothing overtakes; at most one of its rows is in flight. due is when its head wants attention, null while empty.
create table lane (
    id text primary key,
    gate text not null,
    next_seq bigint not null,
    due bigint,
    served_at bigint not null,
    lease_owner text not null,
    lease_until bigint not null
);
create index lane_due on lane (gate, due);
create index lane_served on lane (gate, served_at) where due is not null;

-- What must happen outside. pending is 1 until its state is final; told is 1 once the thread heard that it is stuck.
create table outbox (
    id text primary key,
    lane text not null,
    seq bigint not null,
    part bigint not null,
    conversation_id text not null,
    message_id text not null,
    kind text not null,
    payload text not null,
    state text not null,
    pending bigint not null,
    attempts bigint not null,
    next_at bigint not null,
    why text not null,
    told bigint not null,
    external_id text not null,
    created_at bigint not null,
    updated_at bigint not null,
    unique (lane, seq, part)
);
create index outbox_pending on outbox (lane, seq, part) where pending = 1;
create index outbox_unsettled on outbox (created_at) where state not in ('delivered', 'dropped');
create index outbox_message on outbox (message_id);

-- Written before the request leaves: an attempt found without an outcome is unknown, never "to be sent".
create table attempt (
    outbox_id text not null,
    n bigint not null,
    owner text not null,
    started_at bigint not null,
    finished_at bigint,
    outcome text not null,
    detail text not null,
    absent_reads bigint not null,
    absent_since bigint,
    primary key (outbox_id, n)
);

-- Every SMS of ours that Twilio has named, with the highest status heard of it.
create table sms (
    sid text primary key,
    outbox_id text not null,
    message_id text not null,
    attempt bigint not null,
    status text not null,
    rank bigint not null,
    error_code bigint not null,
    updated_at bigint not null,
    bound_at bigint not null,
    asked_at bigint not null
);
create index sms_message on sms (message_id);
create index sms_outbox on sms (outbox_id);
create index sms_asked on sms (asked_at) where rank < 3;

-- Status callbacks for a SID we cannot place yet.
create table parked_status (
    sid text not null,
    status text not null,
    error_code bigint not null,
    received_at bigint not null,
    primary key (sid, status)
);

-- Append-only; each row's hash covers the one before it.
create table audit (
    seq bigint primary key,
    at bigint not null,
    line text not null,
    number text not null,
    subject text not null,
    decision text not null,
    reason text not null,
    detail text not null,
    previous text not null,
    hash text not null
);
create index audit_subject on audit (subject);
create index audit_number on audit (number);

create table audit_head (
    id bigint primary key,
    seq bigint not null,
    hash text not null
);
insert into audit_head (id, seq, hash) values (1, 0, '');

-- What people said of themselves with /qdn; until is null when it holds until changed.
create table availability (
    person text primary key,
    state text not null,
    until bigint,
    reason text not null,
    said_by text not null,
    said_at bigint not null
);

-- Small facts worth keeping over a restart: channel ids by name, watermarks.
create table fact (
    name text primary key,
    value text not null
);

-- Replies in a thread whose root we have posted but not heard of yet, as Slack told of them.
create table parked_reply (
    channel text not null,
    root text not null,
    ts text not null,
    event text not null,
    received_at bigint not null,
    primary key (channel, ts)
);
create index parked_reply_root on parked_reply (channel, root);
