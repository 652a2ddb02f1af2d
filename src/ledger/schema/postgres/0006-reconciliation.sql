-- What is not known yet: calls of unknown outcome, and amounts whose true price the vendor names later.
-- A node still on version 5: stops within a beat of this (src/ledger/postgres/membership.ts).

-- What was sent by a call of unknown outcome, sealed; gone as soon as the outcome is known.
create table evidence (
  call_seq bigint primary key,
  sealed text not null
);

-- Who found out what became of a call, and what they say. Apart from the chain, so that it can be erased.
create table resolutions (
  call_seq bigint primary key,
  at bigint not null,
  actor text not null,
  reason text not null
);

-- Settled calls by the vendor's id of what they made. Asked about at `due_at`; null once there is nothing more to ask.
create table estimates (
  call_seq bigint primary key,
  credential_id text not null collate "C",
  object text not null collate "C",
  due_at bigint
);
create index estimates_due on estimates (due_at) where due_at is not null;
create index estimates_of_object on estimates (credential_id, object);

-- From here on idempotency keys of calls in doubt are kept for as long as the doubt is.
insert into marks (name, seq) select 'keys-kept', coalesce(max(seq), 0) from calls;

-- Money that moved at a vendor without a call, one row a movement, by the vendor's id of it. `seq` is that of its entry.
-- `object` is the one of ours that it followed from, `call_seq` the call that made that; `counted` what of `amount` no
-- call had counted yet. What followed from nothing of ours is not explained, counts on no key, and says why.
create table movements (
  seq bigint primary key,
  at bigint not null,
  vendor text not null,
  credential_id text not null collate "C",
  external_id text not null collate "C",
  kind text not null,
  direction text not null check (direction in ('in', 'out')),
  object text collate "C",
  call_seq bigint,
  key_id text collate "C",
  root_id text collate "C",
  run text collate "C",
  operation text not null default '',
  amount bigint check (amount >= 0),
  counted bigint not null check (counted >= 0),
  counters text not null,
  explained bigint not null check (explained in (0, 1)),
  why text,
  unique (credential_id, external_id)
);
create index movements_of_object on movements (credential_id, object) where object is not null;
create index movements_unexplained on movements (seq) where explained = 0;
create index movements_at on movements (at) where key_id is not null;
-- A movement may be explained later, and is history from then on.
create trigger movements_stay before update on movements for each row
  when (old.explained = 1) execute function history_stays();
create trigger movements_keep before delete on movements for each row
  when (old.seq > marked('pruned')) execute function history_stays();
create trigger movements_remain before truncate on movements for each statement execute function history_stays();

-- Which call made what came of an object of its own: the subscription that its page sold, and what it had committed
-- until that ended. With its key and run, because what came of it may outlive the call's row.
create table origins (
  credential_id text not null collate "C",
  object text not null collate "C",
  call_seq bigint not null,
  key_id text not null collate "C",
  run text not null collate "C",
  primary key (credential_id, object)
);
