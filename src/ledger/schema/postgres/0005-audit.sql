-- History is proved, signed and pruned: salts of rows, signed checkpoints, and triggers on everything that is history.
-- A node still on version 4: stops within a beat of this (src/ledger/postgres/membership.ts).

-- What a row's digest in the entries is made with. It goes when the row is erased: nobody can then try out values.
alter table calls add column salt text;
alter table keys add column salt text;
alter table credentials add column salt text;
alter table policies add column salt text;
alter table freezes add column salt text;
alter table approvals add column salt text;

-- Where the chain stood at an instant, signed. `entries` counts those since the checkpoint before.
create table checkpoints (
  seq bigint primary key,
  entries bigint not null check (entries > 0),
  head text not null,
  at bigint not null,
  key_id text not null,
  signature text not null
);

-- The mark `pruned` says up to which entry history was pruned, `pruned-calls` up to which call. It is written in the
-- transaction that prunes, and nothing after it can be deleted.
create function marked(mark text) returns bigint language sql stable as $$
  select coalesce((select seq from marks where name = mark), 0)
$$;
create function history_stays() returns trigger language plpgsql as $$
begin
  raise exception '% are history', tg_table_name using errcode = 'restrict_violation';
end
$$;

drop trigger entries_stay on entries;
create trigger entries_stay before update on entries for each row execute function entries_stay();
create trigger entries_keep before delete on entries for each row
  when (old.seq > marked('pruned')) execute function entries_stay();

create trigger checkpoints_stay before update on checkpoints for each row execute function history_stays();
-- The one that signs what was pruned last stays: the chain goes on from it.
create trigger checkpoints_keep before delete on checkpoints for each row
  when (old.seq >= marked('pruned')) execute function history_stays();
create trigger checkpoints_remain before truncate on checkpoints for each statement execute function history_stays();

create trigger calls_keep before delete on calls for each row
  when (old.seq > marked('pruned-calls')) execute function history_stays();
create trigger calls_remain before truncate on calls for each statement execute function history_stays();
-- What a settlement may change is not in this list.
create trigger calls_stay before update of
    seq, at, key_id, root_id, credential_id, run, run_source, vendor, surface, method, operation, effect, direction, basis,
    quoted, reserved, replay_of, look_ups, counters on calls
  for each row when (
    (old.seq, old.at, old.key_id, old.root_id, old.credential_id, old.run, old.run_source, old.vendor, old.surface, old.method,
     old.operation, old.effect, old.direction, old.basis, old.quoted, old.reserved, old.replay_of, old.look_ups, old.counters)
    is distinct from
    (new.seq, new.at, new.key_id, new.root_id, new.credential_id, new.run, new.run_source, new.vendor, new.surface, new.method,
     new.operation, new.effect, new.direction, new.basis, new.quoted, new.reserved, new.replay_of, new.look_ups, new.counters))
  execute function history_stays();
-- Personal data may be erased, and changed to nothing else.
create trigger calls_erase before update of path, customer, reason, request_hash, salt on calls for each row when (
    (new.path is distinct from old.path and strpos(new.path, '[erased]') = 0)
    or (new.customer is distinct from old.customer and new.customer is distinct from '[erased]')
    or (new.reason is distinct from old.reason and strpos(coalesce(new.reason, ''), '[erased]') = 0)
    or (new.request_hash is distinct from old.request_hash and new.request_hash is distinct from '[erased]')
    or (new.salt is distinct from old.salt and strpos(new.path || coalesce(new.customer, '') || coalesce(new.object, '')
      || coalesce(new.reason, '') || coalesce(new.message, ''), '[erased]') = 0))
  execute function history_stays();
-- A list of calls begins anew where the call before was pruned.
create trigger calls_unlink before update of before_of_key, before_of_run on calls for each row when (
    (new.before_of_key is distinct from old.before_of_key
      and (new.before_of_key is not null or old.before_of_key > marked('pruned-calls')))
    or (new.before_of_run is distinct from old.before_of_run
      and (new.before_of_run is not null or old.before_of_run > marked('pruned-calls'))))
  execute function history_stays();
