-- Where gateways listen, as they say themselves: builders push images there.
create table gateway_addresses (
  id uuid primary key,
  -- Of the machine that it runs on.
  host text not null,
  local_url text not null,
  -- For other machines; null: it listens on loopback only.
  remote_url text,
  seen_at timestamptz not null default now()
);
