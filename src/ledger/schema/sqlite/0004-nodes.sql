-- Whether a call was replayed is asked of the rows, so that it is known after a restart and on every node.
-- A node still on version 3: refuses to open this file. It owned the file alone, so it has stopped by now, and what it
-- wrote needs no change. (PostgreSQL's step of this number also makes what several nodes share.)

create index calls_replays on calls (replay_of) where replay_of is not null;
