-- When an attempt began by Twilio's clock, where that was known: unlike ours it is not set under our hands.
alter table attempt add column remote_at bigint;

-- What is looked up all the time must not grow slow with what is done.
create index outbox_stuck on outbox (created_at) where pending = 1 and kind in ('sms', 'reply') and told = 0;
create index outbox_conversation on outbox (conversation_id, kind);
create index outbox_done on outbox (updated_at)
    where pending = 0 and kind not in ('sms', 'reply', 'post', 'announce');
create index lane_idle on lane (served_at) where due is null;
create index call_event_received on call_event (received_at);
