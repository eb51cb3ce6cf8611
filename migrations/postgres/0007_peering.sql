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

-- +goose Down
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
