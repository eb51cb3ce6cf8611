-- +goose Up
-- What went between this server and another, once it is no longer waiting. With
-- what waits in an index of its own, SQLite no longer walks all that is done to
-- find what is to be done.
DROP INDEX incoming_host;
CREATE INDEX incoming_past ON incoming (host, id) WHERE state <> 'waiting';
DROP INDEX deliveries_host;
CREATE INDEX deliveries_past ON deliveries (host, id) WHERE state <> 'waiting';

-- +goose Down
DROP INDEX deliveries_past;
CREATE INDEX deliveries_host ON deliveries (host, id);
DROP INDEX incoming_past;
CREATE INDEX incoming_host ON incoming (host, id);
