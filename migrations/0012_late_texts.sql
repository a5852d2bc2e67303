-- When a text came by Twilio's own clock, once it is marked as standing behind a later one.
alter table message add column came_at bigint;
