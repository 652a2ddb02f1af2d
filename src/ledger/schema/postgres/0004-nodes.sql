-- What several nodes share beside the book itself: where it stands, who they are, and the calls they have under way.
-- A node still on version 3: there is none, this dialect began with version 4.

-- One row. Whoever writes the book locks it first, so that decisions run one after the other whatever the number of
-- nodes; `version` tells a node whether what it has in memory is still what stands here.
create table head (
  sole boolean primary key default true check (sole),
  version bigint not null,
  entry_seq bigint not null,
  entry_hash text not null,
  -- Moves when keys, credentials, policies, freezes or settings change.
  registry bigint not null
);
insert into head (version, entry_seq, entry_hash, registry) values (0, 0, repeat('0', 64), 0);

-- One row a process that was ever a node. Past `lease_until` it must let nothing leave, by its own clock; `seen` is the
-- registry version it acts on, `in_flight` what had left when it began to; `batch` the last write of it that was committed.
create table nodes (
  id text collate "C" primary key,
  host text not null,
  pid bigint not null,
  started_at bigint not null,
  lease_until bigint not null,
  seen bigint not null,
  in_flight text not null default '[]',
  batch bigint not null default 0,
  gone boolean not null default false
);
create index nodes_alive on nodes (lease_until) where not gone;

-- Calls between admission and outcome. `acts_on` are the vendor objects a call may change, as a JSON list; two calls on one
-- of them at the same time have overlapped.
create table open_calls (
  seq bigint primary key,
  node text collate "C" not null,
  credential_id text collate "C",
  acts_on text not null,
  overlapped boolean not null
);
create index open_calls_of_node on open_calls (node);

-- Calls that count for a rate, a minute long.
create table rate_hits (
  key_id text collate "C" not null,
  at bigint not null,
  hits bigint not null,
  primary key (key_id, at)
);

-- What only one node may do at a time: who does it, and until when at most.
create table turns (
  name text collate "C" primary key,
  node text not null,
  until bigint not null
);

create function now_ms() returns bigint language sql volatile as $$
  select (extract(epoch from clock_timestamp()) * 1000)::bigint
$$;

-- The first statement of every write: moves the book on from the version that the node decided on, or ends the
-- transaction. Locks the head, then the node's own row, always in this order.
create function advance(
  node text, write bigint, from_version bigint, to_seq bigint, to_hash text, changed boolean, lease_ms bigint)
returns table (version bigint, registry bigint) language plpgsql as $$
begin
  return query
    update head h set version = h.version + 1, entry_seq = to_seq, entry_hash = to_hash,
      registry = h.registry + case when changed then 1 else 0 end
    where h.version = from_version
    returning h.version, h.registry;
  if not found then raise exception 'the book has moved on' using errcode = 'SG001'; end if;
  -- A write that lands shows that the node is alive, and acts on the registry as it stands.
  update nodes n set batch = write, lease_until = now_ms() + lease_ms, seen = case when changed then (select h.registry from head h) else n.seen end
    where n.id = node and not n.gone;
  if not found then raise exception 'this node was declared gone' using errcode = 'SG002'; end if;
end
$$;
