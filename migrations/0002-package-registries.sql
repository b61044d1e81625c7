-- Package registries of single requests, and what is added to a request's setup from outside.

-- Read-only registries with the files of one request's bundle; open while there is no time of an end.
create table package_registries (
  request_id bigint primary key references bundle_requests on delete cascade,
  -- handed out with the request's setup, so it is kept as it is; it opens nothing but that bundle's files
  password text not null,
  revoked_at timestamptz
);

-- What registries tell about a package file: read from the file once, the same for every request that has it.
create table package_file_facts (
  digest text not null references blobs on delete cascade,
  -- who read them, with the version of its rules: see src/domain/package-registries/file-facts.ts
  reader text not null,
  facts json not null,
  primary key (digest, reader)
);

-- Content as a client of Cachito's API sent it, when it is not the usual Base64 of any bytes.
alter table bundle_request_configuration_files add column encoded text;
