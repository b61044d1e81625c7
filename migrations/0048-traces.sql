-- W3C trace context of who asked for it, where traces are on: its jobs belong to that trace, whichever worker has them.
alter table bundle_requests add column trace_parent text;
alter table image_builds add column trace_parent text;
