-- +goose Up
-- What an administrator decided about a server: one row a peer, with its whole
-- policy. inbound and outbound are sets of kinds of messages, rights a set of
-- what groups let it do, each a sum of bits.
CREATE TABLE peers_new (
	host        TEXT      NOT NULL PRIMARY KEY,
	id          BIGINT    NOT NULL,
	standing    TEXT      NOT NULL CHECK (standing IN ('allowed', 'paused', 'retired', 'expired', 'blocked')),
	subtree     BOOLEAN   NOT NULL DEFAULT FALSE,
	label       TEXT      NOT NULL DEFAULT '',
	kind        TEXT      NOT NULL DEFAULT '',
	public_note TEXT      NOT NULL DEFAULT '',
	note        TEXT      NOT NULL DEFAULT '',
	reason      TEXT      NOT NULL DEFAULT '',
	source      TEXT      NOT NULL DEFAULT '',
	preset      TEXT      NOT NULL DEFAULT '',
	ceiling     TEXT      NOT NULL DEFAULT 'network' CHECK (ceiling IN ('none', 'public', 'network', 'group')),
	inbound     BIGINT    NOT NULL DEFAULT 511,
	outbound    BIGINT    NOT NULL DEFAULT 511,
	hold        TEXT      NOT NULL DEFAULT 'none' CHECK (hold IN ('none', 'first', 'media', 'links', 'all')),
	silenced    BOOLEAN   NOT NULL DEFAULT FALSE,
	media       TEXT      NOT NULL DEFAULT 'proxy' CHECK (media IN ('proxy', 'click', 'strip', 'hold')),
	rights      BIGINT    NOT NULL DEFAULT 3,
	reports_in  TEXT      NOT NULL DEFAULT 'accept' CHECK (reports_in IN ('accept', 'apart', 'refuse')),
	reports_out TEXT      NOT NULL DEFAULT 'click' CHECK (reports_out IN ('click', 'never')),
	search      TEXT      NOT NULL DEFAULT 'members' CHECK (search IN ('members', 'followers', 'nobody')),
	retention   BIGINT    NOT NULL DEFAULT 0,
	per_minute  BIGINT    NOT NULL DEFAULT 0,
	per_day     BIGINT    NOT NULL DEFAULT 0,
	max_bytes   BIGINT    NOT NULL DEFAULT 0,
	backfill    BIGINT    NOT NULL DEFAULT 0,
	their_view  TEXT      NOT NULL DEFAULT 'unknown' CHECK (their_view IN ('unknown', 'pending', 'allowed', 'refused')),
	their_hint  TEXT      NOT NULL DEFAULT '',
	key_hash    TEXT      NOT NULL DEFAULT '',
	review_on   TIMESTAMP,
	expires_at  TIMESTAMP,
	ended_at    TIMESTAMP,
	purge_at    TIMESTAMP,
	changed_by  BIGINT    REFERENCES accounts (id),
	created_at  TIMESTAMP NOT NULL,
	changed_at  TIMESTAMP NOT NULL
);
INSERT INTO peers_new (host, id, standing, label, note, reason, ceiling, changed_by, created_at, changed_at)
	SELECT host, id, standing, label, note, reason, ceiling, changed_by, created_at, changed_at FROM peers;
