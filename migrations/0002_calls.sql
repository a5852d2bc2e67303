-- A call to one of our numbers. A withheld number's call is a conversation of its own. post_id is the outbox row that put the
-- call into its thread: everything later is an edit of that message.
create table call (
    sid text primary key,
    conversation_id text not null,
    line text not null,
    caller text not null,
    started_at bigint not null,
    state text not null,
    rank bigint not null,
    taken_by text not null,
    seconds bigint not null,
    texted bigint not null,
    recording text not null,
    recording_seconds bigint not null,
    post_id text not null,
    updated_at bigint not null
);
create index call_talking on call (state) where state = 'talking';
create index call_started on call (started_at);

-- What came of each person who was thought of in each round of ringing.
create table call_turn (
    call_sid text not null,
    round bigint not null,
    position bigint not null,
    person text not null,
    leg_sid text not null,
    keys text not null,
    outcome text not null,
    updated_at bigint not null,
    primary key (call_sid, round, person)
);

-- Everything that Twilio told of a call, once, and the TwiML it got, so that the same request gets the same again.
create table call_event (
    call_sid text not null,
    event text not null,
    answer text not null,
    received_at bigint not null,
    primary key (call_sid, event)
);
