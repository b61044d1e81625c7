-- Cachito's API takes repositories of any length; entries of a b-tree have a third of a page at most.

drop index bundle_requests_repository_id_idx;
create index on bundle_requests using hash (repository);
