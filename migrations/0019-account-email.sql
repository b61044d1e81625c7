-- Where a user can be written to; two users never share one.
alter table users add column email text;
create unique index on users (lower(email));
