-- +goose Up
-- What an administrator decided about a server. No row means: unknown.
CREATE TABLE peers (
	host       TEXT      NOT NULL PRIMARY KEY,
	standing   TEXT      NOT NULL CHECK (standing IN ('allowed', 'blocked')),
	ceiling    TEXT      NOT NULL DEFAULT 'network' CHECK (ceiling IN ('none', 'public', 'network', 'group')),
	label      TEXT      NOT NULL DEFAULT '',
	note       TEXT      NOT NULL DEFAULT '',
	reason     TEXT      NOT NULL DEFAULT '',
	changed_by BIGINT    REFERENCES accounts (id),
	created_at TIMESTAMP NOT NULL,
	changed_at TIMESTAMP NOT NULL
);
CREATE INDEX peers_standing ON peers (standing, host);

-- Who changed what, for ever.
CREATE TABLE audit (
	id         INTEGER NOT NULL PRIMARY KEY,
	actor_id   BIGINT    REFERENCES accounts (id),
	action     TEXT      NOT NULL,
	subject    TEXT      NOT NULL,
	before     TEXT      NOT NULL DEFAULT '',
	after      TEXT      NOT NULL DEFAULT '',
	reason     TEXT      NOT NULL DEFAULT '',
	created_at TIMESTAMP NOT NULL
);
CREATE INDEX audit_subject ON audit (subject, id);

-- What was learned of a server by talking with it. blocked follows from peers
-- (a block covers the subtree) and is kept here, where reading can join it.
CREATE TABLE hosts (
	host             TEXT      NOT NULL PRIMARY KEY,
	blocked          BOOLEAN   NOT NULL DEFAULT FALSE,
	name             TEXT      NOT NULL DEFAULT '',
	software         TEXT      NOT NULL DEFAULT '',
	version          TEXT      NOT NULL DEFAULT '',
	closed_audiences BOOLEAN   NOT NULL DEFAULT FALSE,
	actor_uri        TEXT      NOT NULL DEFAULT '',
	shared_inbox     TEXT      NOT NULL DEFAULT '',
	met_at           TIMESTAMP,
	meet_tries       BIGINT    NOT NULL DEFAULT 0,
	meet_next_at     TIMESTAMP,
	last_in_at       TIMESTAMP,
	last_out_at      TIMESTAMP,
	refused_in       BIGINT    NOT NULL DEFAULT 0,
	refused_in_at    TIMESTAMP
);

-- One lane per host and queue: who works it, and when it may go on.
CREATE TABLE lanes (
	queue      TEXT      NOT NULL CHECK (queue IN ('incoming', 'deliveries')),
	host       TEXT      NOT NULL,
	waiting    BOOLEAN   NOT NULL DEFAULT TRUE,
	failures   BIGINT    NOT NULL DEFAULT 0,
	failing_since TIMESTAMP,
	next_at    TIMESTAMP NOT NULL,
	parked_at  TIMESTAMP,
	error      TEXT      NOT NULL DEFAULT '',
	node       TEXT      NOT NULL DEFAULT '',
	node_until TIMESTAMP NOT NULL,
	PRIMARY KEY (queue, host)
) WITHOUT ROWID;
CREATE INDEX lanes_due ON lanes (queue, next_at) WHERE waiting AND parked_at IS NULL;

CREATE TABLE incoming (
	id          INTEGER NOT NULL PRIMARY KEY,
	host        TEXT      NOT NULL,
	activity_id TEXT      NOT NULL,
	actor_uri   TEXT      NOT NULL,
	type        TEXT      NOT NULL,
	body        BLOB      NOT NULL,
	state       TEXT      NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'dropped')),
	attempts    BIGINT    NOT NULL DEFAULT 0,
	error       TEXT      NOT NULL DEFAULT '',
	received_at TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX incoming_activity ON incoming (activity_id);
CREATE INDEX incoming_lane ON incoming (host, id) WHERE state = 'waiting';

CREATE TABLE outgoing (
	id          INTEGER NOT NULL PRIMARY KEY,
	verb        TEXT      NOT NULL,
	actor_id    BIGINT    NOT NULL,
	post_id     BIGINT,
	account_id  BIGINT,
	object_uri  TEXT      NOT NULL DEFAULT '',
	audience    TEXT      NOT NULL DEFAULT '',
	facts       TEXT      NOT NULL DEFAULT '',
	body        BLOB ,
	state       TEXT      NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'spread')),
	attempts    BIGINT    NOT NULL DEFAULT 0,
	error       TEXT      NOT NULL DEFAULT '',
	node        TEXT      NOT NULL DEFAULT '',
	node_until  TIMESTAMP,
	created_at  TIMESTAMP NOT NULL
);
CREATE INDEX outgoing_waiting ON outgoing (id) WHERE state = 'waiting';
CREATE INDEX outgoing_post ON outgoing (post_id) WHERE post_id IS NOT NULL;

CREATE TABLE deliveries (
	id          INTEGER NOT NULL PRIMARY KEY,
	outgoing_id BIGINT    NOT NULL REFERENCES outgoing (id) ON DELETE CASCADE,
	post_id     BIGINT,
	host        TEXT      NOT NULL,
	inbox       TEXT      NOT NULL,
	state       TEXT      NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'refused', 'withheld', 'expired')),
	attempts    BIGINT    NOT NULL DEFAULT 0,
	status      BIGINT    NOT NULL DEFAULT 0,
	reason      TEXT      NOT NULL DEFAULT '',
	created_at  TIMESTAMP NOT NULL,
	done_at     TIMESTAMP
);
CREATE UNIQUE INDEX deliveries_once ON deliveries (outgoing_id, inbox);
CREATE INDEX deliveries_lane ON deliveries (host, id) WHERE state = 'waiting';
CREATE INDEX deliveries_post ON deliveries (post_id, id) WHERE post_id IS NOT NULL;
CREATE INDEX deliveries_done ON deliveries (done_at) WHERE done_at IS NOT NULL;

-- +goose Down
DROP TABLE deliveries;
DROP TABLE outgoing;
DROP TABLE incoming;
DROP TABLE lanes;
DROP TABLE hosts;
DROP TABLE audit;
DROP TABLE peers;
