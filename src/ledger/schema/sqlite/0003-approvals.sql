-- Calls that a person is to decide on.
-- A node still on version 2: refuses to open this file. It owned the file alone, so it has stopped by now; what it refused
-- for want of an approval is asked for again when the agent comes back.

-- One row a request for approval. That one has expired follows from `expires_at` and is not written anywhere.
create table approvals (
  seq integer primary key,
  id text not null unique,
  at integer not null,
  key_id text not null,
  root_id text not null,
  call_seq integer not null,
  run text not null,
  vendor text not null,
  operation text not null,
  method text not null,
  path text not null,
  customer text,
  call_reason text,
  request_hash text not null,
  ceiling integer not null check (ceiling >= 0),
  span_ms integer not null check (span_ms > 0),
  expires_at integer not null,
  state text not null check (state in ('open', 'approved', 'denied', 'used')),
  decided_at integer,
  decided_by text,
  reason text,
  used_by integer
) strict;
create index approvals_of_request on approvals (key_id, request_hash);
-- By expiry, so that counting what is open does not walk through what nobody ever decided.
create index approvals_open on approvals (key_id, expires_at) where state = 'open';
create index approvals_waiting on approvals (expires_at) where state = 'open';
