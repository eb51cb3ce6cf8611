-- +goose Up
-- What went between this server and another, once it is no longer waiting. With
-- what waits in an index of its own, SQLite no longer walks all that is done to
-- find what is to be done.
DROP INDEX incoming_host;
CREATE INDEX incoming_past ON incoming (host, id) WHERE state <> 'waiting';
DROP INDEX deliveries_host;
CREATE INDEX deliveries_past ON deliveries (host, id) WHERE state <> 'waiting';

-- Since when another server refuses, or allows, this one.
ALTER TABLE peers ADD COLUMN their_view_at TIMESTAMP(3);
-- Which posts of ours other servers fetched, besides those that were delivered to
-- them: what an ended connection is asked to delete.
CREATE TABLE fetched_posts (
	post_id BIGINT NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
	host    TEXT   NOT NULL,
	PRIMARY KEY (post_id, host)
);
CREATE INDEX fetched_posts_host ON fetched_posts (host);

-- What servers are called, and which are blocked, is kept in memory with this
-- version, which every change of any of it moves on.
ALTER TABLE site ADD COLUMN names_version BIGINT NOT NULL DEFAULT 0;
-- +goose StatementBegin
CREATE FUNCTION next_names() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	-- Once a transaction: each version of a row stays until it ends.
	IF COALESCE(current_setting('chalkring.names_moved', TRUE), '') <> 'yes' THEN
		UPDATE site SET names_version = names_version + 1;
		PERFORM set_config('chalkring.names_moved', 'yes', TRUE);
	END IF;
	RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER site_names AFTER UPDATE OF host, name ON site FOR EACH STATEMENT EXECUTE FUNCTION next_names();
CREATE TRIGGER hosts_names_added AFTER INSERT ON hosts FOR EACH ROW WHEN (NEW.name <> '' OR NEW.blocked) EXECUTE FUNCTION next_names();
CREATE TRIGGER hosts_names AFTER UPDATE OF host, name, blocked ON hosts FOR EACH STATEMENT EXECUTE FUNCTION next_names();
CREATE TRIGGER hosts_names_gone AFTER DELETE OR TRUNCATE ON hosts FOR EACH STATEMENT EXECUTE FUNCTION next_names();
CREATE TRIGGER peers_names AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF host, label ON peers FOR EACH STATEMENT EXECUTE FUNCTION next_names();

-- +goose Down
DROP TRIGGER peers_names ON peers;
DROP TRIGGER hosts_names_gone ON hosts;
DROP TRIGGER hosts_names ON hosts;
DROP TRIGGER hosts_names_added ON hosts;
DROP TRIGGER site_names ON site;
DROP FUNCTION next_names();
ALTER TABLE site DROP COLUMN names_version;
DROP TABLE fetched_posts;
ALTER TABLE peers DROP COLUMN their_view_at;
DROP INDEX deliveries_past;
CREATE INDEX deliveries_host ON deliveries (host, id);
DROP INDEX incoming_past;
CREATE INDEX incoming_host ON incoming (host, id);
