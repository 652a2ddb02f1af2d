-- What calls make happen later without another call, and the vendor API version pinned for a credential.
-- A node still on version 1: there is none, this dialect began with version 3.

alter table credentials add column api_version text not null default '';

-- One row a call that committed something, until that has ended. The rows of one object are one commitment: the first
-- of them names it, the last has its terms, and what they count for together is what it costs a month.
create table commitments (
  call_seq bigint primary key,
  credential_id text collate "C",
  object text collate "C",
  kind text not null check (kind in ('recurring', 'scheduled', 'open')),
  per_month bigint not null check (per_month >= 0),
  due_at bigint,
  quantity bigint,
  standing bigint not null check (standing in (0, 1)),
  counted bigint not null check (counted >= 0),
  counters text not null
);
create index commitments_of_object on commitments (credential_id, object) where object is not null;
