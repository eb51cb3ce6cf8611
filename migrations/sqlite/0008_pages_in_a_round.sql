-- +goose Up
-- What went between this server and another, once it is no longer waiting. With
-- what waits in an index of its own, SQLite no longer walks all that is done to
-- find what is to be done.
DROP INDEX incoming_host;
CREATE INDEX incoming_past ON incoming (host, id) WHERE state <> 'waiting';
DROP INDEX deliveries_host;
CREATE INDEX deliveries_past ON deliveries (host, id) WHERE state <> 'waiting';

-- Since when another server refuses, or allows, this one.
ALTER TABLE peers ADD COLUMN their_view_at TIMESTAMP;
-- Which posts of ours other servers fetched, besides those that were delivered to
-- them: what an ended connection is asked to delete.
CREATE TABLE fetched_posts (
	post_id BIGINT NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
	host    TEXT   NOT NULL,
	PRIMARY KEY (post_id, host)
) WITHOUT ROWID;
CREATE INDEX fetched_posts_host ON fetched_posts (host);

-- What servers are called, and which are blocked, is kept in memory with this
-- version, which every change of any of it moves on.
ALTER TABLE site ADD COLUMN names_version BIGINT NOT NULL DEFAULT 0;
-- +goose StatementBegin
CREATE TRIGGER site_names AFTER UPDATE OF host, name ON site BEGIN UPDATE site SET names_version = names_version + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER hosts_names_added AFTER INSERT ON hosts WHEN NEW.name <> '' OR NEW.blocked BEGIN UPDATE site SET names_version = names_version + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER hosts_names AFTER UPDATE OF host, name, blocked ON hosts WHEN OLD.host IS NOT NEW.host OR OLD.name IS NOT NEW.name OR OLD.blocked IS NOT NEW.blocked BEGIN UPDATE site SET names_version = names_version + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER hosts_names_gone AFTER DELETE ON hosts WHEN OLD.name <> '' OR OLD.blocked BEGIN UPDATE site SET names_version = names_version + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER peers_names_added AFTER INSERT ON peers WHEN NEW.label <> '' BEGIN UPDATE site SET names_version = names_version + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER peers_names AFTER UPDATE OF host, label ON peers WHEN OLD.host IS NOT NEW.host OR OLD.label IS NOT NEW.label BEGIN UPDATE site SET names_version = names_version + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER peers_names_gone AFTER DELETE ON peers WHEN OLD.label <> '' BEGIN UPDATE site SET names_version = names_version + 1; END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER peers_names_gone;
DROP TRIGGER peers_names;
DROP TRIGGER peers_names_added;
DROP TRIGGER hosts_names_gone;
DROP TRIGGER hosts_names;
DROP TRIGGER hosts_names_added;
DROP TRIGGER site_names;
ALTER TABLE site DROP COLUMN names_version;
DROP TABLE fetched_posts;
ALTER TABLE peers DROP COLUMN their_view_at;
DROP INDEX deliveries_past;
CREATE INDEX deliveries_host ON deliveries (host, id);
DROP INDEX incoming_past;
CREATE INDEX incoming_host ON incoming (host, id);
