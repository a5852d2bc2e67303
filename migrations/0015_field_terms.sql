-- Tables and columns in the field's terms; docs/glossary.md has them. Nothing but names changes.
alter table matter rename to conversation_status;
alter table held rename to confirmation;
alter table availability rename to presence_override;
alter table fact rename to kv;
alter table tally rename to daily_stat;
alter table call_turn rename to ring_outcome;
alter table parked_status rename to deferred_status;
alter table parked_reply rename to deferred_reply;
alter table page rename to escalation;
alter table medium rename to outbound_media;

alter table outbox rename column why to last_error;
alter table outbox rename column told to notified;
alter table message rename column is_gone to deleted;
alter table message rename column kept_inside to internal;
alter table lane rename column gate to throttle;
