-- +goose Up
-- The one row that says which server this database belongs to.
CREATE TABLE site (
	id                INTEGER   NOT NULL PRIMARY KEY CHECK (id = 1),
	host              TEXT      NOT NULL,
	name              TEXT      NOT NULL DEFAULT '',
	description       TEXT      NOT NULL DEFAULT '',
	kind              TEXT      NOT NULL DEFAULT 'school' CHECK (kind IN ('school', 'region', 'university', 'other')),
	contact           TEXT      NOT NULL DEFAULT '',
	rules             TEXT      NOT NULL DEFAULT '',
	mode              TEXT      NOT NULL DEFAULT 'allowlist' CHECK (mode IN ('allowlist', 'open')),
	registration      TEXT      NOT NULL DEFAULT 'invite' CHECK (registration IN ('invite', 'request')),
	public_key        TEXT      NOT NULL DEFAULT '',
	private_key       TEXT      NOT NULL DEFAULT '',
	setup_hash        TEXT      NOT NULL DEFAULT '',
	set_up_at         TIMESTAMP(3),
	created_at        TIMESTAMP(3) NOT NULL,
	updated_at        TIMESTAMP(3) NOT NULL
);

-- Every actor that this server knows; host is '' for its own.
CREATE TABLE accounts (
	id            BIGINT NOT NULL PRIMARY KEY,
	username      TEXT      NOT NULL,
	host          TEXT      NOT NULL DEFAULT '',
	actor_type    TEXT      NOT NULL DEFAULT 'Person' CHECK (actor_type IN ('Person', 'Group', 'Service', 'Application', 'Organization')),
	display_name  TEXT      NOT NULL DEFAULT '',
	bio_source    TEXT      NOT NULL DEFAULT '',
	bio_html      TEXT      NOT NULL DEFAULT '',
	fields        TEXT      NOT NULL DEFAULT '[]',
	uri           TEXT,
	url           TEXT      NOT NULL DEFAULT '',
	inbox         TEXT      NOT NULL DEFAULT '',
	shared_inbox  TEXT      NOT NULL DEFAULT '',
	outbox        TEXT      NOT NULL DEFAULT '',
	followers_uri TEXT      NOT NULL DEFAULT '',
	following_uri TEXT      NOT NULL DEFAULT '',
	network_uri   TEXT      NOT NULL DEFAULT '',
	avatar        TEXT      NOT NULL DEFAULT '',
	header        TEXT      NOT NULL DEFAULT '',
	locked        BOOLEAN   NOT NULL DEFAULT FALSE,
	discoverable  BOOLEAN   NOT NULL DEFAULT FALSE,
	indexable     BOOLEAN   NOT NULL DEFAULT FALSE,
	moved_to      TEXT      NOT NULL DEFAULT '',
	also_known_as TEXT      NOT NULL DEFAULT '[]',
	created_at    TIMESTAMP(3) NOT NULL,
	updated_at    TIMESTAMP(3) NOT NULL,
	fetched_at    TIMESTAMP(3),
	suspended_at  TIMESTAMP(3),
	deleted_at    TIMESTAMP(3)
);
CREATE UNIQUE INDEX accounts_handle ON accounts (host, username);
CREATE UNIQUE INDEX accounts_uri ON accounts (uri);

-- Keys apart from accounts, so that no list of people carries one.
CREATE TABLE account_keys (
	account_id  BIGINT NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
	key_id      TEXT      NOT NULL,
	public_key  TEXT      NOT NULL,
	private_key TEXT      NOT NULL DEFAULT '',
	fetched_at  TIMESTAMP(3) NOT NULL
);
CREATE UNIQUE INDEX account_keys_key_id ON account_keys (key_id);

CREATE TABLE account_counts (
	account_id   BIGINT NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
	posts        BIGINT NOT NULL DEFAULT 0,
	followers    BIGINT NOT NULL DEFAULT 0,
	following    BIGINT NOT NULL DEFAULT 0,
	last_post_at TIMESTAMP(3)
);

-- What only people who sign in here have.
CREATE TABLE users (
	account_id    BIGINT NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
	email         TEXT      NOT NULL DEFAULT '',
	password_hash TEXT      NOT NULL,
	role          TEXT      NOT NULL CHECK (role IN ('owner', 'it_admin', 'moderator', 'member', 'placement')),
	state         TEXT      NOT NULL CHECK (state IN ('pending', 'active', 'disabled')),
	locale        TEXT      NOT NULL DEFAULT '',
	default_audience TEXT   NOT NULL DEFAULT 'school',
	request_text  TEXT      NOT NULL DEFAULT '',
	ends_at       TIMESTAMP(3),
	invited_by    BIGINT    REFERENCES accounts (id),
	approved_by   BIGINT    REFERENCES accounts (id),
	notifications_read_id BIGINT NOT NULL DEFAULT 0,
	created_at    TIMESTAMP(3) NOT NULL
);
CREATE UNIQUE INDEX users_email ON users (email) WHERE email <> '';
CREATE INDEX users_state ON users (state, account_id);

CREATE TABLE follows (
	id             BIGINT NOT NULL PRIMARY KEY,
	follower_id    BIGINT    NOT NULL REFERENCES accounts (id),
	target_id      BIGINT    NOT NULL REFERENCES accounts (id),
	follower_local BOOLEAN   NOT NULL,
	state          TEXT      NOT NULL CHECK (state IN ('requested', 'accepted')),
	uri            TEXT      NOT NULL DEFAULT '',
	created_at     TIMESTAMP(3) NOT NULL
);
CREATE UNIQUE INDEX follows_pair ON follows (follower_id, target_id);
CREATE INDEX follows_target ON follows (target_id, state, follower_local, follower_id);
CREATE INDEX follows_follower ON follows (follower_id, state, id);
CREATE INDEX follows_uri ON follows (uri) WHERE uri <> '';

CREATE TABLE blocks (
	account_id BIGINT    NOT NULL REFERENCES accounts (id),
	target_id  BIGINT    NOT NULL REFERENCES accounts (id),
	id         BIGINT    NOT NULL,
	uri        TEXT      NOT NULL DEFAULT '',
	created_at TIMESTAMP(3) NOT NULL,
	PRIMARY KEY (account_id, target_id)
);
CREATE INDEX blocks_target ON blocks (target_id, account_id);

CREATE TABLE mutes (
	account_id BIGINT    NOT NULL REFERENCES accounts (id),
	target_id  BIGINT    NOT NULL REFERENCES accounts (id),
	id         BIGINT    NOT NULL,
	notifications BOOLEAN NOT NULL DEFAULT TRUE,
	expires_at TIMESTAMP(3),
	created_at TIMESTAMP(3) NOT NULL,
	PRIMARY KEY (account_id, target_id)
);

-- +goose Down
DROP TABLE mutes;
DROP TABLE blocks;
DROP TABLE follows;
DROP TABLE users;
DROP TABLE account_counts;
DROP TABLE account_keys;
DROP TABLE accounts;
DROP TABLE site;
