-- Which key was reissued as this one: what it and those before it spent in a window still counts, also where a policy in
-- between had no such budget.
-- A node still on version 6: refuses to open this file. It owned the file alone, so it has stopped by now.

alter table keys add column replaces text;
