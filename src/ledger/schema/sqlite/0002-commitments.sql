-- What calls make happen later without another call, and the vendor API version pinned for a credential.
-- A node still on version 1: refuses to open this file. It owned the file alone, so it has stopped by now; what it wrote
-- stays as it is, because its calls committed nothing that it knew of.

alter table credentials add column api_version text not null default '';

-- One row a call that committed something, until that has ended. The rows of one object are one commitment: the first
-- of them names it, the last has its terms, and what they count for together is what it costs a month.
create table commitments (
  call_seq integer primary key,
  credential_id text,
  object text,
  kind text not null check (kind in ('recurring', 'scheduled', 'open')),
  per_month integer not null check (per_month >= 0),
  due_at integer,
  quantity integer,
  standing integer not null check (standing in (0, 1)),
  counted integer not null check (counted >= 0),
  counters text not null
) strict;
create index commitments_of_object on commitments (credential_id, object) where object is not null;
