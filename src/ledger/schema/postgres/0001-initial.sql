-- First version, the same tables as in SQLite. Amounts are whole micro-USD, instants epoch milliseconds.
-- A node on an earlier version: there is none.
--
-- Text that is sorted or compared by pages is ordered byte by byte, as SQLite orders it, whatever the database's own
-- collation is. Row numbers are given out by the ledger under its lock, so no column has a sequence: a sequence has
-- gaps, and the chain has none. Keys that refer to rows of the same commit are checked at its end.

create table settings (
  name text collate "C" primary key,
  value text not null
);

create table credentials (
  id text collate "C" primary key,
  vendor text not null,
  name text not null,
  account text not null,
  test bigint not null check (test in (0, 1)),
  fingerprint text not null,
  last4 text not null,
  sealed text not null,
  created_at bigint not null,
  rotated_at bigint,
  unique (vendor, name)
);

create table policies (
  id text collate "C" primary key,
  name text collate "C" not null,
  version bigint not null check (version > 0),
  document text not null,
  created_at bigint not null,
  unique (name, version)
);

create table keys (
  seq bigint primary key,
  id text collate "C" not null unique,
  public_id text not null unique,
  digest text not null unique,
  last4 text not null,
  name text not null,
  parent_id text collate "C" references keys (id) deferrable initially deferred,
  root_id text collate "C" not null,
  policy_id text collate "C" not null references policies (id) deferrable initially deferred,
  narrowings text not null,
  credential_ids text not null,
  run text collate "C",
  run_cap bigint check (run_cap >= 0),
  test bigint not null check (test in (0, 1)),
  expires_at bigint,
  created_at bigint not null,
  revoked_at bigint,
  revoke_reason text,
  revoke_in_flight text
);

create table freezes (
  kind text collate "C" not null check (kind in ('all', 'key', 'run', 'vendor')),
  value text collate "C" not null,
  at bigint not null,
  reason text,
  primary key (kind, value)
);

-- One row a call: the projection of its entries.
create table calls (
  seq bigint primary key,
  at bigint not null,
  key_id text collate "C" not null,
  root_id text collate "C" not null,
  credential_id text collate "C",
  run text collate "C" not null,
  run_source text not null,
  vendor text collate "C" not null,
  surface text not null,
  method text not null,
  path text not null,
  operation text collate "C",
  effect text,
  direction text not null,
  state text not null check (state in ('denied', 'reserved', 'settled', 'released', 'assumed')),
  basis text not null,
  quoted bigint not null check (quoted >= 0),
  reserved bigint not null check (reserved >= 0),
  settled bigint not null check (settled >= 0),
  customer text,
  object text,
  reason text,
  request_hash text collate "C" not null,
  replay_of bigint,
  count bigint not null check (count > 0),
  look_ups bigint not null,
  verdict text not null,
  code text,
  rule text,
  message text,
  counters text not null,
  before_of_key bigint,
  before_of_run bigint,
  upstream_status bigint,
  upstream_request_id text,
  upstream_ms bigint,
  settled_at bigint
);

-- The last call of every key and run; from it on, each row names the one before.
create table threads (
  name text collate "C" primary key,
  seq bigint not null
);

-- Many nodes ask, and none of them has the rows in memory: what SQLite finds by walking through threads is found by
-- index here.
create index calls_of_key on calls (key_id, seq);
create index calls_of_run on calls (run, seq);
create index calls_alike on calls (root_id, run, request_hash);
create index calls_since on calls (at);
create index calls_replayed on calls (replay_of) where replay_of is not null;
create index calls_assumed on calls (seq) where state = 'assumed';
create table marks (
  name text collate "C" primary key,
  seq bigint not null
);

-- Running totals, one row a budget counter and window. They equal the sum of the entries; `verify` proves it.
create table counters (
  id bigint primary key,
  counter text collate "C" not null,
  "window" text collate "C" not null,
  spent bigint not null check (spent >= 0),
  held bigint not null check (held >= 0),
  unique (counter, "window")
);

-- What an object at the vendor (an intent, an invoice) counts for, by the calls that brought it there.
create table exposures (
  credential_id text collate "C" not null,
  object text collate "C" not null,
  call_seq bigint not null,
  amount bigint not null check (amount >= 0),
  primary key (credential_id, object, call_seq)
);

-- Which call used an idempotency key (as a keyed hash), in the order of calls.
create table idempotency (
  call_seq bigint primary key,
  hash text collate "C" not null
);
create index idempotency_by_hash on idempotency (hash);

-- Reports by UTC day. Sums of `calls`, so that a report does not grow with the ledger.
create table tallies (
  day text collate "C" not null,
  key_id text collate "C" not null,
  run text collate "C" not null,
  vendor text collate "C" not null,
  operation text collate "C" not null,
  calls bigint not null,
  denied bigint not null,
  spent bigint not null,
  held bigint not null,
  primary key (day, key_id, run, vendor, operation)
);

create table runs (
  run text collate "C" not null,
  root_id text collate "C" not null,
  vendor text collate "C" not null,
  calls bigint not null,
  denied bigint not null,
  spent bigint not null,
  held bigint not null,
  first_at bigint not null,
  last_at bigint not null,
  primary key (run, root_id, vendor)
);

-- Everything that happened, for ever, each entry sealed by the one before it.
create table entries (
  seq bigint primary key,
  at bigint not null,
  kind text not null,
  call_seq bigint,
  amount bigint not null,
  detail text not null,
  hash text not null
);

create function entries_stay() returns trigger language plpgsql as $$
begin
  raise exception 'entries are immutable' using errcode = 'restrict_violation';
end
$$;
create trigger entries_stay before update or delete on entries for each row execute function entries_stay();
create trigger entries_remain before truncate on entries for each statement execute function entries_stay();
