-- Calls that a person is to decide on.
-- A node still on version 2: there is none, this dialect began with version 3.

-- One row a request for approval. That one has expired follows from `expires_at` and is not written anywhere.
create table approvals (
  seq bigint primary key,
  id text collate "C" not null unique,
  at bigint not null,
  key_id text collate "C" not null,
  root_id text collate "C" not null,
  call_seq bigint not null,
  run text not null,
  vendor text not null,
  operation text not null,
  method text not null,
  path text not null,
  customer text,
  call_reason text,
  request_hash text collate "C" not null,
  ceiling bigint not null check (ceiling >= 0),
  span_ms bigint not null check (span_ms > 0),
  expires_at bigint not null,
  state text not null check (state in ('open', 'approved', 'denied', 'used')),
  decided_at bigint,
  decided_by text,
  reason text,
  used_by bigint
);
create index approvals_of_request on approvals (key_id, request_hash);
-- By expiry, so that counting what is open does not walk through what nobody ever decided.
create index approvals_open on approvals (key_id, expires_at) where state = 'open';
create index approvals_waiting on approvals (expires_at) where state = 'open';
