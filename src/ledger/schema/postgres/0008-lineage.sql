-- Which key was reissued as this one: what it and those before it spent in a window still counts, also where a policy in
-- between had no such budget.
-- A node still on version 6: goes on, and issues keys that say nothing of the one before.

alter table keys add column replaces text collate "C";
