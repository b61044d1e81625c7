-- What Cachito's API reads by: the ref as submitted (/requests/latest), the time at which requests ended (metrics).

create index on bundle_requests (requested_ref);
create index on bundle_requests (finished_at);
