-- +goose Up
CREATE TABLE invites (
	id         BIGINT NOT NULL PRIMARY KEY,
	code_hash  TEXT      NOT NULL,
	role       TEXT      NOT NULL CHECK (role IN ('owner', 'it_admin', 'moderator', 'member', 'placement')),
	note       TEXT      NOT NULL DEFAULT '',
	max_uses   BIGINT    NOT NULL DEFAULT 1,
	uses       BIGINT    NOT NULL DEFAULT 0,
	ends_at    TIMESTAMP(3),
	expires_at TIMESTAMP(3) NOT NULL,
	revoked_at TIMESTAMP(3),
	created_by BIGINT    REFERENCES accounts (id),
	created_at TIMESTAMP(3) NOT NULL
);
CREATE UNIQUE INDEX invites_code_hash ON invites (code_hash);

CREATE TABLE sessions (
	id         BIGINT NOT NULL PRIMARY KEY,
	token_hash TEXT      NOT NULL,
	account_id BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	device     TEXT      NOT NULL DEFAULT '',
	created_at TIMESTAMP(3) NOT NULL,
	used_on    TIMESTAMP(3) NOT NULL,
	expires_at TIMESTAMP(3) NOT NULL
);
CREATE UNIQUE INDEX sessions_token_hash ON sessions (token_hash);
CREATE INDEX sessions_account ON sessions (account_id, id);
CREATE INDEX sessions_expires ON sessions (expires_at);

-- Counters of tries (sign-in, account requests), shared by all nodes.
CREATE TABLE attempts (
	key      TEXT      NOT NULL PRIMARY KEY,
	count    BIGINT    NOT NULL,
	reset_at TIMESTAMP(3) NOT NULL
);

CREATE TABLE oauth_apps (
	id            BIGINT NOT NULL PRIMARY KEY,
	client_id     TEXT      NOT NULL,
	secret_hash   TEXT      NOT NULL,
	name          TEXT      NOT NULL,
	website       TEXT      NOT NULL DEFAULT '',
	redirect_uris TEXT      NOT NULL,
	scopes        TEXT      NOT NULL,
	created_at    TIMESTAMP(3) NOT NULL
);
CREATE UNIQUE INDEX oauth_apps_client_id ON oauth_apps (client_id);

CREATE TABLE oauth_codes (
	code_hash      TEXT      NOT NULL PRIMARY KEY,
	app_id         BIGINT    NOT NULL REFERENCES oauth_apps (id) ON DELETE CASCADE,
	account_id     BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	redirect_uri   TEXT      NOT NULL,
	scopes         TEXT      NOT NULL,
	code_challenge TEXT      NOT NULL DEFAULT '',
	expires_at     TIMESTAMP(3) NOT NULL
);

CREATE TABLE oauth_tokens (
	id         BIGINT NOT NULL PRIMARY KEY,
	token_hash TEXT      NOT NULL,
	app_id     BIGINT    REFERENCES oauth_apps (id) ON DELETE CASCADE,
	account_id BIGINT    REFERENCES accounts (id) ON DELETE CASCADE,
	scopes     TEXT      NOT NULL,
	created_at TIMESTAMP(3) NOT NULL,
	used_on    TIMESTAMP(3),
	revoked_at TIMESTAMP(3)
);
CREATE UNIQUE INDEX oauth_tokens_token_hash ON oauth_tokens (token_hash);
CREATE INDEX oauth_tokens_account ON oauth_tokens (account_id, id);

-- Values kept for a while by key: certificates, used form numbers.
CREATE TABLE kept (
	key        TEXT      NOT NULL PRIMARY KEY,
	value      BYTEA     NOT NULL,
	expires_at TIMESTAMP(3)
);
CREATE INDEX kept_expires ON kept (expires_at) WHERE expires_at IS NOT NULL;

-- +goose Down
DROP TABLE kept;
DROP TABLE oauth_tokens;
DROP TABLE oauth_codes;
DROP TABLE oauth_apps;
DROP TABLE attempts;
DROP TABLE sessions;
DROP TABLE invites;
