-- What is not known yet: calls of unknown outcome, and amounts whose true price the vendor names later.
-- A node still on version 5: refuses to open this file. It owned the file alone, so it has stopped by now; what it
-- assumed is looked for like everything else, without what was sent.

-- What was sent by a call of unknown outcome, sealed; gone as soon as the outcome is known.
create table evidence (
  call_seq integer primary key,
  sealed text not null
) strict;

-- Who found out what became of a call, and what they say. Apart from the chain, so that it can be erased.
create table resolutions (
  call_seq integer primary key,
  at integer not null,
  actor text not null,
  reason text not null
) strict;

-- Settled calls by the vendor's id of what they made. Asked about at `due_at`; null once there is nothing more to ask.
create table estimates (
  call_seq integer primary key,
  credential_id text not null,
  object text not null,
  due_at integer
) strict;
create index estimates_due on estimates (due_at) where due_at is not null;
create index estimates_of_object on estimates (credential_id, object);

-- From here on idempotency keys of calls in doubt are kept for as long as the doubt is.
insert into marks (name, seq) select 'keys-kept', coalesce(max(seq), 0) from calls;

-- Money that moved at a vendor without a call, one row a movement, by the vendor's id of it. `seq` is that of its entry.
-- `object` is the one of ours that it followed from, `call_seq` the call that made that; `counted` what of `amount` no
-- call had counted yet. What followed from nothing of ours is not explained, counts on no key, and says why.
create table movements (
  seq integer primary key,
  at integer not null,
  vendor text not null,
  credential_id text not null,
  external_id text not null,
  kind text not null,
  direction text not null check (direction in ('in', 'out')),
  object text,
  call_seq integer,
  key_id text,
  root_id text,
  run text,
  operation text not null default '',
  amount integer check (amount >= 0),
  counted integer not null check (counted >= 0),
  counters text not null,
  explained integer not null check (explained in (0, 1)),
  why text,
  unique (credential_id, external_id)
) strict;
create index movements_of_object on movements (credential_id, object) where object is not null;
create index movements_unexplained on movements (seq) where explained = 0;
create index movements_at on movements (at) where key_id is not null;
-- A movement may be explained later, and is history from then on.
create trigger movements_stay before update on movements when old.explained = 1
  begin select raise(abort, 'movements are history'); end;
create trigger movements_remain before delete on movements
  when old.seq > coalesce((select seq from marks where name = 'pruned'), 0)
  begin select raise(abort, 'movements are history'); end;

-- Which call made what came of an object of its own: the subscription that its page sold, and what it had committed
-- until that ended. With its key and run, because what came of it may outlive the call's row.
create table origins (
  credential_id text not null,
  object text not null,
  call_seq integer not null,
  key_id text not null,
  run text not null,
  primary key (credential_id, object)
) strict, without rowid;
