-- History is proved, signed and pruned: salts of rows, signed checkpoints, and triggers on everything that is history.
-- A node still on version 4: refuses to open this file. It owned the file alone, so it has stopped by now; rows it wrote
-- have no salt, and `verify` compares of them what their entries say.

-- What a row's digest in the entries is made with. It goes when the row is erased: nobody can then try out values.
alter table calls add column salt text;
alter table keys add column salt text;
alter table credentials add column salt text;
alter table policies add column salt text;
alter table freezes add column salt text;
alter table approvals add column salt text;

-- Where the chain stood at an instant, signed. `entries` counts those since the checkpoint before.
create table checkpoints (
  seq integer primary key,
  entries integer not null check (entries > 0),
  head text not null,
  at integer not null,
  key_id text not null,
  signature text not null
) strict;

-- The mark `pruned` says up to which entry history was pruned, `pruned-calls` up to which call. It is written in the
-- transaction that prunes, and nothing after it can be deleted.
drop trigger entries_remain;
create trigger entries_remain before delete on entries
  when old.seq > coalesce((select seq from marks where name = 'pruned'), 0)
  begin select raise(abort, 'entries are immutable'); end;

create trigger checkpoints_stay before update on checkpoints begin select raise(abort, 'checkpoints are immutable'); end;
-- The one that signs what was pruned last stays: the chain goes on from it.
create trigger checkpoints_remain before delete on checkpoints
  when old.seq >= coalesce((select seq from marks where name = 'pruned'), 0)
  begin select raise(abort, 'checkpoints are immutable'); end;

create trigger calls_remain before delete on calls
  when old.seq > coalesce((select seq from marks where name = 'pruned-calls'), 0)
  begin select raise(abort, 'calls are history'); end;
-- What a settlement may change is not in this list.
create trigger calls_stay before update of
    seq, at, key_id, root_id, credential_id, run, run_source, vendor, surface, method, operation, effect, direction, basis,
    quoted, reserved, replay_of, look_ups, counters on calls
  when new.seq is not old.seq or new.at is not old.at or new.key_id is not old.key_id or new.root_id is not old.root_id
    or new.credential_id is not old.credential_id or new.run is not old.run or new.run_source is not old.run_source
    or new.vendor is not old.vendor or new.surface is not old.surface or new.method is not old.method
    or new.operation is not old.operation or new.effect is not old.effect or new.direction is not old.direction
    or new.basis is not old.basis or new.quoted is not old.quoted or new.reserved is not old.reserved
    or new.replay_of is not old.replay_of or new.look_ups is not old.look_ups or new.counters is not old.counters
  begin select raise(abort, 'calls are history'); end;
-- Personal data may be erased, and changed to nothing else.
create trigger calls_erase before update of path, customer, reason, request_hash, salt on calls
  when (new.path is not old.path and instr(new.path, '[erased]') = 0)
    or (new.customer is not old.customer and new.customer is not '[erased]')
    or (new.reason is not old.reason and instr(coalesce(new.reason, ''), '[erased]') = 0)
    or (new.request_hash is not old.request_hash and new.request_hash is not '[erased]')
    or (new.salt is not old.salt and instr(new.path || coalesce(new.customer, '') || coalesce(new.object, '')
      || coalesce(new.reason, '') || coalesce(new.message, ''), '[erased]') = 0)
  begin select raise(abort, 'calls are history'); end;
-- A list of calls begins anew where the call before was pruned.
create trigger calls_unlink before update of before_of_key, before_of_run on calls
  when (new.before_of_key is not old.before_of_key and (new.before_of_key is not null
      or old.before_of_key > coalesce((select seq from marks where name = 'pruned-calls'), 0)))
    or (new.before_of_run is not old.before_of_run and (new.before_of_run is not null
      or old.before_of_run > coalesce((select seq from marks where name = 'pruned-calls'), 0)))
  begin select raise(abort, 'calls are history'); end;