DROP TABLE peers;
ALTER TABLE peers_new RENAME TO peers;
CREATE UNIQUE INDEX peers_id ON peers (id);
CREATE INDEX peers_standing ON peers (standing, host);
CREATE INDEX peers_standing_id ON peers (standing, id);
CREATE INDEX peers_expires ON peers (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX peers_review ON peers (review_on) WHERE review_on IS NOT NULL;
CREATE INDEX peers_purge ON peers (purge_at) WHERE purge_at IS NOT NULL;

-- The names under which a peer is met: its own (main), and those of its actors,
-- its handles, its media, and of what it was called before. One that nobody has
-- confirmed is only proposed and has no effect.
CREATE TABLE peer_hosts (
	host         TEXT      NOT NULL,
	peer_id      BIGINT    NOT NULL REFERENCES peers (id) ON DELETE CASCADE,
	role         TEXT      NOT NULL CHECK (role IN ('main', 'actor', 'handle', 'media', 'former')),
	seen_at      TIMESTAMP NOT NULL,
	confirmed_at TIMESTAMP,
	PRIMARY KEY (host, peer_id)
);
CREATE INDEX peer_hosts_peer ON peer_hosts (peer_id);
INSERT INTO peer_hosts (host, peer_id, role, seen_at, confirmed_at) SELECT host, id, 'main', created_at, created_at FROM peers;

-- How a connection ended: until when what is left of it is kept, and which of
-- this server's posts the other side is asked to delete.
ALTER TABLE peers ADD COLUMN keep_until TIMESTAMP;
ALTER TABLE peers ADD COLUMN withdraw BIGINT NOT NULL DEFAULT 0;
CREATE INDEX peers_keep ON peers (keep_until) WHERE keep_until IS NOT NULL;

CREATE TABLE chores_new (
	id         INTEGER NOT NULL PRIMARY KEY,
	kind       TEXT      NOT NULL CHECK (kind IN ('erase', 'move', 'sever', 'restore', 'withdraw', 'drop')),
	account_id BIGINT    REFERENCES accounts (id) ON DELETE CASCADE,
	subject    TEXT      NOT NULL DEFAULT '',
	tries      BIGINT    NOT NULL DEFAULT 0,
	next_at    TIMESTAMP NOT NULL,
	created_at TIMESTAMP NOT NULL,
	done       BIGINT    NOT NULL DEFAULT 0,
	total      BIGINT    NOT NULL DEFAULT 0
);
INSERT INTO chores_new (id, kind, account_id, subject, tries, next_at, created_at) SELECT id, kind, account_id, subject, tries, next_at, created_at FROM chores;
DROP TABLE chores;
ALTER TABLE chores_new RENAME TO chores;
CREATE UNIQUE INDEX chores_once ON chores (kind, account_id) WHERE account_id IS NOT NULL;
CREATE INDEX chores_next ON chores (next_at);
CREATE INDEX chores_subject ON chores (subject, kind) WHERE subject <> '';

-- Ties with people of a server that is not connected any more, put aside so
-- that they can be taken up again. host is the person's, peer the entry by
-- which it ended; extra is JSON: what else belonged to the tie.
CREATE TABLE severed_ties (
	id          INTEGER   NOT NULL PRIMARY KEY,
	peer        TEXT      NOT NULL,
	host        TEXT      NOT NULL,
	local_id    BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	remote_id   BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	kind        TEXT      NOT NULL CHECK (kind IN ('follow', 'follower', 'group_member', 'moderator', 'rsvp')),
	state       TEXT      NOT NULL DEFAULT '',
	uri         TEXT      NOT NULL DEFAULT '',
	extra       TEXT      NOT NULL DEFAULT '',
	severed_at  TIMESTAMP NOT NULL,
	restored_at TIMESTAMP
);
CREATE INDEX severed_ties_peer ON severed_ties (peer, id);
CREATE INDEX severed_ties_local ON severed_ties (local_id, peer, id);
CREATE INDEX severed_ties_remote ON severed_ties (remote_id);

-- What is left of them after a purge.
CREATE TABLE severed_counts (
	peer       TEXT      NOT NULL,
	kind       TEXT      NOT NULL,
	ties       BIGINT    NOT NULL,
	counted_at TIMESTAMP NOT NULL,
	PRIMARY KEY (peer, kind)
);
ALTER TABLE severed ADD COLUMN act TEXT NOT NULL DEFAULT 'block' CHECK (act IN ('block', 'retire'));

-- The log as a chain: each line's hash is over the one before and what the line
-- says. Lines of before are chained when the server first starts with this.
CREATE TABLE audit_chain (
	seq     INTEGER   NOT NULL PRIMARY KEY,
	line_id BIGINT    NOT NULL REFERENCES audit (id),
	hash    TEXT      NOT NULL
);
CREATE UNIQUE INDEX audit_chain_line ON audit_chain (line_id);
-- +goose StatementBegin
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_chain_no_update BEFORE UPDATE ON audit_chain BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_chain_no_delete BEFORE DELETE ON audit_chain BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;
-- +goose StatementEnd

-- +goose Down
-- The way back of how connections end.
DROP TRIGGER audit_chain_no_delete;
DROP TRIGGER audit_chain_no_update;
DROP TRIGGER audit_no_delete;
DROP TRIGGER audit_no_update;
DROP TABLE audit_chain;
DELETE FROM severed WHERE act <> 'block';
ALTER TABLE severed DROP COLUMN act;
DROP TABLE severed_counts;
DROP TABLE severed_ties;
DROP INDEX chores_subject;
CREATE TABLE chores_old (
	id         INTEGER NOT NULL PRIMARY KEY,
	kind       TEXT      NOT NULL CHECK (kind IN ('erase', 'move', 'sever')),
	account_id BIGINT    REFERENCES accounts (id) ON DELETE CASCADE,
	subject    TEXT      NOT NULL DEFAULT '',
	tries      BIGINT    NOT NULL DEFAULT 0,
	next_at    TIMESTAMP NOT NULL,
	created_at TIMESTAMP NOT NULL
);
INSERT INTO chores_old SELECT id, kind, account_id, subject, tries, next_at, created_at FROM chores WHERE kind IN ('erase', 'move', 'sever');
DROP TABLE chores;
ALTER TABLE chores_old RENAME TO chores;
CREATE UNIQUE INDEX chores_once ON chores (kind, account_id) WHERE account_id IS NOT NULL;
CREATE INDEX chores_next ON chores (next_at);
DROP INDEX peers_keep;
ALTER TABLE peers DROP COLUMN withdraw;
ALTER TABLE peers DROP COLUMN keep_until;
DROP TABLE peer_hosts;
CREATE TABLE peers_old (
	host       TEXT      NOT NULL PRIMARY KEY,
	standing   TEXT      NOT NULL CHECK (standing IN ('allowed', 'blocked')),
	ceiling    TEXT      NOT NULL DEFAULT 'network' CHECK (ceiling IN ('none', 'public', 'network', 'group')),
	label      TEXT      NOT NULL DEFAULT '',
	note       TEXT      NOT NULL DEFAULT '',
	reason     TEXT      NOT NULL DEFAULT '',
	changed_by BIGINT    REFERENCES accounts (id),
	created_at TIMESTAMP NOT NULL,
	changed_at TIMESTAMP NOT NULL,
	id         BIGINT    NOT NULL DEFAULT 0
);
INSERT INTO peers_old SELECT host, standing, ceiling, label, note, reason, changed_by, created_at, changed_at, id FROM peers
	WHERE standing IN ('allowed', 'blocked');
DROP TABLE peers;
ALTER TABLE peers_old RENAME TO peers;
CREATE INDEX peers_standing ON peers (standing, host);
CREATE UNIQUE INDEX peers_id ON peers (id);
CREATE INDEX peers_standing_id ON peers (standing, id);
