-- Public halves of the keys that have signed provenance: what an older one has signed is verified after another one came.

create table provenance_keys (
  -- sha256 of the public key in DER form
  id text primary key,
  pem text not null,
  first_used_at timestamptz not null default clock_timestamp()
);
