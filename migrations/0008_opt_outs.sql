-- Who keeps a caller who left from being texted: twilio blocks those who wrote one of its words; for others it is us.
alter table opt_out add column kept_by text not null default 'twilio';
