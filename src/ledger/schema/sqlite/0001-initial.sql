-- First version. Amounts are whole micro-USD, instants epoch milliseconds.
-- A node on an earlier version: there is none.

create table settings (
  name text primary key,
  value text not null
) strict, without rowid;

create table credentials (
  id text primary key,
  vendor text not null,
  name text not null,
  account text not null,
  test integer not null check (test in (0, 1)),
  fingerprint text not null,
  last4 text not null,
  sealed text not null,
  created_at integer not null,
  rotated_at integer,
  unique (vendor, name)
) strict, without rowid;

create table policies (
  id text primary key,
  name text not null,
  version integer not null check (version > 0),
  document text not null,
  created_at integer not null,
  unique (name, version)
) strict, without rowid;

create table keys (
  seq integer primary key,
  id text not null unique,
  public_id text not null unique,
  digest text not null unique,
  last4 text not null,
  name text not null,
  parent_id text references keys (id),
  root_id text not null,
  policy_id text not null references policies (id),
  narrowings text not null,
  credential_ids text not null,
  run text,
  run_cap integer check (run_cap >= 0),
  test integer not null check (test in (0, 1)),
  expires_at integer,
  created_at integer not null,
  revoked_at integer,
  revoke_reason text,
  revoke_in_flight text
) strict;

create table freezes (
  kind text not null check (kind in ('all', 'key', 'run', 'vendor')),
  value text not null,
  at integer not null,
  reason text,
  primary key (kind, value)
) strict, without rowid;

-- One row a call: the projection of its entries.
create table calls (
  seq integer primary key,
  at integer not null,
  key_id text not null,
  root_id text not null,
  credential_id text,
  run text not null,
  run_source text not null,
  vendor text not null,
  surface text not null,
  method text not null,
  path text not null,
  operation text,
  effect text,
  direction text not null,
  state text not null check (state in ('denied', 'reserved', 'settled', 'released', 'assumed')),
  basis text not null,
  quoted integer not null check (quoted >= 0),
  reserved integer not null check (reserved >= 0),
  settled integer not null check (settled >= 0),
  customer text,
  object text,
  reason text,
  request_hash text not null,
  replay_of integer,
  count integer not null check (count > 0),
  look_ups integer not null,
  verdict text not null,
  code text,
  rule text,
  message text,
  counters text not null,
  before_of_key integer,
  before_of_run integer,
  upstream_status integer,
  upstream_request_id text,
  upstream_ms integer,
  settled_at integer
) strict;

-- The last call of every key and run; from it on, each row names the one before.
create table threads (
  name text primary key,
  seq integer not null
) strict, without rowid;
-- Small at all times: what reconciliation must look at. Calls under way are not in it: an index that every call
-- enters and leaves would cost each of them two writes; start-up finds them from the mark `oldest-open` on.
create index calls_assumed on calls (seq) where state = 'assumed';
create table marks (
  name text primary key,
  seq integer not null
) strict, without rowid;

-- Running totals, one row a budget counter and window. They equal the sum of the entries; `verify` proves it.
create table counters (
  id integer primary key,
  counter text not null,
  window text not null,
  spent integer not null check (spent >= 0),
  held integer not null check (held >= 0),
  unique (counter, window)
) strict;

-- What an object at the vendor (an intent, an invoice) counts for, by the calls that brought it there.
create table exposures (
  credential_id text not null,
  object text not null,
  call_seq integer not null,
  amount integer not null check (amount >= 0),
  primary key (credential_id, object, call_seq)
) strict, without rowid;

-- Which call used an idempotency key (as a keyed hash), in the order of calls. Looked up through memory.
create table idempotency (
  call_seq integer primary key,
  hash text not null
) strict;

-- Reports by UTC day. Sums of `calls`, so that a report does not grow with the ledger.
create table tallies (
  day text not null,
  key_id text not null,
  run text not null,
  vendor text not null,
  operation text not null,
  calls integer not null,
  denied integer not null,
  spent integer not null,
  held integer not null,
  primary key (day, key_id, run, vendor, operation)
) strict, without rowid;

create table runs (
  run text not null,
  root_id text not null,
  vendor text not null,
  calls integer not null,
  denied integer not null,
  spent integer not null,
  held integer not null,
  first_at integer not null,
  last_at integer not null,
  primary key (run, root_id, vendor)
) strict, without rowid;

-- Everything that happened, for ever, each entry sealed by the one before it.
create table entries (
  seq integer primary key,
  at integer not null,
  kind text not null,
  call_seq integer,
  amount integer not null,
  detail text not null,
  hash text not null
) strict;

create trigger entries_stay before update on entries begin select raise(abort, 'entries are immutable'); end;
create trigger entries_remain before delete on entries begin select raise(abort, 'entries are immutable'); end;
