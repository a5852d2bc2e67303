-- Why a delivery stands where it stands, and why an attempt ended as it did: code is what the program acts on, and the words
-- in why and detail are for people. It is a word of ours or the vendor's own code, and empty where nothing depends on it.
alter table outbox add column code text not null default '';
alter table attempt add column code text not null default '';

update outbox set code = substr(why, 1, 5) where kind = 'sms' and state = 'refused' and why like '_____: %';
update outbox set code = 'edited_away' where state = 'dropped' and why = 'its writer edited it';
update outbox set code = 'words_first' where pending = 1 and why = 'its words are not posted yet';
update outbox set code = 'thread_first' where pending = 1 and why = 'its caller has no thread yet';
update outbox set code = 'in_order' where pending = 1 and why = 'the file before it is not shown yet';
update attempt set code = 'unsure'
    where detail like 'it may have been done: %' and outbox_id in (select id from outbox where pending = 1);
update attempt set code = 'not_there'
    where detail = 'the file is not at Twilio yet' and outbox_id in (select id from outbox where pending = 1);
update attempt set code = 'from_twilio'
    where detail like 'from Twilio: %' and outbox_id in (select id from outbox where pending = 1);
