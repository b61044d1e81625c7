-- Copies of images of other registries, which builds start from.

-- Host of the registry that all images of it are copies of; null: it is no such repository. Workers fill it, nobody pushes
-- to it, and everybody who is logged in may pull from it.
alter table repositories add column upstream text;
